//! A string that must not be seen.
//!
//! Passwords of stores, SMTP and clients pass through configuration and error paths, where a derived
//! `Debug` would print them (R-SEC-03). This type prints `***`, is wiped when dropped and compares in
//! constant time. It must never implement `Display`, `Serialize` or `Deref`: the way out is `expose`.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A secret text, wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself: for the call that needs it, never for a log line or an answer.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl PartialEq for Secret {
    /// Takes the same time wherever the first difference is; the length is not hidden.
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_bytes(), other.0.as_bytes())
            .is_ok()
    }
}

impl Eq for Secret {}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_it_even_inside_other_types() {
        let shown = format!(
            "{:?} {:#?}",
            Some(Secret::new("hunter2")),
            Secret::new("hunter2")
        );
        assert_eq!(shown, "Some(***) ***");
    }

    #[test]
    fn equality_is_by_content() {
        for (a, b, equal) in [
            ("x", "x", true),
            ("x", "y", false),
            ("x", "xy", false),
            ("", "", true),
        ] {
            assert_eq!(Secret::new(a) == Secret::new(b), equal, "{a:?} and {b:?}");
        }
    }

    #[test]
    fn configuration_can_hold_one() {
        let secret: Secret = serde_json::from_str("\"hunter2\"").unwrap();
        assert_eq!(secret.expose(), "hunter2");
    }
}
