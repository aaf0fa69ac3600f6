//! What is unwise about an application although it is allowed.

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    application::{Application, ApplicationKind},
    redirect_uri::RedirectUri,
    tenant::Environment,
};
use control_plane::applications::{ApplicationRecord, SecretRecord};

/// After this long a secret has been seen by too many people and machines.
const OLD_SECRET: TimeDelta = TimeDelta::days(365);

/// One thing worth a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Warning {
    /// For a list.
    pub(super) short: &'static str,
    /// What it means and what to do.
    pub(super) long: &'static str,
}

const LOOPBACK: Warning = Warning {
    short: "Loopback redirect in production",
    long: "A redirect URI points at the person's own machine. Remove it unless somebody develops against production.",
};
const LOCALHOST: Warning = Warning {
    short: "Redirects to localhost",
    long: "The name localhost can be pointed elsewhere. Use 127.0.0.1 or [::1], whose port is free as well (RFC 8252 section 8.3).",
};
const NO_SECRET: Warning = Warning {
    short: "No working secret",
    long: "The application cannot prove itself, so it gets no tokens. Make a secret under Credentials.",
};
const STALE_SECRET: Warning = Warning {
    short: "Secret older than a year",
    long: "Make a second secret under Credentials, move your program over, then revoke the older one.",
};

/// Everything worth a look, most pressing first.
pub(super) fn of(
    record: &ApplicationRecord,
    environment: Environment,
    now: DateTime<Utc>,
) -> Vec<Warning> {
    let application = &record.application;
    let working = working(record, now);
    let confidential = application.kind.is_confidential();
    let in_production = environment == Environment::Production;
    let installed = application.kind == ApplicationKind::Native;
    let found = [
        (confidential && working.is_empty(), NO_SECRET),
        (
            in_production && !installed && redirects(application, is_loopback),
            LOOPBACK,
        ),
        (installed && redirects(application, is_localhost), LOCALHOST),
        (
            working
                .iter()
                .any(|secret| now - secret.created_at > OLD_SECRET),
            STALE_SECRET,
        ),
    ];
    found
        .into_iter()
        .filter(|(applies, _)| *applies)
        .map(|(_, warning)| warning)
        .collect()
}

/// The secrets that work at `now`, oldest first.
pub(super) fn working(record: &ApplicationRecord, now: DateTime<Utc>) -> Vec<&SecretRecord> {
    let works = |secret: &&SecretRecord| secret.not_after.is_none_or(|end| end > now);
    record.secrets.iter().filter(works).collect()
}

fn redirects(application: &Application, matches: fn(&RedirectUri) -> bool) -> bool {
    application.redirect_uris.iter().any(matches)
}

/// Registered http addresses are loopback addresses: [`RedirectUri`] admits no others.
fn is_loopback(uri: &RedirectUri) -> bool {
    uri.as_str().starts_with("http://")
}

fn is_localhost(uri: &RedirectUri) -> bool {
    uri.as_str().starts_with("http://localhost")
}

#[cfg(test)]
mod tests {
    use contract::{
        application::{ApplicationStatus, SigningAlgorithm},
        ids::CredentialId,
    };

    use super::*;

    fn record(kind: ApplicationKind, redirect: &str) -> ApplicationRecord {
        ApplicationRecord {
            application: Application {
                id: "app_00000000000000000000000001".parse().unwrap(),
                name: "Shop".into(),
                kind,
                status: ApplicationStatus::Active,
                redirect_uris: vec![redirect.parse().unwrap()],
                post_logout_redirect_uris: vec![],
                grant_types: [].into(),
                auth_methods: [].into(),
                secrets: vec![],
                scopes: [].into(),
                signing_algorithm: SigningAlgorithm::ES256,
                first_party: false,
            },
            secrets: vec![],
            built_in: false,
            version: 1,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_is_unwise_depends_on_kind_and_environment() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(400);
        let spa = record(ApplicationKind::Spa, "http://127.0.0.1/cb");
        assert_eq!(of(&spa, Environment::Production, now), [LOOPBACK]);
        assert_eq!(of(&spa, Environment::Sandbox, now), []);
        let native = record(ApplicationKind::Native, "http://localhost:9/cb");
        assert_eq!(of(&native, Environment::Production, now), [LOCALHOST]);
        let mut web = record(ApplicationKind::Web, "https://shop.example/cb");
        assert_eq!(of(&web, Environment::Production, now), [NO_SECRET]);
        let id: CredentialId = "crd_00000000000000000000000001".parse().unwrap();
        let secret = |not_after| SecretRecord {
            id,
            created_at: DateTime::UNIX_EPOCH,
            not_after,
        };
        web.secrets = vec![secret(Some(now))];
        assert_eq!(of(&web, Environment::Production, now), [NO_SECRET]);
        web.secrets = vec![secret(None)];
        assert_eq!(of(&web, Environment::Production, now), [STALE_SECRET]);
    }
}
