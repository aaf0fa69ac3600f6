//! The authorization response: back to the client with a code or an error, always with `iss`.
//!
//! The redirect is a 303, so a browser never repeats a form with a password in it at the client
//! (R-AUTHZ-09). `iss` lets the client notice a mix-up (RFC 9207, R-AUTHZ-03). Parameters are appended
//! to the URI as it was registered, byte for byte; nothing re-parses and thereby changes it.

use url::form_urlencoded::Serializer;

use super::{error::OAuthError, request::ReturnTo};

/// What the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// Success.
    Code(&'a str),
    /// An error.
    Error(OAuthError),
}

/// The full address of the response.
pub fn location(back: &ReturnTo, issuer: &str, outcome: Outcome<'_>) -> String {
    let mut query = Serializer::new(String::new());
    match outcome {
        Outcome::Code(code) => {
            query.append_pair("code", code);
        }
        Outcome::Error(error) => {
            query.append_pair("error", error.code.as_str());
            query.append_pair("error_description", error.description);
        }
    }
    if let Some(state) = &back.state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", issuer);
    with_query(&back.redirect_uri, &query.finish())
}

/// Appends an encoded query to a URI that may have one already.
pub fn with_query(uri: &str, query: &str) -> String {
    let separator = match uri.split_once('?') {
        None => "?",
        Some((_, before)) if before.is_empty() || before.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{uri}{separator}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error::ErrorCode;

    fn back(redirect_uri: &str, state: Option<&str>) -> ReturnTo {
        ReturnTo {
            redirect_uri: redirect_uri.into(),
            state: state.map(Into::into),
        }
    }

    #[test]
    fn responses_carry_state_and_iss_r_authz_02_r_authz_03_r_inj_03() {
        let error = Outcome::Error(OAuthError::new(ErrorCode::InvalidScope, "No."));
        let iss = "iss=https%3A%2F%2Fi.example";
        for (uri, state, outcome, expected) in [
            (
                "https://a.example/cb",
                Some("s"),
                Outcome::Code("c"),
                format!("https://a.example/cb?code=c&state=s&{iss}"),
            ),
            (
                "https://a.example/cb?x=1",
                None,
                Outcome::Code("c"),
                format!("https://a.example/cb?x=1&code=c&{iss}"),
            ),
            (
                "https://a.example/cb?",
                None,
                Outcome::Code("c"),
                format!("https://a.example/cb?code=c&{iss}"),
            ),
            (
                "com.example:/cb",
                Some("a\r\nb"),
                Outcome::Code("c"),
                format!("com.example:/cb?code=c&state=a%0D%0Ab&{iss}"),
            ),
            (
                "https://a.example/cb",
                Some("&error=x"),
                error,
                format!(
                    "https://a.example/cb?error=invalid_scope&error_description=No.&state=%26error%3Dx&{iss}"
                ),
            ),
        ] {
            assert_eq!(
                location(&back(uri, state), "https://i.example", outcome),
                expected
            );
        }
    }
}
