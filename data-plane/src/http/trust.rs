//! Which clients may be let through without asking the person. Pure, like [`super::step`].
//!
//! Two kinds are always asked about, whatever was allowed before: a client that any program on the
//! person's device could pretend to be (RFC 9700 §4.15, R-CONS-03), and one that wants to administer
//! Bailiwick itself. The second is a second lock: the control plane refuses such an application already,
//! but a release is all a node needs to issue tokens, so a node must not depend on that refusal. No
//! release of a customer can make a person carry their administrator's rights away by one click on a link.

use contract::{
    api::ADMIN_AUDIENCE,
    application::{Application, ApplicationKind},
    tenant::{PLATFORM_SLUG, Slug},
};

use super::target::Target;

/// Whether anyone on the person's machine could pretend to be this client.
pub fn is_impersonable(application: &Application, redirect_uri: &str) -> bool {
    application.is_public() && !redirect_uri.starts_with("https://")
}

/// Whether the client asks to administer Bailiwick and is not the platform's own console: a web
/// application of the platform's own tenant that this tenant calls its own.
pub fn wants_admin(tenant: &Slug, application: &Application, target: &Target) -> bool {
    let asks = target
        .audience
        .as_ref()
        .is_some_and(|audience| audience.as_str() == ADMIN_AUDIENCE);
    let is_console = tenant.as_str() == PLATFORM_SLUG
        && application.first_party
        && application.kind == ApplicationKind::Web;
    asks && !is_console
}

#[cfg(test)]
mod tests {
    use contract::application::TokenAuthMethod;

    use super::*;
    use crate::http::client::tests::application;

    #[test]
    fn who_can_be_pretended_to_be_r_cons_03() {
        let mut client = application();
        for (method, redirect_uri, expected) in [
            (
                TokenAuthMethod::ClientSecretBasic,
                "http://127.0.0.1/cb",
                false,
            ),
            (TokenAuthMethod::None, "https://spa.example/cb", false),
            (TokenAuthMethod::None, "http://127.0.0.1/cb", true),
            (TokenAuthMethod::None, "com.example.app:/cb", true),
        ] {
            client.auth_methods = [method].into();
            assert_eq!(
                is_impersonable(&client, redirect_uri),
                expected,
                "{redirect_uri}"
            );
        }
    }

    #[test]
    fn only_the_platforms_console_administers_unasked() {
        for (slug, first_party, kind, audience, asked) in [
            (
                "platform",
                true,
                ApplicationKind::Web,
                ADMIN_AUDIENCE,
                false,
            ),
            (
                "platform",
                false,
                ApplicationKind::Web,
                ADMIN_AUDIENCE,
                true,
            ),
            ("platform", true, ApplicationKind::Spa, ADMIN_AUDIENCE, true),
            (
                "platform",
                true,
                ApplicationKind::Native,
                ADMIN_AUDIENCE,
                true,
            ),
            ("acme", true, ApplicationKind::Web, ADMIN_AUDIENCE, true),
            ("acme", false, ApplicationKind::Web, ADMIN_AUDIENCE, true),
            ("acme", true, ApplicationKind::Web, "urn:orders", false),
            (
                "acme",
                true,
                ApplicationKind::Web,
                "urn:bailiwick:admin:x",
                false,
            ),
        ] {
            let client = Application {
                first_party,
                kind,
                ..application()
            };
            let target = Target {
                scopes: [].into(),
                audience: Some(audience.parse().unwrap()),
            };
            let slug: Slug = slug.parse().unwrap();
            let wants = wants_admin(&slug, &client, &target);
            assert_eq!(wants, asked, "{slug} {first_party} {kind:?} {audience}");
        }
        let plain = Target {
            scopes: [].into(),
            audience: None,
        };
        let slug: Slug = "acme".parse().unwrap();
        assert!(!wants_admin(&slug, &application(), &plain));
    }
}
