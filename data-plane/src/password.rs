//! Whether a password is acceptable: long enough, not known to attackers, not made of the context.
//!
//! Only the *whole* password is compared (R-PWD-03): a phrase that merely contains a listed word is
//! fine. Nothing is asked of its composition (R-PWD-02), and nothing leaves the process. Normalization is
//! NFKC and nothing else: spaces and letter case stay (SP 800-63B-4 §3.1.1.2, R-PWD-01).

mod common;

use std::fmt;

use contract::policies::{MAX_PASSWORD_CHARS, PasswordPolicy};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Why a password is refused, as a sentence for the person who chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordFault {
    /// Fewer code points than the policy asks for.
    TooShort {
        /// The policy's minimum.
        min: u32,
    },
    /// More than 256 code points.
    TooLong,
    /// On the list of breached and common passwords, or one of their usual variations.
    Common,
    /// Made of the tenant's name or the person's own data.
    Context,
}

impl fmt::Display for PasswordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { min } => {
                write!(f, "Use at least {min} characters. A few words are easy to remember.")
            }
            Self::TooLong => write!(f, "Use at most {MAX_PASSWORD_CHARS} characters."),
            Self::Common => f.write_str(
                "This password is on lists of common and breached passwords. Choose another one.",
            ),
            Self::Context => f.write_str(
                "This password is made of your name, your address or the name of this service. Choose another one.",
            ),
        }
    }
}

/// What an attacker who knows the person and the service would try first.
#[derive(Debug, Clone, Default)]
pub struct PasswordContext {
    words: Vec<String>,
}

impl PasswordContext {
    /// Takes names, slugs and addresses apart into the words that people build passwords from.
    pub fn new<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut words: Vec<String> = values
            .into_iter()
            .flat_map(|value| {
                let parts = value.split(|c: char| !c.is_alphanumeric());
                let letters = parts.chain([value]).map(common::letters);
                // The value as a whole too: an address is a password people do choose.
                letters.chain([common::characters(value)])
            })
            // Shorter pieces would refuse half the dictionary; top-level domains say nothing.
            .filter(|word| word.chars().count() >= 3 && !["com", "net", "org"].contains(&word.as_str()))
            .collect();
        words.sort();
        words.dedup();
        Self { words }
    }
}

/// The form in which a password is counted and hashed.
pub fn normalize(password: &str) -> Zeroizing<String> {
    Zeroizing::new(password.nfkc().collect())
}

/// Checks a normalized password; an empty answer means it is good.
pub fn faults(
    normalized: &str,
    policy: &PasswordPolicy,
    context: &PasswordContext,
) -> Vec<PasswordFault> {
    let length = normalized.chars().count();
    if length > MAX_PASSWORD_CHARS {
        // Nothing else is looked at: the input is unbounded.
        return vec![PasswordFault::TooLong];
    }
    let mut faults = Vec::new();
    if length < policy.min_length as usize {
        faults.push(PasswordFault::TooShort {
            min: policy.min_length,
        });
    }
    if policy.refuse_context && common::is_made_of(normalized, &context.words) {
        faults.push(PasswordFault::Context);
    } else if policy.refuse_common && common::is_common(normalized) {
        faults.push(PasswordFault::Common);
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str) -> Vec<PasswordFault> {
        let context = PasswordContext::new([
            "Acme Orders",
            "acme-orders",
            "ada.lovelace@mail.example.com",
            "Ada Lovelace",
        ]);
        faults(&normalize(password), &PasswordPolicy::default(), &context)
    }

    #[test]
    fn length_counts_code_points_after_nfkc_r_pwd_01() {
        let short = vec![PasswordFault::TooShort { min: 15 }];
        // (password, expected faults)
        let table = [
            ("x7 kq wv zt pm", short.clone()),
            ("x7 kq wv zt pm9", vec![]),
            // Fifteen emoji are fifteen characters, whatever their bytes.
            ("🦉🐝🌵🎈🚲🧀🪁🎻🌋🦔🍄🛶🔭🧩🪴", vec![]),
            // Composed and decomposed é count the same: one.
            ("caf\u{e9} kq wv ztp", short.clone()),
            ("cafe\u{301} kq wv ztp", short),
            ("cafe\u{301} kq wv ztpm", vec![]),
        ];
        for (password, expected) in table {
            assert_eq!(check(password), expected, "{password}");
        }
        let long = |n: usize| "x7 kq wv zt pm 9".repeat(20)[..n].to_owned();
        assert_eq!(check(&long(256)), vec![]);
        assert_eq!(check(&long(257)), vec![PasswordFault::TooLong]);
        assert_eq!(*normalize("cafe\u{301}  A "), "caf\u{e9}  A ");
    }

    #[test]
    fn nothing_is_asked_of_composition_r_pwd_02() {
        for good in [
            "correct horse ba",
            "just some lower case words",
            "a b c d e f g h i",
            "zwölf Boxkämpfer jagen",
        ] {
            assert_eq!(check(good), vec![], "{good}");
        }
    }

    #[test]
    fn common_passwords_and_their_variations_are_refused_r_pwd_03() {
        for listed in [
            "passwordpassword",
            "Password1234567",
            "P@ssw0rdP@ssw0rd",
            "password password",
            "123456789012345",
            "987654321098765",
            "qwertyuiopasdfgh",
            "1qaz2wsx3edc4rfv",
            "1q2w3e4r5t6y7u8i",
            "aaaaaaaaaaaaaaaa",
            "abcabcabcabcabca",
            "!!!!!!!!!!!!!!!!",
            "qwertyuiop12345",
            "Summer2024Winter",
            "iloveyouforever",
            "correcthorsebatterystaple",
            "administrator2026!",
            "abcdefghijklmnop",
            "letmeinletmein99",
            "19901991199219931994",
        ] {
            assert_eq!(check(listed), vec![PasswordFault::Common], "{listed}");
        }
    }

    #[test]
    fn phrases_that_contain_a_listed_word_are_accepted_r_pwd_03() {
        for good in [
            "my password is a secret garden",
            "dragons never qwerty alone",
            "monkey business on the hill",
            "acme makes the worst anvils",
            "lovelace wrote the first loop",
            "839264017352918",
        ] {
            assert_eq!(check(good), vec![], "{good}");
        }
    }

    #[test]
    fn the_context_is_refused_with_its_reason_r_pwd_03() {
        for derived in [
            "acmeordersacmeorders",
            "Acme-Orders-2026",
            "ada.lovelace1234",
            "AdaLovelace2026!",
            "ada.lovelace@mail.example.com",
            "lovelaceada9999",
            "AcmePassword2026",
            "4cm30rd3r5-2026",
        ] {
            assert_eq!(check(derived), vec![PasswordFault::Context], "{derived}");
        }
    }
}
