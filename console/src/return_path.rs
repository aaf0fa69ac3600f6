//! Where to go back to after signing in: only ever a path of this console (R-AUTHZ-10).
//!
//! A return address that an outsider chooses is an open redirect: a link that starts at our name and ends
//! at theirs. So a path is accepted only if a browser cannot read it as anything but a path of this
//! origin. It must never be relaxed to "starts with our URL": `https://console.example.evil.test` does.

/// The start page, for whoever comes without a valid return path.
pub const START: &str = "/";

const LONGEST: usize = 1_500;

/// `path` if it is a plain path of this origin, otherwise [`START`].
pub fn checked(path: &str) -> &str {
    if is_own_path(path) { path } else { START }
}

fn is_own_path(path: &str) -> bool {
    let mut bytes = path.bytes();
    let rooted = bytes.next() == Some(b'/');
    // `//host` names another host, and browsers read `\` as `/`.
    let second_ok = !matches!(bytes.next(), Some(b'/' | b'\\'));
    let printable = path
        .bytes()
        .all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'\\');
    // Going back to the sign-in itself would go round in circles.
    let elsewhere = !["/login", "/logout", "/setup", "/cmd/"]
        .iter()
        .any(|own| path.starts_with(own));
    path.len() <= LONGEST && rooted && second_ok && printable && elsewhere
}

/// `/login?return=…` for a person who must sign in to see `path`.
pub fn login_for(path: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("return", checked(path));
    format!("/login?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_origin_are_accepted() {
        for good in [
            "/",
            "/p/tenants",
            "/t/acme/production/apps?after=x&q=a%20b",
            "/me#theme",
        ] {
            assert_eq!(checked(good), good);
        }
        for bad in [
            "",
            "p/tenants",
            "//evil.test",
            "//evil.test/p",
            "/\\evil.test",
            "\\\\evil.test",
            "/p\\..\\x",
            "https://evil.test/",
            "https:/evil.test",
            "javascript:alert(1)",
            "/p\r\nSet-Cookie: a=b",
            "/p\tx",
            "/p x",
            "/p\u{2028}",
            "/\u{ff0f}evil.test",
            "/login?return=/p",
            "/login/callback?code=x",
            "/logout",
            "/setup?token=x",
            "/cmd/me/preferences",
            &format!("/{}", "a".repeat(LONGEST)),
        ] {
            assert_eq!(checked(bad), START, "{bad:?}");
        }
    }

    #[test]
    fn the_login_address_carries_the_path_encoded() {
        assert_eq!(
            login_for("/p/tenants?q=a&b"),
            "/login?return=%2Fp%2Ftenants%3Fq%3Da%26b"
        );
        assert_eq!(login_for("//evil.test"), "/login?return=%2F");
    }
}
