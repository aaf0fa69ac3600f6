//! A client and what it may ask for: scopes, APIs and the audience that follows from them.
//!
//! The rule is the same at the authorization endpoint, for client credentials and at refresh, so it is
//! written once: standard scopes come from the application, API scopes from its client grants, and
//! whatever is not granted is refused rather than silently dropped (R-TOK-08, R-RES-01).

use std::collections::BTreeSet;

use contract::{
    api::{Api, Audience},
    application::Application,
    client_grant::ClientGrant,
    scope::Scope,
};

use super::{
    error::{ErrorCode, OAuthError},
    target::{Target, UNKNOWN_SCOPE, requested},
};
use crate::releases::TenantRuntime;

const UNKNOWN_TARGET: OAuthError = OAuthError::new(
    ErrorCode::InvalidTarget,
    "The resource is unknown or not granted to this client.",
);

/// An application together with the APIs it may call.
#[derive(Debug, Clone)]
pub struct Client<'a> {
    /// The application.
    pub application: &'a Application,
    /// Its grants.
    pub grants: Vec<(&'a Api, &'a ClientGrant)>,
}

impl<'a> Client<'a> {
    /// Collects the client's grants from its tenant's release.
    pub fn of(tenant: &'a TenantRuntime, application: &'a Application) -> Self {
        let grants = tenant
            .client_grants(application.id)
            .filter_map(|grant| Some((tenant.api_by_id(grant.api)?, grant)))
            .collect();
        Self {
            application,
            grants,
        }
    }

    /// What a person may be asked for: `scope` is required unless `resource` names an API, whose granted
    /// scopes are then meant.
    ///
    /// # Errors
    /// `invalid_scope` or `invalid_target`.
    pub fn target(&self, scope: Option<&str>, resources: &[String]) -> Result<Target, OAuthError> {
        let wanted = requested(scope)?;
        if wanted.is_empty() && resources.is_empty() {
            return Err(OAuthError::new(
                ErrorCode::InvalidScope,
                "Ask for at least one scope.",
            ));
        }
        let (standard, of_apis): (BTreeSet<Scope>, BTreeSet<Scope>) =
            wanted.into_iter().partition(Scope::is_standard);
        if !standard.is_subset(&self.application.scopes) {
            return Err(UNKNOWN_SCOPE);
        }
        let named = self.named(resources)?;
        if of_apis.is_empty() && named.is_none() {
            return Ok(Target {
                scopes: standard,
                audience: None,
            });
        }
        let (api, granted) = self.choose(named, &of_apis)?;
        let of_apis = if of_apis.is_empty() && standard.is_empty() {
            granted.scopes.clone()
        } else {
            of_apis
        };
        Ok(Target {
            scopes: standard.into_iter().chain(of_apis).collect(),
            audience: Some(api.audience.clone()),
        })
    }

    /// What the client itself may get with client credentials; all granted scopes if it names none.
    ///
    /// # Errors
    /// `invalid_scope` or `invalid_target`.
    pub fn machine_target(
        &self,
        scope: Option<&str>,
        resources: &[String],
    ) -> Result<Target, OAuthError> {
        let wanted = requested(scope)?;
        if wanted.iter().any(Scope::is_standard) {
            return Err(UNKNOWN_SCOPE);
        }
        let named = self.named(resources)?;
        let (api, granted) = self.choose(named, &wanted)?;
        Ok(Target {
            scopes: if wanted.is_empty() {
                granted.scopes.clone()
            } else {
                wanted
            },
            audience: Some(api.audience.clone()),
        })
    }

    /// The part of an earlier grant that the client may still have; administrators take rights away
    /// between two refreshes (R-TOK-08).
    pub fn still_granted(&self, scopes: &BTreeSet<Scope>, audience: Option<&Audience>) -> Target {
        let of_api = audience.and_then(|audience| {
            self.grants
                .iter()
                .find(|(api, _)| &api.audience == audience)
                .map(|(_, grant)| &grant.scopes)
        });
        let scopes = scopes
            .iter()
            .filter(|scope| {
                if scope.is_standard() {
                    self.application.scopes.contains(scope)
                } else {
                    of_api.is_some_and(|granted| granted.contains(scope))
                }
            })
            .cloned()
            .collect();
        Target {
            scopes,
            // An API that may not be called any more must not find itself in the token either.
            audience: audience.filter(|_| of_api.is_some()).cloned(),
        }
    }

