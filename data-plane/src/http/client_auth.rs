//! How a client proves itself at the token endpoint: one method per request, and a registered one.
//!
//! Basic credentials are form-encoded before they are base64-encoded (RFC 6749 §2.3.1), which matters
//! as soon as an id or secret contains `%`, `+` or `:`. Credentials in the query are not even read.
//! Every failure is the same `invalid_client`, so nothing tells an unknown client from a wrong secret.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use contract::application::{Application, ApplicationStatus, TokenAuthMethod};
use url::form_urlencoded;

use super::{
    error::{ErrorCode, OAuthError},
    params::Params,
};

const REFUSED: OAuthError = OAuthError::new(
    ErrorCode::InvalidClient,
    "The client is unknown, or did not prove itself by its registered method.",
);

/// What a request presents. Not `Debug`: it holds a secret.
pub struct Presented {
    /// Which client.
    pub client_id: String,
    method: TokenAuthMethod,
    secret: Option<String>,
}

impl Presented {
    /// Reads credentials from header and form.
    ///
    /// # Errors
    /// `invalid_request` for more than one method, `invalid_client` for none or an unreadable one.
    pub fn read(headers: &HeaderMap, params: &Params) -> Result<Self, OAuthError> {
        let mut authorizations = headers.get_all(AUTHORIZATION);
        let body_id = params.get("client_id");
        let body_secret = params.get("client_secret");
        if params.get("client_assertion").is_some() || params.get("client_assertion_type").is_some()
        {
            return Err(REFUSED);
        }
        let Some(header) = authorizations.next() else {
            let client_id = body_id.ok_or(REFUSED)?.to_owned();
            return Ok(match body_secret {
                Some(secret) => Self {
                    client_id,
                    method: TokenAuthMethod::ClientSecretPost,
                    secret: Some(secret.to_owned()),
                },
                None => Self {
                    client_id,
                    method: TokenAuthMethod::None,
                    secret: None,
                },
            });
        };
        if authorizations.next().is_some() || body_secret.is_some() {
            return Err(OAuthError::new(
                ErrorCode::InvalidRequest,
                "Use one client authentication method per request.",
            ));
        }
        let (client_id, secret) = header.to_str().ok().and_then(basic).ok_or(REFUSED)?;
        if body_id.is_some_and(|other| other != client_id) {
            return Err(OAuthError::new(
                ErrorCode::InvalidRequest,
                "The client_id parameter names another client than the Authorization header.",
            ));
        }
        Ok(Self {
            client_id,
            method: TokenAuthMethod::ClientSecretBasic,
            secret: Some(secret),
        })
    }

    /// Checks the credentials against the client they name.
    ///
    /// # Errors
    /// `invalid_client`.
    pub fn prove<'a>(
        &self,
        application: Option<&'a Application>,
        now: DateTime<Utc>,
    ) -> Result<&'a Application, OAuthError> {
        let application = application
            .filter(|application| application.status == ApplicationStatus::Active)
            .filter(|application| application.auth_methods.contains(&self.method))
            .ok_or(REFUSED)?;
        let proven = match &self.secret {
            // `fold` and not `any`: which of two secrets matched must not show in the time it takes.
            Some(secret) => application
                .secrets
                .iter()
                .fold(false, |found, stored| stored.accepts(secret, now) | found),
            None => self.method == TokenAuthMethod::None,
        };
        if proven {
            Ok(application)
        } else {
            Err(REFUSED)
        }
    }
}

/// Client id and secret of a Basic header.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (client_id, secret) = decoded.split_once(':')?;
    let (client_id, secret) = (form_decode(client_id), form_decode(secret));
    (!client_id.is_empty() && !secret.is_empty()).then_some((client_id, secret))
}

/// Undoes `application/x-www-form-urlencoded` for one value.
fn form_decode(text: &str) -> String {
    // A literal `&` or `=` in an unencoded secret must not split it.
    let single = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(single.as_bytes())
        .next()
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use chrono::TimeZone;
    use contract::{
        ids::{CredentialId, TypedId},
        secret::SecretHash,
    };
    use uuid::Uuid;

    use super::*;
    use crate::http::client::tests::application;

    fn basic_header(id: &str, secret: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
    }

    fn answer(application: &Application, header: Option<&str>, body: &str) -> String {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        }
        let now = Utc.timestamp_opt(1_000, 0).unwrap();
        let result =
            Presented::read(&headers, &Params::parse(body).unwrap()).and_then(|presented| {
                let found =
                    Some(application).filter(|found| found.id.to_string() == presented.client_id);
                presented.prove(found, now).map(|_| ())
            });
        result.map_or_else(|error| error.code.as_str().to_owned(), |()| "ok".to_owned())
    }

    #[test]
    fn one_registered_method_r_cauth_01_r_cauth_04() {
        let id = |number| CredentialId::from_uuid(Uuid::from_u128(number));
        let ended = Utc.timestamp_opt(999, 0).unwrap();
        let mut web = application();
        web.secrets = vec![
            SecretHash::of(id(1), "s3cret", None),
            SecretHash::of(id(2), "old", Some(ended)),
        ];
        let client = web.id.to_string();
        let good = basic_header(&client, "s3cret");
        let (id, post) = (
            format!("client_id={client}"),
            format!("client_id={client}&client_secret=s3cret"),
        );
        let wrong = |id: &str, secret: &str| Some(basic_header(id, secret));
        #[rustfmt::skip]
        let table = [
            (Some(good.clone()), "", "ok"),
            (Some(good.replace("Basic", "bAsIc")), "", "ok"),
            (Some(good.clone()), id.as_str(), "ok"),
            (Some(basic_header(&client, "s3cre%74")), "", "ok"),
            (Some(good.clone()), "client_id=other", "invalid_request"),
            (Some(good.clone()), post.as_str(), "invalid_request"),
            (wrong(&client, "old"), "", "invalid_client"),
            (wrong(&client, "wrong"), "", "invalid_client"),
            (wrong(&client, ""), "", "invalid_client"),
            (wrong("app_unknown", "s3cret"), "", "invalid_client"),
            (Some("Basic !!!".into()), "", "invalid_client"),
            (Some("Basic".into()), "", "invalid_client"),
            (Some("Bearer x".into()), id.as_str(), "invalid_client"),
            (None, post.as_str(), "invalid_client"),
            (None, id.as_str(), "invalid_client"),
            (None, "client_assertion=x", "invalid_client"),
            (None, "", "invalid_client"),
        ];
        for (header, body, expected) in table {
            assert_eq!(answer(&web, header.as_deref(), body), expected, "{body}");
        }
        others(web, &id, &post, &good);
    }

    /// The same application registered with the other methods.
    fn others(mut web: Application, id: &str, post: &str, good: &str) {
        web.auth_methods = [TokenAuthMethod::ClientSecretPost].into();
        assert_eq!(answer(&web, None, post), "ok");
        assert_eq!(answer(&web, Some(good), ""), "invalid_client");
        web.auth_methods = [TokenAuthMethod::None].into();
        assert_eq!(answer(&web, None, id), "ok");
        assert_eq!(answer(&web, Some(good), ""), "invalid_client");
        web.status = ApplicationStatus::Disabled;
        assert_eq!(answer(&web, None, id), "invalid_client");
    }

    #[test]
    fn basic_values_are_form_encoded_rfc_6749_2_3_1() {
        for (sent, expected) in [
            ("a%3Ab", "a:b"),
            ("a+b", "a b"),
            ("a&b=c", "a&b=c"),
            ("%2B", "+"),
        ] {
            assert_eq!(form_decode(sent), expected);
        }
    }
}
