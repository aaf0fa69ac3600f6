//! The one error of every validated constructor: which value, and why it is refused.
//!
//! The reason is written for the person who typed the value and never echoes the value itself, so
//! that it may go into a page, a problem document or a log line (R-TOK-06, R-SEC-03).

use std::fmt;

/// A value was refused by its constructor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The name of the value as the wire calls it, for example `slug` or `redirect_uris`.
    pub what: &'static str,
    /// Why it is refused, as a sentence fragment that follows the name.
    pub reason: String,
}

impl Invalid {
    /// Refuses `what` for `reason`.
    pub fn new(what: &'static str, reason: impl Into<String>) -> Self {
        Self {
            what,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.what, self.reason)
    }
}

impl std::error::Error for Invalid {}