    /// The API that `resource` names. One per token: two audiences in one token let each API use the
    /// token at the other (R-RES-03).
    fn named(
        &self,
        resources: &[String],
    ) -> Result<Option<(&'a Api, &'a ClientGrant)>, OAuthError> {
        match resources {
            [] => Ok(None),
            [one] => self
                .grants
                .iter()
                .find(|(api, _)| api.audience.as_str() == one)
                .map(|found| Some(*found))
                .ok_or(UNKNOWN_TARGET),
            _ => Err(OAuthError::new(
                ErrorCode::InvalidTarget,
                "Ask for one resource at a time.",
            )),
        }
    }

    /// The API that is named, or the only one that has all the scopes.
    fn choose(
        &self,
        named: Option<(&'a Api, &'a ClientGrant)>,
        scopes: &BTreeSet<Scope>,
    ) -> Result<(&'a Api, &'a ClientGrant), OAuthError> {
        if let Some((api, grant)) = named {
            return if scopes.is_subset(&grant.scopes) {
                Ok((api, grant))
            } else {
                Err(UNKNOWN_SCOPE)
            };
        }
        let mut fitting = self
            .grants
            .iter()
            .filter(|(_, grant)| scopes.is_subset(&grant.scopes));
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(*only),
            (None, _) => Err(UNKNOWN_SCOPE),
            _ => Err(OAuthError::new(
                ErrorCode::InvalidTarget,
                "Several APIs fit. Name one with the resource parameter.",
            )),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use contract::{
        api::ApiScope,
        application::{
            ApplicationKind, ApplicationStatus, GrantType, SigningAlgorithm, TokenAuthMethod,
        },
        ids::{ApiId, ApplicationId, ClientGrantId, TypedId},
        scope::join_scopes,
    };
    use uuid::Uuid;

    use super::*;

    pub(crate) fn application() -> Application {
        Application {
            id: ApplicationId::from_uuid(Uuid::from_u128(1)),
            name: "Shop".into(),
            kind: ApplicationKind::Web,
            status: ApplicationStatus::Active,
            redirect_uris: vec!["https://shop.example/cb".parse().unwrap()],
            post_logout_redirect_uris: vec!["https://shop.example/bye".parse().unwrap()],
            grant_types: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
            auth_methods: [TokenAuthMethod::ClientSecretBasic].into(),
            secrets: vec![],
            scopes: ["openid", "email", "offline_access"]
                .map(|s| s.parse().unwrap())
                .into(),
            signing_algorithm: SigningAlgorithm::ES256,
            first_party: false,
        }
    }

    fn api(number: u128, audience: &str, scopes: &[&str]) -> (Api, ClientGrant) {
        let id = ApiId::from_uuid(Uuid::from_u128(number));
        let api = Api {
            id,
            name: "API".into(),
            audience: audience.parse().unwrap(),
            scopes: scopes
                .iter()
                .map(|scope| ApiScope {
                    scope: scope.parse().unwrap(),
                    description: "x".into(),
                })
                .collect(),
        };
        let grant = ClientGrant {
            id: ClientGrantId::from_uuid(Uuid::from_u128(number)),
            application: ApplicationId::from_uuid(Uuid::from_u128(1)),
            api: id,
            scopes: scopes.iter().map(|scope| scope.parse().unwrap()).collect(),
        };
        (api, grant)
    }

    fn apis() -> [(Api, ClientGrant); 2] {
        [
            api(1, "urn:orders", &["orders:read", "shared"]),
            api(2, "urn:mail", &["mail:send", "shared"]),
        ]
    }

    fn answer(result: Result<Target, OAuthError>) -> String {
        match result {
            Ok(target) => {
                let audience = target
                    .audience
                    .map_or("-".to_owned(), |audience| audience.to_string());
                format!("{} → {audience}", join_scopes(&target.scopes))
            }
            Err(error) => error.code.as_str().to_owned(),
        }
    }

    #[test]
    fn only_what_is_granted_r_tok_08_r_res_01() {
        let application = application();
        let apis = apis();
        let client = Client {
            application: &application,
            grants: apis.iter().map(|(api, grant)| (api, grant)).collect(),
        };
        let people: &[(Option<&str>, &[&str], &str)] = &[
            (Some("openid email"), &[], "email openid → -"),
            (Some("openid profile"), &[], "invalid_scope"),
            (Some("openid nope"), &[], "invalid_scope"),
            (Some("openid \u{7f}"), &[], "invalid_scope"),
            (None, &[], "invalid_scope"),
            (None, &["urn:orders"], "orders:read shared → urn:orders"),
            (
                Some("openid orders:read"),
                &[],
                "openid orders:read → urn:orders",
            ),
            (Some("openid orders:read mail:send"), &[], "invalid_scope"),
            (Some("openid shared"), &[], "invalid_target"),
            (
                Some("openid shared"),
                &["urn:mail"],
                "openid shared → urn:mail",
            ),
            (Some("openid mail:send"), &["urn:orders"], "invalid_scope"),
            (Some("openid"), &["urn:nope"], "invalid_target"),
            (
                Some("openid"),
                &["urn:orders", "urn:mail"],
                "invalid_target",
            ),
            (Some("openid"), &["urn:orders"], "openid → urn:orders"),
        ];
        for (scope, resources, expected) in people {
            let resources: Vec<_> = resources.iter().map(ToString::to_string).collect();
            assert_eq!(
                answer(client.target(*scope, &resources)),
                *expected,
                "{scope:?} {resources:?}"
            );
        }
    }

    #[test]
    fn machines_get_all_or_less_r_tok_08_r_res_01() {
        let application = application();
        let apis = apis();
        let client = Client {
            application: &application,
            grants: apis.iter().map(|(api, grant)| (api, grant)).collect(),
        };
        let machines: &[(Option<&str>, &[&str], &str)] = &[
            (Some("orders:read"), &[], "orders:read → urn:orders"),
            (None, &[], "invalid_target"),
            (None, &["urn:mail"], "mail:send shared → urn:mail"),
            (Some("openid"), &["urn:mail"], "invalid_scope"),
            (Some("orders:write"), &[], "invalid_scope"),
        ];
        for (scope, resources, expected) in machines {
            let resources: Vec<_> = resources.iter().map(ToString::to_string).collect();
            assert_eq!(
                answer(client.machine_target(*scope, &resources)),
                *expected,
                "{scope:?}"
            );
        }
        let nothing = Client {
            application: &application,
            grants: vec![],
        };
        assert_eq!(answer(nothing.machine_target(None, &[])), "invalid_scope");
    }

    #[test]
    fn rights_taken_away_are_gone_at_refresh_r_tok_08() {
        let application = application();
        let (orders, mut grant) = api(1, "urn:orders", &["orders:read", "orders:write"]);
        grant.scopes.remove(&"orders:write".parse().unwrap());
        let client = Client {
            application: &application,
            grants: vec![(&orders, &grant)],
        };
        let before = requested(Some("openid profile orders:read orders:write")).unwrap();
        let left = client.still_granted(&before, Some(&orders.audience));
        assert_eq!(join_scopes(&left.scopes), "openid orders:read");
        assert_eq!(left.audience.as_ref(), Some(&orders.audience));
        let none = client.still_granted(&before, None);
        assert_eq!(join_scopes(&none.scopes), "openid");
        let gone: Audience = "urn:gone".parse().unwrap();
        let left = client.still_granted(&before, Some(&gone));
        assert_eq!(
            (join_scopes(&left.scopes).as_str(), left.audience),
            ("openid", None)
        );
    }
}
