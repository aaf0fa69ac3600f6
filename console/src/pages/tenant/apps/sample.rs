//! What to type into a program so that it works with an application: copied, not explained.

use contract::{application::Application, scope::join_scopes};
use leptos::prelude::*;

use crate::kit::*;

/// Environment variables for a library that knows OpenID Connect, or a call for a machine.
pub(super) fn config(application: &Application, issuer: &str) -> String {
    let id = application.id;
    if !application.kind.signs_people_in() {
        return format!(
            "ISSUER={issuer}\nCLIENT_ID={id}\nCLIENT_SECRET=<the secret>\nSCOPE=<scopes of the API, separated by spaces>\n\
             RESOURCE=<audience of the API>\n\n# The token endpoint is named in $ISSUER/.well-known/openid-configuration\n\
             curl -u \"$CLIENT_ID:$CLIENT_SECRET\" -d grant_type=client_credentials -d \"scope=$SCOPE\" -d \"resource=$RESOURCE\" $TOKEN_ENDPOINT"
        );
    }
    let secret = if application.kind.is_confidential() {
        "\nOIDC_CLIENT_SECRET=<the secret>"
    } else {
        ""
    };
    let redirect = application
        .redirect_uris
        .first()
        .map_or("", |uri| uri.as_str());
    let scopes = join_scopes(&application.scopes);
    format!(
        "OIDC_ISSUER={issuer}\nOIDC_CLIENT_ID={id}{secret}\nOIDC_REDIRECT_URI={redirect}\nOIDC_SCOPE=\"{scopes}\"\n\
         # code flow with PKCE (S256)"
    )
}

/// The card that says how a program connects.
pub(super) fn card(application: &Application, issuer: &str) -> AnyView {
    let discovery = format!("{issuer}/.well-known/openid-configuration");
    let text = discovery.clone();
    let facts = vec![
        kv("Client ID", id(application.id)),
        kv("Issuer", view! { <code>{issuer.to_owned()}</code> }),
        kv("Discovery", view! { <a href=discovery>{text}</a> }),
    ];
    let config = config(application, issuer);
    view! {
        <Card title="Connect your program" padded=true>
            <KeyValue facts=facts stacked=true />
            <Code caption="Configuration" text=config />
        </Card>
    }
    .into_any()
}
