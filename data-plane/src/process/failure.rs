//! How a process says that it cannot go on: one line, made of what failed and why.
//!
//! An operator reads it in a terminal or in a journal, where a backtrace buries the one fact that
//! helps. It must never hold a password: callers name places without credentials.

use std::{fmt, panic};

/// Why the process ends. `Display` is `what (why)`, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    what: String,
    why: String,
}

impl Failure {
    /// `what` could not be done, because of `why`.
    pub fn new(what: impl Into<String>, why: impl fmt::Display) -> Self {
        Self {
            what: what.into(),
            why: why.to_string(),
        }
    }

    /// For `map_err`: `what` could not be done, because of the error.
    pub fn because<E: fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |why| Self::new(what, why)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        write!(f, "{} ({})", one_line(&self.what), one_line(&self.why))
    }
}

impl std::error::Error for Failure {}

/// Makes a panic one log line: where, and the message if it is text from our source. A formatted
/// message may carry the data that caused the panic, so it is left out (R-SEC-03).
pub fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map_or_else(String::new, ToString::to_string);
        let message = info
            .payload()
            .downcast_ref::<&'static str>()
            .copied()
            .unwrap_or("details withheld");
        tracing::error!(place, message, "a defect: the code panicked");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_whatever_its_cause_says() {
        let failure = Failure::new("cannot use the data directory", "it is\n  a file\n");
        assert_eq!(
            failure.to_string(),
            "cannot use the data directory (it is a file)"
        );
    }
}
