//! The fields of an application's forms: how they are drawn, filled and read.
//!
//! Addresses are typed one per line. Each line is read by itself, so that the page can say which line is
//! wrong and why, and what was typed stays.

use std::collections::BTreeSet;

use contract::{
    application::{Application, ApplicationKind, GrantType, SigningAlgorithm, TokenAuthMethod},
    redirect_uri::RedirectUri,
    scope::{STANDARD_SCOPES, Scope},
};
use leptos::prelude::*;

use crate::{
    form::Form,
    kit::*,
    pages::tenant::lines::{further, numbered},
};

/// The name, and where people meet it.
pub(super) fn name(form: &Form, kind: ApplicationKind) -> AnyView {
    let hint = match kind.signs_people_in() {
        true => "People see it on the sign-in and consent pages.",
        false => "Administrators see it here and in the audit log; nobody signs in to it.",
    };
    Field::text("name", "Name").hint(hint).view(form)
}

/// Reads the name.
pub(super) fn read_name(form: &mut Form) -> String {
    let name = form.text("name").to_owned();
    form.hold("name", contract::text::check_name("name", &name));
    name
}

/// Reads both lists of addresses; somebody who signs in has to be sent somewhere.
pub(super) fn read_addresses(form: &mut Form) -> (Vec<RedirectUri>, Vec<RedirectUri>) {
    if form.lines("redirect_uris").next().is_none() {
        form.refuse("redirect_uris", "Enter at least one redirect URI.");
    }
    let redirects = read_redirects(form, "redirect_uris");
    (redirects, read_redirects(form, "post_logout_redirect_uris"))
}

/// Fills the redirect fields.
pub(super) fn fill_redirects(form: &mut Form, application: &Application) {
    let lines = |uris: &[RedirectUri]| {
        uris.iter()
            .map(RedirectUri::as_str)
            .collect::<Vec<_>>()
            .join("\n")
    };
    form.set("redirect_uris", lines(&application.redirect_uris));
    form.set(
        "post_logout_redirect_uris",
        lines(&application.post_logout_redirect_uris),
    );
}

/// Both lists of addresses.
pub(super) fn redirects(form: &Form, kind: ApplicationKind) -> AnyView {
    let hint = match kind {
        ApplicationKind::Native => {
            "One per line, compared letter by letter: https, http to 127.0.0.1 or [::1] (any port), or your own scheme such as com.example.app:/callback."
        }
        _ => {
            "One per line, compared letter by letter: https, or http to a loopback address while you develop."
        }
    };
    let redirects = Field::area("redirect_uris", "Redirect URIs", 4)
        .mono()
        .wide()
        .hint(hint)
        .view(form);
    let logout = Field::area("post_logout_redirect_uris", "Post-logout redirect URIs", 2)
        .mono()
        .wide()
        .optional()
        .hint("Where a browser may go after signing out. One per line.")
        .view(form);
    view! {
        {redirects}{further(form, "redirect_uris")}
        {logout}{further(form, "post_logout_redirect_uris")}
    }
    .into_any()
}

/// Reads a list of addresses; every line that is none becomes a problem with its number.
fn read_redirects(form: &mut Form, name: &str) -> Vec<RedirectUri> {
    let mut uris = Vec::new();
    for (number, line) in numbered(form, name) {
        match line.parse::<RedirectUri>() {
            Ok(uri) => uris.push(uri),
            Err(invalid) => {
                form.refuse(name, format!("Line {number} ({line}) {}.", invalid.reason))
            }
        }
    }
    uris
}

/// The standard scopes, as boxes.
pub(super) fn scopes(form: &Form) -> AnyView {
    let choices = STANDARD_SCOPES
        .iter()
        .map(|scope| Choice::new(*scope, *scope, meaning(scope)))
        .collect();
    crate::kit::choices(
        form,
        "scopes",
        "Standard scopes it may ask for",
        true,
        choices,
    )
}

fn meaning(scope: &str) -> &'static str {
    match scope {
        "openid" => "Sign people in with OpenID Connect.",
        "profile" => "See a person's name.",
        "email" => "See a person's e-mail address.",
        _ => "Keep access while the person is away (refresh tokens).",
    }
}

/// Reads the ticked scopes.
pub(super) fn read_scopes(form: &mut Form) -> BTreeSet<Scope> {
    let ticked: Vec<String> = form.all("scopes").map(str::to_owned).collect();
    let mut scopes = BTreeSet::new();
    for text in ticked {
        match text.parse::<Scope>() {
            Ok(scope) => scopes.extend([scope]),
            Err(invalid) => form.refuse("scopes", format!("A scope {}.", invalid.reason)),
        }
    }
    scopes
}

