//! What containing somebody would hit, in numbers: people, browser sessions, grants that can be refreshed.
//!
//! Counts are bounded, because they are asked for in a hurry; one that stops at its bound says so. Nothing about
//! anybody leaves the region.

use contract::{
    containment::Subject,
    ids::{TenantId, UserId},
    receipt::Impact,
};

use crate::{
    identity::{LiveCount, StoreError},
    node::Node,
    sessions::BrowserSession,
    state::{Kind, StateError},
};

/// Most sessions that are looked at.
const MOST: usize = 100_000;

/// Why nobody can tell.
#[derive(Debug, thiserror::Error)]
pub(super) enum CountError {
    #[error(transparent)]
    Identity(#[from] StoreError),
    #[error(transparent)]
    State(#[from] StateError),
}

/// Counts.
pub(super) async fn contained(
    node: &Node,
    tenant: TenantId,
    subject: &Subject,
) -> Result<Impact, CountError> {
    let LiveCount { users, grants } = node.identity().count_live(tenant, subject).await?;
    let (sessions, at_least, person) = sessions(node, tenant, subject).await?;
    Ok(Impact {
        users: users.max(u64::from(person.is_some())),
        sessions,
        grants,
        at_least,
    })
}

/// The sessions alive, whether there may be more, and whose the one is that was asked for.
async fn sessions(
    node: &Node,
    tenant: TenantId,
    subject: &Subject,
) -> Result<(u64, bool, Option<UserId>), CountError> {
    // Tokens of an application or a key live apart from any browser.
    if matches!(
        subject,
        Subject::Application { .. } | Subject::SigningKey { .. }
    ) {
        return Ok((0, false, None));
    }
    let values = node.state().values(Kind::Session, tenant, MOST).await?;
    let at_least = values.len() >= MOST;
    let read = values
        .iter()
        .filter_map(|value| serde_json::from_slice::<BrowserSession>(value).ok());
    let hit: Vec<BrowserSession> = read
        .filter(|one| match subject {
            Subject::User { user } => one.user == *user,
            Subject::Session { session } => one.id == *session,
            _ => true,
        })
        .collect();
    let person = match subject {
        Subject::Session { .. } => hit.first().map(|one| one.user),
        _ => None,
    };
    Ok((
        u64::try_from(hit.len()).unwrap_or(u64::MAX),
        at_least,
        person,
    ))
}
