//! `bailiwick token`: an admin API access token for whoever can read the data directory.
//!
//! Reading the directory means holding the key that opens everything sealed in it, so asking for a
//! password on top would protect nothing. What it must not be is invisible: the control plane writes an
//! audit event for every token, and the token speaks for a stand-in operator with one role in one scope.
//! It works beside a running `up`, because it only reads what that one wrote.

use chrono::TimeDelta;
use contract::{
    api::{ADMIN_AUDIENCE, ADMIN_SCOPE},
    application::SigningAlgorithm,
    ids::UserId,
    jws::TrustRoot,
    role::Role,
    tenant::PLATFORM_SLUG,
};
use control_plane::{ControlPlane, Scope};
use data_plane::{
    Node,
    process::{DataDir, Failure},
};
use host::{LogFormat, Secret, Telemetry, TelemetryConfig};
use serde::Serialize;
use url::Url;

use crate::{
    cli::Token,
    config::{Addresses, Config},
    planes::{Means, NodeParts, open_control_plane, open_node},
    refused::refused,
};

/// The `client_id` of tokens that no registered application asked for.
const CLIENT: &str = "bailiwick-cli";

/// The claims of an access token (RFC 9068 §2.2).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: UserId,
    aud: &'static str,
    client_id: &'static str,
    scope: &'static str,
    iat: i64,
    exp: i64,
    jti: String,
}

/// Makes the token.
///
/// # Errors
/// Nothing was started in the directory yet, a store cannot be reached, or role and scope do not fit.
pub async fn mint(config: &Config, asked: &Token) -> Result<Secret, Failure> {
    let dir = DataDir::enter(&config.data_dir)?;
    // Warnings only: the token is the output, and scripts read it.
    let telemetry = Telemetry::start(&TelemetryConfig {
        log_format: LogFormat::Pretty,
        filter: "warn".to_owned(),
        ..TelemetryConfig::new("bailiwick-token")
    })
    .map_err(Failure::because("cannot start telemetry"))?;
    let means = Means::of(&dir, telemetry)?;
    let trust = read_trust(&dir)?;
    let Addresses { auth, .. } = config.addresses(config.console_addr, config.auth_addr)?;
    let parts = NodeParts::aside(config, &means, trust, auth.clone())?;
    let node = open_node(config, &dir, &means, parts).await?;
    let platform = node.tenant_by_slug(PLATFORM_SLUG).ok_or_else(|| {
        Failure::new(
            "cannot make a token",
            "no node here has served the platform tenant yet",
        )
    })?;
    // The base URL of the running installation, which flags of `up` may have moved.
    let base = base_of(platform.issuer()).unwrap_or(auth);
    let control_plane = open_control_plane(config, &dir, &means, base).await?;
    let subject = stand_in(&control_plane, asked).await?;
    sign(
        &node,
        platform.keys(),
        subject,
        platform.issuer(),
        asked.ttl,
    )
}

fn sign(
    node: &Node,
    keys: &data_plane::keys::KeyRing,
    subject: UserId,
    issuer: &str,
    ttl: TimeDelta,
) -> Result<Secret, Failure> {
    let now = node.clock().now();
    let claims = Claims {
        iss: issuer,
        sub: subject,
        aud: ADMIN_AUDIENCE,
        client_id: CLIENT,
        scope: ADMIN_SCOPE,
        iat: now.timestamp(),
        exp: (now + ttl).timestamp(),
        jti: node.entropy().token(),
    };
    keys.sign(SigningAlgorithm::ES256, "at+jwt", &claims)
        .map(Secret::new)
        .map_err(Failure::because("cannot sign the token"))
}

/// The operator the token speaks for; asking for it is what the audit log shows.
async fn stand_in(control_plane: &ControlPlane, asked: &Token) -> Result<UserId, Failure> {
    let (scope, role) = match &asked.tenant {
        None => (Scope::Platform, Role::PlatformOwner),
        Some(slug) => {
            let tenant = control_plane
                .get_tenant_by_slug(&control_plane.system_caller(), slug)
                .await
                .map_err(refused("cannot find the tenant of --tenant"))?;
            (Scope::Tenant(tenant.id), Role::TenantOwner)
        }
    };
    let operator = control_plane
        .local_operator(asked.role.unwrap_or(role), scope)
        .await
        .map_err(refused("cannot make a token"))?;
    Ok(operator.subject)
}

fn read_trust(dir: &DataDir) -> Result<TrustRoot, Failure> {
    let path = dir.trust_file();
    let cannot = || format!("cannot read {}", path.display());
    let text = std::fs::read(&path).map_err(|error| match error.kind() {
        // The key is older than this file: a start that failed leaves the one without the other.
        std::io::ErrorKind::NotFound => Failure::new(
            "cannot make a token",
            format!(
                "no start of bailiwick up has finished in {} yet",
                dir.path().display()
            ),
        ),
        _ => Failure::new(cannot(), error),
    })?;
    serde_json::from_slice(&text).map_err(Failure::because(cannot()))
}

/// The installation's base URL in a path-form issuer.
fn base_of(issuer: &str) -> Option<Url> {
    let base = issuer.strip_suffix(&format!("/t/{PLATFORM_SLUG}"))?;
    Url::parse(base).ok()
}
