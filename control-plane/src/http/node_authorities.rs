//! `/v1/node-authorities`: whose certificates are believed on connections between the planes.

use actix_web::http::Method;
use chrono::{DateTime, Utc};
use contract::permission::Permission as P;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Listed},
    asking::{Adding, Asking},
    operation::Operation,
    problem::Problem,
};
use crate::authorities::{AuthorityStanding, AuthorityState};

const ALL: &str = "/node-authorities";
const ROTATE: &str = "/node-authorities/rotate";

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("listNodeAuthorities", Method::GET, ALL, list)
            .summary("Lists the authorities whose certificates are believed between control plane and nodes.")
            .needs(P::NodesView)
            .gives::<Listed<NodeAuthorityView>>(),
        Operation::new("rotateNodeAuthority", Method::POST, ROTATE, rotate)
            .summary("Takes one step of a rotation: makes the next authority known, or a minute later lets it sign.")
            .needs(P::NodesManage)
            .gives::<Listed<NodeAuthorityView>>(),
    ]
}

/// An authority.
#[derive(Debug, Serialize, ToSchema)]
struct NodeAuthorityView {
    /// SHA-256 of its certificate.
    fingerprint: String,
    standing: AuthorityStanding,
    created_at: DateTime<Utc>,
    signing_since: Option<DateTime<Utc>>,
    retiring_since: Option<DateTime<Utc>>,
    /// The end of its own certificate.
    ends_at: DateTime<Utc>,
    /// Until when it is believed.
    trusted_until: DateTime<Utc>,
}

impl From<AuthorityState> for NodeAuthorityView {
    fn from(state: AuthorityState) -> Self {
        Self {
            fingerprint: state.fingerprint,
            standing: state.standing,
            created_at: state.created_at,
            signing_since: state.signing_since,
            retiring_since: state.retiring_since,
            ends_at: state.ends_at,
            trusted_until: state.trusted_until,
        }
    }
}

async fn list(ask: Asking) -> Result<Listed<NodeAuthorityView>, Problem> {
    Ok(Listed::all(ask.plane.list_authorities(&ask.caller).await?))
}

async fn rotate(ask: Asking, write: Adding) -> Result<Answer<Listed<NodeAuthorityView>>, Problem> {
    let states = ask.plane.rotate_authority(&ask.caller, write.mode).await?;
    Ok(Answer::ok(Listed::all(states)).mode(write.mode))
}
