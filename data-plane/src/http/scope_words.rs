//! Scopes as people read them: on the consent page, and on the page that lists what they allowed.
//!
//! Nothing raw from a request is shown: words come from the catalogue below or from the API's own
//! description (R-CONS-01). The only name given by letter is an API's audience, which is what it is.

use contract::{
    api::{Api, Audience},
    scope::Scope,
};

use super::{pages::ScopeLine, target::Target};

/// Standard scopes with icon, words and detail; the most personal first.
const STANDARD: [(&str, &str, &str, &str); 4] = [
    (
        "openid",
        "fingerprint",
        "Know that it is you",
        "A number that stands for you here",
    ),
    (
        "profile",
        "user",
        "See your name",
        "As it is in your account, and when your account last changed",
    ),
    (
        "email",
        "mail",
        "See your e-mail address",
        "And whether it is confirmed",
    ),
    (
        "offline_access",
        "clock",
        "Keep this access while you are away",
        "With tokens that are renewed without asking you again",
    ),
];

/// One line per scope, and one for the API. `api` is the target's, if it still exists.
pub fn lines(target: &Target, api: Option<&Api>) -> Vec<ScopeLine> {
    let standard = STANDARD
        .into_iter()
        .filter(|(name, ..)| super::claims::has(&target.scopes, name))
        .map(|(_, icon, words, detail)| ScopeLine {
            icon,
            words: words.into(),
            detail: detail.into(),
        });
    let at_api = target
        .audience
        .as_ref()
        .map(|audience| of_api(target, audience, api));
    standard.chain(at_api.into_iter().flatten()).collect()
}

fn of_api(target: &Target, audience: &Audience, api: Option<&Api>) -> Vec<ScopeLine> {
    let name = api.map_or("an API that was removed", |api| api.name.as_str());
    let call = ScopeLine {
        icon: "link",
        words: format!("Call {name} for you"),
        detail: audience.to_string(),
    };
    let described = |scope: &Scope| {
        let words = api?.scope(scope)?.description.clone();
        Some(ScopeLine {
            icon: "key",
            words,
            detail: format!("In {name}"),
        })
    };
    let scopes = target.scopes.iter().filter_map(described);
    std::iter::once(call).chain(scopes).collect()
}

#[cfg(test)]
mod tests {
    use contract::{
        api::ApiScope,
        ids::{ApiId, TypedId},
        scope::parse_scopes,
    };
    use uuid::Uuid;

    use super::*;

    #[test]
    fn scopes_and_their_api_have_words_r_cons_01() {
        let api = Api {
            id: ApiId::from_uuid(Uuid::from_u128(1)),
            name: "Orders".into(),
            audience: "urn:orders".parse().unwrap(),
            scopes: vec![ApiScope {
                scope: "read".parse().unwrap(),
                description: "See your orders".into(),
            }],
        };
        let target = |scopes, audience: Option<&str>| Target {
            scopes: parse_scopes(scopes).unwrap(),
            audience: audience.map(|audience| audience.parse().unwrap()),
        };
        let words = |target: &Target, api| -> Vec<String> {
            let lines = lines(target, api).into_iter();
            lines
                .map(|line| format!("{} ({})", line.words, line.detail))
                .collect()
        };
        let call = "Call Orders for you (urn:orders)";
        let read = "See your orders (In Orders)";
        let here = target("openid read", Some("urn:orders"));
        let id = "Know that it is you (A number that stands for you here)";
        assert_eq!(words(&here, Some(&api)), [id, call, read]);
        assert_eq!(words(&target("", Some("urn:orders")), Some(&api)), [call]);
        let gone = "Call an API that was removed for you (urn:orders)";
        assert_eq!(words(&target("read", Some("urn:orders")), None), [gone]);
        assert!(words(&target("read", None), Some(&api)).is_empty());
    }
}
