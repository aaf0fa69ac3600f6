//! An authorization request: read strictly, and refused in one of two ways.
//!
//! Until client and redirect URI are known to belong together, a refusal is a page, because the address
//! in the request may be an attacker's (RFC 6749 §4.1.2.1, R-AUTHZ-02). After that every refusal goes to
//! the client. [`find_client`] is the first half, [`Authorization::read`] the second; both are pure, so
//! the same rules judge a request again when the person comes back from signing in.

use contract::application::{Application, ApplicationStatus, GrantType};

use super::{
    client::Client,
    error::{ErrorCode, OAuthError},
    fault::Fault,
    params::Params,
    pkce,
    target::Target,
};
use crate::releases::TenantRuntime;

/// Longest `state` and `nonce`, in bytes.
const MAX_ECHO_BYTES: usize = 2000;

/// What `prompt` asks for (OpenID Connect Core 1.0 §3.1.2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Show nothing.
    pub none: bool,
    /// Ask for the password again.
    pub login: bool,
    /// Ask for consent again.
    pub consent: bool,
    /// Let the person choose another account.
    pub select_account: bool,
}

impl Prompt {
    fn read(text: Option<&str>) -> Result<Self, OAuthError> {
        let mut prompt = Self::default();
        for word in text
            .unwrap_or_default()
            .split(' ')
            .filter(|word| !word.is_empty())
        {
            match word {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => prompt.select_account = true,
                _ => return Err(invalid("The prompt parameter has an unknown value.")),
            }
        }
        if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
            return Err(invalid("The prompt none stands alone."));
        }
        Ok(prompt)
    }
}

/// A request that may be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// What is asked for.
    pub target: Target,
    /// The S256 challenge.
    pub code_challenge: String,
    /// Comes back in the ID token.
    pub nonce: Option<String>,
    /// What may be shown.
    pub prompt: Prompt,
    /// Seconds since sign-in after which the person signs in again.
    pub max_age: Option<u32>,
    /// Fills the identifier field; never signs anyone in (R-SESS-08).
    pub login_hint: Option<String>,
    /// Names the person the client expects.
    pub id_token_hint: Option<String>,
}

/// Where and how the answer goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo {
    /// The requested URI, which matched a registered one.
    pub redirect_uri: String,
    /// Comes back unchanged.
    pub state: Option<String>,
}

/// The client of a request and the address its answer goes to.
///
/// # Errors
/// A page: with any of these wrong, nothing may be sent anywhere.
pub fn find_client<'a>(
    params: &Params,
    tenant: &'a TenantRuntime,
) -> Result<(&'a Application, ReturnTo), Fault> {
    let client_id = params.get("client_id").ok_or(Fault::bad_request(
        "The application did not say which one it is. Its operator has to correct the link that led here.",
    ))?;
    let application = tenant.application(client_id).ok_or(Fault::bad_request(
        "This application is not known here. It may have been removed.",
    ))?;
    let back = return_to(params, application)?;
    Ok((application, back))
}

/// The second half of [`find_client`], which needs no tenant.
fn return_to(params: &Params, application: &Application) -> Result<ReturnTo, Fault> {
    if application.status != ApplicationStatus::Active {
        return Err(Fault::bad_request(
            "This application is switched off at the moment.",
        ));
    }
    let refuse = Fault::bad_request(
        "The address to return to is not one that this application has registered.",
    );
    let redirect_uri = params.get("redirect_uri").ok_or(refuse)?;
    if !application
        .redirect_uris
        .iter()
        .any(|registered| registered.matches(redirect_uri))
    {
        return Err(refuse);
    }
    Ok(ReturnTo {
        redirect_uri: redirect_uri.to_owned(),
        state: params
            .get("state")
            .filter(|state| state.len() <= MAX_ECHO_BYTES)
            .map(str::to_owned),
    })
}

impl Authorization {
    /// Reads the rest of the request.
    ///
    /// # Errors
    /// An error that goes to the client by redirect.
    pub fn read(params: &Params, client: &Client<'_>) -> Result<Self, OAuthError> {
        if !params.is_once() {
            return Err(invalid("A parameter occurs more than once."));
        }
        refuse_unsupported(params)?;
        if !client
            .application
            .grant_types
            .contains(&GrantType::AuthorizationCode)
        {
            return Err(OAuthError::new(
                ErrorCode::UnauthorizedClient,
                "This client may not use the authorization code grant.",
            ));
        }
        for echoed in ["state", "nonce"] {
            if params
                .get(echoed)
                .is_some_and(|text| text.len() > MAX_ECHO_BYTES)
            {
                return Err(invalid("The state or nonce parameter is too long."));
            }
        }
        Ok(Self {
            code_challenge: read_challenge(params)?,
            prompt: Prompt::read(params.get("prompt"))?,
            max_age: read_max_age(params)?,
            target: client.target(params.get("scope"), params.resources())?,
            nonce: params.get("nonce").map(str::to_owned),
            login_hint: params.get("login_hint").map(str::to_owned),
            id_token_hint: params.get("id_token_hint").map(str::to_owned),
        })
    }
}

