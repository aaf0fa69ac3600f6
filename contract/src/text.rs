//! Short human text: names, titles, reasons.
//!
//! Control characters (CR, LF, NUL, bidirectional overrides) are refused here, once, so that no later
//! header, mail, log line or page has to defend itself against them (R-INJ-03).

use unicode_normalization::UnicodeNormalization;

use crate::Invalid;

/// Longest accepted name, in code points.
pub const MAX_NAME_CHARS: usize = 100;

/// Checks a display name: 1–100 code points, no leading or trailing space, nothing unprintable.
pub fn check_name(what: &'static str, text: &str) -> Result<(), Invalid> {
    check_line(what, text, MAX_NAME_CHARS)
}

/// Checks one line of text of at most `max` code points, by the rules of [`check_name`].
pub fn check_line(what: &'static str, text: &str, max: usize) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(Invalid::new(what, "must not be empty"));
    }
    if text.chars().count() > max {
        return Err(Invalid::new(
            what,
            format!("must have at most {max} characters"),
        ));
    }
    if text.trim() != text {
        return Err(Invalid::new(what, "must not begin or end with a space"));
    }
    if text.chars().any(is_unprintable) {
        return Err(Invalid::new(
            what,
            "must not contain control or text-direction characters",
        ));
    }
    Ok(())
}

/// Checks an e-mail address for shape only; whether it can be reached is proven by mail.
pub fn check_email(what: &'static str, text: &str) -> Result<(), Invalid> {
    let refuse = || {
        Err(Invalid::new(
            what,
            "must be an e-mail address such as name@example.com",
        ))
    };
    let Some((local, domain)) = text.rsplit_once('@') else {
        return refuse();
    };
    let domain_ok = domain.contains('.')
        && domain.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    let local_ok = !local.is_empty()
        && local.len() <= 64
        && !local.contains('@')
        && !local
            .chars()
            .any(|c| c.is_whitespace() || is_unprintable(c) || "<>,;:\\\"()[]".contains(c));
    if text.len() > 254 || !domain_ok || !local_ok {
        return refuse();
    }
    Ok(())
}

/// The form in which both planes keep and compare addresses: NFKC, lower case. One rule for both, or an
/// address that one of them takes for another person's could be taken away from its owner by the other.
pub fn normalize_email(email: &str) -> String {
    // Lower case can undo composition, so it is composed again: what is normal stays as it is.
    let lower: String = email.trim().nfkc().flat_map(char::to_lowercase).collect();
    lower.nfkc().collect()
}

fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["Acme", "Zoë & Söhne GmbH", "日本語", &"n".repeat(100)] {
            assert!(check_name("name", good).is_ok(), "{good}");
        }
        for bad in [
            "",
            " x",
            "x ",
            "a\nb",
            "a\0b",
            "a\u{202e}b",
            &"n".repeat(101),
        ] {
            assert!(check_name("name", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_has_one_form() {
        for (typed, normal) in [
            (" Ada@Example.COM ", "ada@example.com"),
            ("owner@\u{ff56}endor.example", "owner@vendor.example"),
            ("\u{212a}im@b.co", "kim@b.co"),
            ("o\u{308}@b.co", "\u{f6}@b.co"),
            ("\u{130}x@b.co", "i\u{307}x@b.co"),
        ] {
            assert_eq!(normalize_email(typed), normal, "{typed}");
            assert_eq!(normalize_email(normal), normal, "{typed}");
        }
    }

    #[test]
    fn emails() {
        for good in ["a@b.co", "first.last+tag@mail.example.org", "ü@exämple.de"] {
            assert!(check_email("email", good).is_ok(), "{good}");
        }
        for bad in [
            "", "a", "a@b", "@b.co", "a@", "a@b..co", "a b@c.de", "a@c.de\r\nBcc: x@y.z",
            "<a@b.co>", "a@-b.co", "a@@b.co",
        ] {
            assert!(check_email("email", bad).is_err(), "{bad:?}");
        }
    }
}
