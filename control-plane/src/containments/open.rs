//! What is in force across tenants: for an incident room, and for the number that leads there.
//!
//! Nothing is refused here and nothing is given away: of a tenant whose containments the caller may not see, neither
//! a line is shown nor one counted.

use contract::{ids::TenantId, permission::Permission};

use super::{ContainmentRecord, ContainmentState, MOST_OPEN};
use crate::{Caller, ControlPlane, Refusal, Scope, change::NO_TENANT, store::Tx};

/// Most that is looked at.
const MOST_LOOKED_AT: u64 = 2_000;

impl ControlPlane {
    /// What is in force now in every tenant whose containments the caller may see, newest first, at most 200.
    ///
    /// # Errors
    /// [`Refusal::Internal`] only: to whom nothing is shown, nothing is refused.
    pub async fn list_open_containments(
        &self,
        caller: &Caller,
    ) -> Result<Vec<ContainmentState>, Refusal> {
        let tx = self.store().begin_read().await?;
        let mut records = self.open_records(&tx, caller).await?;
        records.truncate(usize::try_from(MOST_OPEN).unwrap_or(usize::MAX));
        self.states_of_containments(&tx, records).await
    }

    /// How many are in force now that the caller may see, at most 2000: for pages that say no more than that.
    ///
    /// # Errors
    /// As [`ControlPlane::list_open_containments`].
    pub async fn count_open_containments(&self, caller: &Caller) -> Result<usize, Refusal> {
        let tx = self.store().begin_read().await?;
        Ok(self.open_records(&tx, caller).await?.len())
    }

    async fn open_records(
        &self,
        tx: &Tx,
        caller: &Caller,
    ) -> Result<Vec<ContainmentRecord>, Refusal> {
        let everywhere = caller.is_staff() || caller.is_system();
        let own: Vec<TenantId> = caller
            .roles()
            .iter()
            .filter_map(|held| match held.scope {
                Scope::Tenant(tenant) => Some(tenant),
                Scope::Platform => None,
            })
            .collect();
        let only = (!everywhere).then_some(own.as_slice());
        let now = self.clock().now();
        let mut records = tx.list_in_force(only, now, MOST_LOOKED_AT).await?;
        let visible = self.visible_tenants(tx, caller, &records).await?;
        records.retain(|record| visible.contains(&record.containment.tenant));
        Ok(records)
    }

    async fn visible_tenants(
        &self,
        tx: &Tx,
        caller: &Caller,
        records: &[ContainmentRecord],
    ) -> Result<Vec<TenantId>, Refusal> {
        let mut tenants: Vec<TenantId> = records
            .iter()
            .map(|record| record.containment.tenant)
            .collect();
        tenants.sort_unstable();
        tenants.dedup();
        let mut visible = Vec::new();
        for id in tenants {
            let tenant = tx.find_tenant(id).await?.ok_or(NO_TENANT)?;
            let verdict = self.authorize(tx, caller, Permission::ContainmentsView, &tenant);
            match verdict.await {
                Ok(()) => visible.push(id),
                Err(Refusal::Forbidden(_) | Refusal::NotFound { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(visible)
    }
}
