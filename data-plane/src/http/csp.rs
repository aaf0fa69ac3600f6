//! The content security policy of hosted pages.
//!
//! Pages have no script and no inline style, so nothing has to be allowed but our own files; there is no
//! nonce because there is nothing to bless with one (R-HDR-02). `form-action` is per request: Chromium
//! applies it to the whole redirect chain of a form post, so a page whose post ends in a redirect to a
//! client must name that client's origin, and no other (console.md 5.1).

use contract::redirect_uri::RedirectUri;

/// The policy for a page whose form posts may end at `redirect_uri`.
///
/// Private-use schemes are not listed: those flows end in a page of our own (see `redirect`).
pub fn policy(redirect_uri: Option<&str>) -> String {
    let target = redirect_uri
        .filter(|uri| uri.starts_with("http://") || uri.starts_with("https://"))
        .and_then(RedirectUri::csp_source)
        // An origin never contains these; a policy must not be cut in two by something that does.
        .filter(|origin| !origin.contains([';', ',', ' ', '\'', '"']));
    let mut form_action = String::from("'self'");
    if let Some(origin) = target {
        form_action.push(' ');
        form_action.push_str(&origin);
    }
    format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; object-src 'none'; \
         base-uri 'none'; frame-ancestors 'none'; form-action {form_action}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_action_names_self_and_the_one_origin_r_hdr_02() {
        for (redirect_uri, form_action) in [
            (None, "'self'"),
            (
                Some("https://shop.example/cb?x=1"),
                "'self' https://shop.example",
            ),
            (
                Some("http://127.0.0.1:5000/cb"),
                "'self' http://127.0.0.1:5000",
            ),
            (Some("http://[::1]:5000/cb"), "'self' http://[::1]:5000"),
            (Some("com.example.app:/cb"), "'self'"),
            (Some("not a uri"), "'self'"),
        ] {
            let policy = policy(redirect_uri);
            assert!(
                policy.ends_with(&format!("form-action {form_action}")),
                "{policy}"
            );
            assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        }
    }
}
