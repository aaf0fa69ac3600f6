//! `/v1/tenants/{tenant}/oversight`: how a tenant runs, for the vendor who runs it.
//!
//! Apart from [`super::tenants`], because it needs no power inside the tenant: whatever the customer's matrix
//! says, the vendor sees whether nodes serve it and whether anybody governs it, and nothing more.

use actix_web::http::Method;
use chrono::{DateTime, Utc};
use contract::permission::Permission as P;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::Answer, asking::InTenant, operation::Operation, problem::Problem,
    releases::EffectivenessView, tenants::TenantView,
};
use crate::tenants::FirstOwner;

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            "overseeTenant",
            Method::GET,
            "/tenants/{tenant}/oversight",
            oversee,
        )
        .summary("Says how a tenant runs: which nodes serve it, and whether an owner has come.")
        .needs(P::TenantsView)
        .gives::<OversightView>(),
    ]
}

/// How a tenant runs.
#[derive(Debug, Serialize, ToSchema)]
struct OversightView {
    tenant: TenantView,
    effectiveness: EffectivenessView,
    first_owner: FirstOwnerView,
}

/// Whether a tenant has somebody who governs it; not who.
#[derive(Debug, Serialize, ToSchema)]
struct FirstOwnerView {
    /// `nobody` was invited, somebody is `invited`, or an owner has `accepted`.
    state: &'static str,
    /// Since when somebody is invited.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<DateTime<Utc>>,
}

impl From<FirstOwner> for FirstOwnerView {
    fn from(owner: FirstOwner) -> Self {
        let (state, since) = match owner {
            FirstOwner::Nobody => ("nobody", None),
            FirstOwner::Invited { since } => ("invited", Some(since)),
            FirstOwner::Accepted => ("accepted", None),
        };
        Self { state, since }
    }
}

async fn oversee(at: InTenant) -> Result<Answer<OversightView>, Problem> {
    let seen = at.plane.oversee(&at.caller, at.tenant).await?;
    Ok(Answer::ok(OversightView {
        tenant: TenantView::of(&at.plane, seen.tenant),
        effectiveness: seen.effectiveness.into(),
        first_owner: seen.first_owner.into(),
    }))
}