/// The signature algorithm.
pub(super) fn algorithm(form: &Form) -> AnyView {
    let choices = vec![
        Choice::new(
            "ES256",
            "ES256",
            "Short signatures, understood by every current library.",
        ),
        Choice::new(
            "RS256",
            "RS256",
            "Only for libraries that know nothing else.",
        ),
    ];
    crate::kit::choices(
        form,
        "signing_algorithm",
        "Signature of its tokens",
        false,
        choices,
    )
}

/// Reads the signature algorithm.
pub(super) fn read_algorithm(form: &mut Form) -> SigningAlgorithm {
    form.read("signing_algorithm").unwrap_or_default()
}

/// What else the protocol lets this kind do: grants and, for programs with a secret, how it is sent.
pub(super) fn protocol(form: &Form, kind: ApplicationKind) -> AnyView {
    let mut grants = Vec::new();
    if kind.signs_people_in() {
        let refresh =
            "Get new tokens without asking the person again; each refresh token works once.";
        grants.push(check(
            form, "grant_types", "refresh_token", "Refresh tokens", refresh,
        ));
    }
    if kind == ApplicationKind::Web {
        let own = "Get tokens for itself, without a person (client_credentials).";
        grants.push(check(
            form, "grant_types", "client_credentials", "Also acts for itself", own,
        ));
    }
    let grants = (!grants.is_empty()).then(|| {
        view! { <fieldset class="fieldset"><legend>"Grants"</legend><div class="choices">{grants}</div></fieldset> }
    });
    let methods = kind.is_confidential().then(|| {
        let choices = vec![
            Choice::new(
                "client_secret_basic",
                "In the Authorization header",
                "client_secret_basic; what most libraries do.",
            ),
            Choice::new(
                "client_secret_post",
                "In the form body",
                "client_secret_post; for libraries that cannot do the other.",
            ),
        ];
        crate::kit::choices(
            form,
            "auth_methods",
            "How it sends its secret",
            true,
            choices,
        )
    });
    view! { {grants}{methods} }.into_any()
}

/// Fills the fields of [`protocol`], and scopes and algorithm.
pub(super) fn fill_protocol(form: &mut Form, application: &Application) {
    form.set("signing_algorithm", application.signing_algorithm.as_str());
    application
        .scopes
        .iter()
        .for_each(|scope| form.set("scopes", scope.as_str()));
    application
        .grant_types
        .iter()
        .for_each(|grant| form.set("grant_types", grant.as_str()));
    application
        .auth_methods
        .iter()
        .for_each(|method| form.set("auth_methods", method.as_str()));
    if application.first_party {
        form.set("first_party", "on");
    }
}

/// Reads the grants: the one that makes the kind what it is, and the ticked ones.
pub(super) fn read_grants(form: &Form, kind: ApplicationKind) -> BTreeSet<GrantType> {
    let own = if kind.signs_people_in() {
        GrantType::AuthorizationCode
    } else {
        GrantType::ClientCredentials
    };
    let ticked = [GrantType::RefreshToken, GrantType::ClientCredentials]
        .into_iter()
        .filter(|grant| form.has("grant_types", grant.as_str()));
    ticked.chain([own]).collect()
}

/// Reads how the secret is sent; programs without a secret have nothing to choose.
pub(super) fn read_methods(
    form: &Form,
    kind: ApplicationKind,
) -> Option<BTreeSet<TokenAuthMethod>> {
    let methods = [
        TokenAuthMethod::ClientSecretBasic,
        TokenAuthMethod::ClientSecretPost,
    ];
    let ticked = methods
        .into_iter()
        .filter(|method| form.has("auth_methods", method.as_str()));
    kind.is_confidential().then(|| ticked.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_line_is_named_by_its_number() {
        let text = "https://shop.example/cb\r\n\r\nhttp://shop.example/cb\r\njavascript:alert(1)";
        let mut form = Form::with([("redirect_uris", text)]);
        let uris = read_redirects(&mut form, "redirect_uris");
        assert_eq!(uris.len(), 1);
        let messages: Vec<&str> = form
            .problems()
            .iter()
            .map(|problem| problem.message.as_str())
            .collect();
        assert_eq!(messages.len(), 2);
        assert!(
            messages[0].starts_with("Line 3 (http://shop.example/cb) must use https"),
            "{messages:?}"
        );
        assert!(
            messages[1].starts_with("Line 4 (javascript:alert(1)) uses a scheme"),
            "{messages:?}"
        );
        assert_eq!(form.raw("redirect_uris"), text);
    }

    #[test]
    fn a_kind_keeps_the_grant_that_makes_it_what_it_is() {
        let form = Form::with([("grant_types", "refresh_token")]);
        let web = read_grants(&form, ApplicationKind::Web);
        assert_eq!(
            web,
            [GrantType::AuthorizationCode, GrantType::RefreshToken].into()
        );
        let machine = read_grants(&Form::default(), ApplicationKind::Machine);
        assert_eq!(machine, [GrantType::ClientCredentials].into());
        assert_eq!(read_methods(&form, ApplicationKind::Spa), None);
    }
}
