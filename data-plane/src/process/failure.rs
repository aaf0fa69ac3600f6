//! How a process says that it cannot go on: one line, made of what failed and why.
//!
//! An operator reads it in a terminal or in a journal, where a backtrace buries the one fact that
//! helps. It must never hold a password: callers name places without credentials.

use std::{fmt, panic};

use crate::OpenError;

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

    /// The setting `key`, such as `node.state_url`, cannot be used, because of `why`. The line names every way
    /// to give it, since whoever reads it may have given it in another.
    pub fn setting(key: &str, why: impl fmt::Display) -> Self {
        Self::new(format!("cannot use the setting {}", ways_to_give(key)), why)
    }

    /// For `map_err`: `what` could not be done, because of the error.
    pub fn because<E: fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |why| Self::new(what, why)
    }
}

/// Why a node does not open, with the setting to look at where there is one.
pub fn not_opened(error: OpenError) -> Failure {
    match error {
        OpenError::Identity(why) => Failure::setting("node.identity_url", why),
        other => Failure::new("cannot open the node", other),
    }
}

/// The settings that are flags too.
const FLAGS: [(&str, &str); 4] = [
    ("data_dir", "--data-dir"),
    ("console_addr", "--console-addr"),
    ("auth_addr", "--auth-addr"),
    ("push.join_token_file", "--join-token-file"),
];

/// A setting by all its names: the file's, the flag's if there is one, the environment's.
pub fn ways_to_give(key: &str) -> String {
    let variable = format!("BAILIWICK_{}", key.to_uppercase().replace('.', "__"));
    match FLAGS.iter().find(|(setting, _)| *setting == key) {
        Some((_, flag)) => format!("{key}, {flag} or {variable}"),
        None => format!("{key} or {variable}"),
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

    #[test]
    fn a_setting_is_named_in_every_way_it_can_be_given() {
        assert_eq!(
            Failure::setting("node.state_url", "no").to_string(),
            "cannot use the setting node.state_url or BAILIWICK_NODE__STATE_URL (no)"
        );
        assert_eq!(
            Failure::setting("data_dir", "no").to_string(),
            "cannot use the setting data_dir, --data-dir or BAILIWICK_DATA_DIR (no)"
        );
    }
}
