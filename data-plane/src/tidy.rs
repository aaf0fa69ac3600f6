//! Tidies the identity store, again and again: every tenant of the node, a batch at a time.
//!
//! Every node of a region does it, because none is special; removing what another just removed removes nothing.
//! Only tenants whose release is held are visited: row-level security shows the rows of a tenant to nobody who
//! cannot name it. What is removed, and when, is the store's to say ([`crate::identity::IdentityStore::purge`]).
//!
//! It must never end because of an error: the next round tries again. It must never remove anything by a clock that is
//! known to be wrong.

use std::time::Duration;

use contract::ids::TenantId;

use crate::{identity::StoreError, node::Node};

/// Between two rounds. Ages are counted in days, so an hour more or less is nothing.
const PAUSE: Duration = Duration::from_secs(60 * 60);
/// Between two batches, so that a large backlog leaves the database to the people who sign in.
const BREATH: Duration = Duration::from_millis(100);

impl Node {
    /// Tidies until the future is dropped. One per process is enough.
    pub async fn keep_tidy(self) {
        loop {
            if let Err(error) = self.tidy().await {
                tracing::warn!(%error, "old rows could not be removed; the next round tries again");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One round: removes everything of every tenant held that is past its time.
    ///
    /// # Errors
    /// The last one of a tenant that could not be tidied; the others were.
    pub async fn tidy(&self) -> Result<(), StoreError> {
        let mut outcome = Ok(());
        for tenant in self.tenant_ids() {
            // By a clock that is wrong everything may be past its time.
            if self.is_out_of_service() {
                break;
            }
            if let Err(error) = self.tidy_tenant(tenant).await {
                outcome = Err(error);
            }
        }
        outcome
    }

    async fn tidy_tenant(&self, tenant: TenantId) -> Result<(), StoreError> {
        while !self.is_out_of_service() && self.identity().purge(tenant).await? {
            tokio::time::sleep(BREATH).await;
        }
        Ok(())
    }
}