fn refuse_unsupported(params: &Params) -> Result<(), OAuthError> {
    for (name, code) in [
        ("request", ErrorCode::RequestNotSupported),
        ("request_uri", ErrorCode::RequestUriNotSupported),
        ("registration", ErrorCode::RegistrationNotSupported),
    ] {
        if params.get(name).is_some() {
            return Err(OAuthError::new(
                code,
                "This parameter is not supported here.",
            ));
        }
    }
    match params.get("response_type") {
        Some("code") => {}
        None => return Err(invalid("The response_type parameter is missing.")),
        // Implicit and hybrid flows put tokens into URLs (RFC 9700 §2.1.2, R-AUTHZ-04).
        Some(_) => {
            return Err(OAuthError::new(
                ErrorCode::UnsupportedResponseType,
                "The only response type is code.",
            ));
        }
    }
    match params.get("response_mode") {
        None | Some("query") => Ok(()),
        Some(_) => Err(invalid("The only response mode is query.")),
    }
}

fn read_challenge(params: &Params) -> Result<String, OAuthError> {
    let method = params.get("code_challenge_method");
    let challenge = params
        .get("code_challenge")
        .filter(|text| pkce::is_challenge(text));
    match (method, challenge) {
        (Some("S256"), Some(challenge)) => Ok(challenge.to_owned()),
        _ => Err(invalid(
            "A code_challenge with the method S256 is required.",
        )),
    }
}

fn read_max_age(params: &Params) -> Result<Option<u32>, OAuthError> {
    params
        .get("max_age")
        .map(|text| match text.bytes().all(|b| b.is_ascii_digit()) {
            true => text.parse().map_err(|_| ()),
            false => Err(()),
        })
        .transpose()
        .map_err(|()| invalid("The max_age parameter is not a number of seconds."))
}

fn invalid(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, description)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::client::tests::application;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn read(change: &str) -> Result<Authorization, OAuthError> {
        let mut pairs = vec![
            ("response_type", "code"),
            ("scope", "openid"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let changed: Vec<(&str, &str)> = change
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect();
        pairs.retain(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        pairs.extend(changed);
        let query: Vec<_> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let application = application();
        let client = Client {
            application: &application,
            grants: vec![],
        };
        Authorization::read(&Params::parse(&query.join("&")).unwrap(), &client)
    }

    #[test]
    fn refusals_r_authz_04_05_06_r_pkce_01() {
        for (change, expected) in [
            ("response_type=", "invalid_request"),
            ("response_type=token", "unsupported_response_type"),
            ("response_type=id_token", "unsupported_response_type"),
            (
                "response_type=id_token%20token",
                "unsupported_response_type",
            ),
            ("response_type=code%20id_token", "unsupported_response_type"),
            ("response_mode=fragment", "invalid_request"),
            ("response_mode=form_post", "invalid_request"),
            ("request=x", "request_not_supported"),
            ("request_uri=https://x", "request_uri_not_supported"),
            ("registration=%7B%7D", "registration_not_supported"),
            ("scope=openid&scope=email", "invalid_request"),
            ("extra=1&extra=2", "invalid_request"),
            ("scope=openid%20admin", "invalid_scope"),
            ("scope=", "invalid_scope"),
            ("resource=urn:nope", "invalid_target"),
            ("code_challenge=", "invalid_request"),
            ("code_challenge=short", "invalid_request"),
            ("code_challenge_method=plain", "invalid_request"),
            ("code_challenge_method=", "invalid_request"),
            ("code_challenge_method=s256", "invalid_request"),
            ("prompt=none%20login", "invalid_request"),
            ("prompt=create", "invalid_request"),
            ("max_age=-1", "invalid_request"),
            ("max_age=+1", "invalid_request"),
            ("max_age=1.5", "invalid_request"),
            ("max_age=99999999999", "invalid_request"),
        ] {
            assert_eq!(
                read(change).unwrap_err().code.as_str(),
                expected,
                "{change}"
            );
        }
    }

    #[test]
    fn what_is_read_r_authz_05_06_07() {
        let plain = read("extra=foobar&prompt=&max_age=&nonce=").unwrap();
        assert_eq!(plain.prompt, Prompt::default());
        assert_eq!((plain.max_age, plain.nonce), (None, None));
        let full = read("prompt=login%20consent&max_age=0&nonce=n&response_mode=query").unwrap();
        assert!(full.prompt.login && full.prompt.consent && !full.prompt.none);
        assert_eq!((full.max_age, full.nonce.as_deref()), (Some(0), Some("n")));
    }

    #[test]
    fn redirect_uris_compare_as_text_r_authz_01() {
        let application = application();
        let read = |uri: &str| {
            let query: String = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("redirect_uri", uri)
                .finish();
            return_to(&Params::parse(&query).unwrap(), &application).is_ok()
        };
        assert!(read("https://shop.example/cb"));
        for bad in [
            "https://shop.example/cb/",
            "https://shop.example/cb?a=b",
            "https://shop.example/cb#f",
            "https://SHOP.example/cb",
            "https://shop.example/%63b",
            "https://shop.example/x/%2e%2e/cb",
            "https://shop.example@evil.example/cb",
            "https://evil@shop.example/cb",
            "https://shop.example\\@evil.example/cb",
            "https://sub.shop.example/cb",
            "http://shop.example/cb",
            "https://shop.example:443/cb",
            "//shop.example/cb",
            "https://shop.example/cb\r\nX: y",
            "javascript:alert(1)",
            "",
        ] {
            assert!(!read(bad), "{bad}");
        }
    }
}
