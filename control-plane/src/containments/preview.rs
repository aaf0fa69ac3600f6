//! What containing something would hit, before anybody does it.
//!
//! The counts come from the tenant's region and are remembered for a while, so that a containment can say what it
//! was going to hit without asking anybody in between. A region that cannot be reached keeps nobody from
//! containing: there is a reason in place of the counts.

use std::{fmt, time::Duration};

use contract::{containment::Subject, ids::TenantId, permission::Permission, receipt::Impact};
use moka::future::Cache;

use super::begin::check_subject;
use crate::{Caller, ControlPlane, Refusal, store::Tx, tenants::Tenant};

/// How long counts are remembered.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How many of them.
const MOST: u64 = 10_000;

/// What containing something would hit.
#[derive(Debug, Clone)]
pub struct Preview {
    /// What.
    pub subject: Subject,
    /// The application's name.
    pub subject_name: Option<String>,
    /// The counts, or why there are none.
    pub impact: Result<Impact, String>,
    /// How many nodes would apply it.
    pub nodes: usize,
    /// What somebody should know first.
    pub warnings: Vec<String>,
}

/// Counts that were shown not long ago.
pub(crate) struct Previews(Cache<(TenantId, Subject), Impact>);

impl Default for Previews {
    fn default() -> Self {
        Self(
            Cache::builder()
                .max_capacity(MOST)
                .time_to_live(REMEMBERED)
                .build(),
        )
    }
}

impl fmt::Debug for Previews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Previews")
    }
}

impl Previews {
    /// What was counted for a subject.
    pub(super) async fn recall(&self, tenant: TenantId, subject: &Subject) -> Option<Impact> {
        self.0.get(&(tenant, subject.clone())).await
    }

    async fn remember(&self, tenant: TenantId, subject: Subject, impact: Impact) {
        self.0.insert((tenant, subject), impact).await;
    }
}

impl ControlPlane {
    /// What containing something of a tenant would hit. Changes nothing.
    ///
    /// # Errors
    /// As [`ControlPlane::contain`], for what could not be contained.
    pub async fn preview_containment(
        &self,
        caller: &Caller,
        tenant: TenantId,
        subject: Subject,
    ) -> Result<Preview, Refusal> {
        let view = self
            .view(caller, tenant, Permission::ContainmentsManage)
            .await?;
        let place = view.tenant().clone();
        let tx = view.into_tx();
        let now = self.clock().now();
        let subject_name = check_subject(&tx, &place, &subject, now).await?;
        let nodes = self.nodes_of_region(&tx, &place.region).await?;
        let mut warnings = warnings(&tx, caller, &place, &subject).await?;
        let away = nodes.iter().filter(|node| !node.connected).count();
        if away > 0 {
            warnings.push(format!(
                "{away} of {} nodes cannot be reached now; they apply it once they are back.",
                nodes.len()
            ));
        }
        // Nothing is held while the region is asked.
        drop(tx);
        let impact = self
            .count_contained(&place.region, tenant, subject.clone())
            .await;
        if let Ok(impact) = &impact {
            let previews = self.previews();
            previews.remember(tenant, subject.clone(), *impact).await;
        }
        Ok(Preview {
            subject,
            subject_name,
            impact,
            nodes: nodes.len(),
            warnings,
        })
    }
}

async fn warnings(
    tx: &Tx,
    caller: &Caller,
    tenant: &Tenant,
    subject: &Subject,
) -> Result<Vec<String>, Refusal> {
    let mut warnings = Vec::new();
    match subject {
        Subject::Tenant {} => {
            warnings.push("Nobody signs in to the tenant and no application gets a token.".into());
        }
        Subject::User { user } if tenant.is_platform() && *user == caller.subject() => {
            warnings.push("This is your own account: somebody else has to lift it.".into());
        }
        Subject::SigningKey { .. } => {
            if tx.list_tenant_keys(tenant.id).await?.len() == 1 {
                warnings.push(
                    "It is the only key: no tokens are issued until there is another.".into(),
                );
            }
            if tenant.is_platform() {
                warnings.push(
                    "Operators are signed out by tokens of this key, you perhaps too.".into(),
                );
            }
        }
        Subject::User { .. } | Subject::Session { .. } | Subject::Application { .. } => {}
    }
    Ok(warnings)
}
