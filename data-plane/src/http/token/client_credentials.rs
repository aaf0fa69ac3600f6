//! A machine asks for itself (RFC 6749 §4.4). Touches no store: keys and grants are in memory.

use contract::application::GrantType;

use super::{Ask, Issuance};
use crate::http::error::{ApiError, ErrorCode, OAuthError};

pub(super) fn issue(ask: &Ask<'_>) -> Result<Issuance, ApiError> {
    ask.check_may_use(GrantType::ClientCredentials)?;
    let mut resources = ask.params.resources().to_vec();
    // Many libraries call the same thing `audience`.
    match (ask.params.get("audience"), resources.as_slice()) {
        (Some(audience), []) => resources.push(audience.to_owned()),
        (Some(audience), [resource]) if audience != resource => {
            return Err(OAuthError::new(
                ErrorCode::InvalidTarget,
                "The parameters resource and audience name different APIs.",
            )
            .into());
        }
        _ => {}
    }
    let target = ask
        .client
        .machine_target(ask.params.get("scope"), &resources)?;
    Ok(ask.issue(&target, None)?)
}
