//! Redeems an authorization code (RFC 6749 §4.1.3).
//!
//! The code is spent by looking at it, before anything else is compared: a wrong client or verifier burns
//! it too, so nobody gets a second guess (R-TOK-04). A second redemption means that the code leaked, and
//! kills every token of the grant (R-TOK-01).

use contract::application::GrantType;

use super::{Ask, Holder, INVALID_GRANT, Issuance, Person};
use crate::{
    codes::{CodeGrant, Redemption},
    grants::{RefreshError, RefreshGrant},
    http::{
        claims::{self, Authentication},
        error::ApiError,
        pkce,
        target::Target,
    },
    identity::{AuthEvent, AuthEventKind},
};

pub(super) async fn redeem(ask: &Ask<'_>) -> Result<Issuance, ApiError> {
    ask.check_may_use(GrantType::AuthorizationCode)?;
    let code = ask.required("code")?;
    let (tenant, node) = (ask.tenant, ask.tenant.node());
    let granted = match node.codes().redeem(tenant.id(), code).await? {
        Redemption::Fresh(granted) => granted,
        Redemption::Replayed(owner) => {
            node.grants().kill_replayed(tenant.id(), &owner).await?;
            return Err(INVALID_GRANT.into());
        }
        Redemption::Unknown => return Err(INVALID_GRANT.into()),
    };
    if !is_bound(ask, &granted) {
        return Err(INVALID_GRANT.into());
    }
    let target = Target {
        scopes: granted.scopes.clone(),
        audience: granted.resource.clone(),
    };
    ask.check_resource(&target)?;
    // The person took back what they allowed, after the code was made (R-CONS-02).
    if node
        .grants()
        .is_killed(tenant.id(), &granted.owner())
        .await?
    {
        return Err(INVALID_GRANT.into());
    }
    let holder = Holder {
        user: granted.user,
        session: granted.session,
        begun_at: granted.grant.begun_at().unwrap_or(granted.auth_time),
    };
    ask.check_contained(Some(holder))?;
    let user = ask.active_user(granted.user).await?;
    let person = Person {
        user: &user,
        grant: &granted.grant,
        authentication: Authentication::new(granted.auth_time, &granted.amr, granted.session),
        nonce: granted.nonce.as_deref(),
    };
    let mut answer = ask.issue(&target, Some(person))?;
    answer.holder = Some(holder);
    answer.refresh_token = refresh_token(ask, &granted).await?;
    let event = AuthEvent {
        kind: AuthEventKind::TokensIssued,
        user: Some(granted.user),
        application: Some(granted.application),
    };
    node.identity().record_event(tenant.id(), event).await?;
    Ok(answer)
}

/// Whether the code was issued for this client, this address and this verifier.
fn is_bound(ask: &Ask<'_>, granted: &CodeGrant) -> bool {
    let verifier = ask.params.get("code_verifier");
    granted.application == ask.application().id
        && ask.params.get("redirect_uri") == Some(granted.redirect_uri.as_str())
        && verifier.is_some_and(|verifier| pkce::opens(&granted.code_challenge, verifier))
}

/// A refresh token, if the person agreed to access while they are away (OpenID Connect Core 1.0 §11).
async fn refresh_token(ask: &Ask<'_>, granted: &CodeGrant) -> Result<Option<String>, ApiError> {
    let may_refresh = ask
        .application()
        .grant_types
        .contains(&GrantType::RefreshToken);
    if !(may_refresh && claims::has(&granted.scopes, "offline_access")) {
        return Ok(None);
    }
    let family = RefreshGrant {
        grant: granted.grant,
        application: granted.application,
        user: granted.user,
        scopes: granted.scopes.clone(),
        resource: granted.resource.clone(),
        session: granted.session,
        auth_time: granted.auth_time,
        amr: granted.amr.clone(),
    };
    let policy = &ask.tenant.policies().token;
    let grants = ask.tenant.node().grants();
    match grants.issue_refresh(ask.tenant.id(), &family, policy).await {
        Ok(token) => Ok(Some(token)),
        // The grant was killed while we were signing: a second redemption raced this one (R-TOK-02).
        Err(RefreshError::Revoked | RefreshError::Reused | RefreshError::Invalid) => {
            Err(INVALID_GRANT.into())
        }
        Err(cause) => Err(cause.into()),
    }
}
