//! `bailiwick token`: an admin API access token for whoever can read the data directory.
//!
//! Reading the directory means holding the key that opens everything sealed in it, so asking for a
//! password on top would protect nothing. What it must not be is invisible: the control plane writes an
//! audit event for every token, and the token speaks for a stand-in operator with one role in one scope.
//! It works beside a running control plane, whether a node runs or not, because it only reads what that one
//! wrote: it is also the way in when nobody can sign in.

use contract::role::Role;
use control_plane::{ControlPlane, OpenError, Scope};
use data_plane::process::{DataDir, Failure};
use host::{LogFormat, Secret, Telemetry, TelemetryConfig};

use crate::{cli::Token, config::Config, planes::Means, refused::refused};

/// Makes the token.
///
/// # Errors
/// Nothing was started in the directory yet, the store cannot be reached, or role and scope do not fit.
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
    let control_plane = enter(config, &dir, &means).await?;
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
    control_plane
        .local_token(asked.role.unwrap_or(role), scope, asked.ttl)
        .await
        .map_err(refused("cannot make a token"))
}

async fn enter(config: &Config, dir: &DataDir, means: &Means) -> Result<ControlPlane, Failure> {
    let database_url = config
        .control_plane
        .database_url(dir.sqlite_url("control.db"))?;
    let (clock, entropy) = (means.clock.clone(), means.entropy.clone());
    ControlPlane::open_beside(database_url.expose(), means.kek.clone(), clock, entropy)
        .await
        .map_err(|error| match error {
            OpenError::Database(why) => Failure::setting("control_plane.database_url", why),
            OpenError::Unusable(why) => {
                let dir = dir.path().display();
                Failure::new(format!("cannot make a token from {dir}"), why)
            }
        })
}
