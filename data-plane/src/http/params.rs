//! Request parameters as OAuth means them: each at most once, empty is absent, unknown is ignored.
//!
//! RFC 6749 §3.1 and §3.2 give three rules that every endpoint needs, so they live here once
//! (R-AUTHZ-05). A repeated parameter has no value at all in [`Params::get`]: whoever forgets to refuse
//! the request still cannot be made to read one of two contradicting values.
//!
//! `resource` is the one parameter that may repeat by its own specification (RFC 8707 §2).
//! This module never decides what an error looks like: endpoints differ in that.

use std::collections::{BTreeMap, BTreeSet};

use url::form_urlencoded;

/// Most parameters one request may have (R-INJ-05).
pub const MAX_PARAMS: usize = 100;

/// Why a list of parameters is refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// More than [`MAX_PARAMS`].
    #[error("the request has too many parameters")]
    TooMany,
    /// A name or value is not UTF-8, or holds a NUL.
    #[error("a parameter is not well-formed text")]
    Malformed,
}

/// Parsed parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    values: BTreeMap<String, String>,
    repeated: BTreeSet<String>,
    resources: Vec<String>,
}

impl Params {
    /// Reads a query string or a form body (`application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// Too many parameters, or text that is not UTF-8. Repetition is reported by [`Params::is_once`].
    pub fn parse(encoded: &str) -> Result<Self, ParamsError> {
        let mut params = Self::default();
        let mut seen = BTreeSet::new();
        for (position, (name, value)) in form_urlencoded::parse(encoded.as_bytes()).enumerate() {
            if position >= MAX_PARAMS {
                return Err(ParamsError::TooMany);
            }
            // The decoder replaces what is not UTF-8; a replaced value must not be compared with anything.
            if [&name, &value]
                .iter()
                .any(|text| text.contains(['\u{fffd}', '\0']))
            {
                return Err(ParamsError::Malformed);
            }
            if name == "resource" {
                if !value.is_empty() {
                    params.resources.push(value.into_owned());
                }
                continue;
            }
            if !seen.insert(name.to_string()) {
                params.values.remove(name.as_ref());
                params.repeated.insert(name.into_owned());
            } else if !value.is_empty() {
                params.values.insert(name.into_owned(), value.into_owned());
            }
        }
        Ok(params)
    }

    /// The parameter's value; `None` if it is absent, empty or repeated.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Whether every parameter (but `resource`) occurs at most once.
    pub fn is_once(&self) -> bool {
        self.repeated.is_empty()
    }

    /// Whether this parameter occurs more than once.
    pub fn is_repeated(&self, name: &str) -> bool {
        self.repeated.contains(name)
    }

    /// Everything that was read, repetitions included, for passing a request on to ourselves.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let once = self
            .values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let resources = self
            .resources
            .iter()
            .map(|value| ("resource", value.as_str()));
        // A repeated parameter has no value any more; two empty ones keep it refused.
        let repeated = self
            .repeated
            .iter()
            .flat_map(|name| [(name.as_str(), ""); 2]);
        once.chain(resources).chain(repeated)
    }

    /// The `resource` parameters (RFC 8707), without empty ones.
    pub fn resources(&self) -> &[String] {
        &self.resources
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn once_empty_and_unknown_r_authz_05() {
        for (query, name, value, once) in [
            ("scope=openid", "scope", Some("openid"), true),
            ("scope=", "scope", None, true),
            ("", "scope", None, true),
            ("scope=openid&extra=foobar", "scope", Some("openid"), true),
            ("scope=openid&scope=email", "scope", None, false),
            ("scope=openid&scope=openid", "scope", None, false),
            ("scope=&scope=openid", "scope", None, false),
            ("a=1&a=2&scope=x", "scope", Some("x"), false),
            ("scope=a+b%20c", "scope", Some("a b c"), true),
            ("s%63ope=a&scope=b", "scope", None, false),
        ] {
            let params = Params::parse(query).unwrap();
            assert_eq!(params.get(name), value, "{query}");
            assert_eq!(params.is_once(), once, "{query}");
        }
    }

    #[test]
    fn resource_may_repeat_rfc_8707() {
        let params = Params::parse("resource=urn:a&resource=urn:b&resource=").unwrap();
        assert_eq!(params.resources(), ["urn:a", "urn:b"]);
        assert!(params.is_once());
    }

    #[test]
    fn too_many_or_not_text_r_inj_05() {
        let many = |count: usize| {
            (0..count)
                .map(|n| format!("p{n}=1&"))
                .collect::<String>()
                .trim_end_matches('&')
                .to_owned()
        };
        assert!(Params::parse(&many(MAX_PARAMS)).is_ok());
        assert_eq!(
            Params::parse(&many(MAX_PARAMS + 1)),
            Err(ParamsError::TooMany)
        );
        for bad in ["a=%ff", "%ff=a", "a=%00", "a=%c3%28"] {
            assert_eq!(Params::parse(bad), Err(ParamsError::Malformed), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,300}") {
            let _ = Params::parse(&text);
        }
    }
}
