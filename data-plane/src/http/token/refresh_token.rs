//! Uses a refresh token (RFC 6749 §6): a new access token and the family's next refresh token.
//!
//! Scope is checked before the token is spent, so that a client's mistake costs an error and not its
//! family; but reuse is looked for before scope, because a thief may ask for anything. Rights that an
//! administrator took away meanwhile are not issued again (R-TOK-08). Rotation, grace and reuse detection
//! are the grants' business (R-RT-01, R-RT-03).

use contract::application::GrantType;

use super::{Ask, Holder, INVALID_GRANT, Issuance, Person};
use crate::{
    grants::RefreshError,
    http::{
        claims::Authentication,
        error::{ApiError, ErrorCode, OAuthError},
        target::narrow,
    },
};

pub(super) async fn rotate(ask: &Ask<'_>) -> Result<Issuance, ApiError> {
    ask.check_may_use(GrantType::RefreshToken)?;
    let token = ask.required("refresh_token")?;
    let (tenant, grants) = (ask.tenant.id(), ask.tenant.node().grants());
    let application = ask.application().id;
    let policy = &ask.tenant.policies().token;
    let granted = grants
        .peek_refresh(tenant, token, application, policy)
        .await
        .map_err(refused)?;
    let holder = Holder {
        user: granted.user,
        session: granted.session,
        begun_at: granted.grant.begun_at().unwrap_or(granted.auth_time),
    };
    ask.check_contained(Some(holder))?;
    let wanted = narrow(&granted.scopes, ask.params.get("scope"))?;
    let target = ask.client.still_granted(&wanted, granted.resource.as_ref());
    if target.scopes.is_empty() {
        return Err(OAuthError::new(
            ErrorCode::InvalidScope,
            "Nothing that was granted is still allowed for this client.",
        )
        .into());
    }
    ask.check_resource(&target)?;
    let user = ask.active_user(granted.user).await?;
    let rotated = grants
        .rotate_refresh(tenant, token, application, policy)
        .await
        .map_err(refused)?;
    let granted = rotated.grant;
    let person = Person {
        user: &user,
        grant: &granted.grant,
        authentication: Authentication::new(granted.auth_time, &granted.amr, granted.session),
        nonce: None,
    };
    let mut answer = ask.issue(&target, Some(person))?;
    answer.holder = Some(holder);
    answer.refresh_token = Some(rotated.token);
    Ok(answer)
}

fn refused(error: RefreshError) -> ApiError {
    match error {
        RefreshError::Invalid | RefreshError::Revoked | RefreshError::Reused => {
            INVALID_GRANT.into()
        }
        cause => cause.into(),
    }
}
