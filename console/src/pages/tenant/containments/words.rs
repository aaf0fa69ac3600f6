//! What is contained, in the words of people, and in which state it is.

use chrono::{DateTime, Utc};
use contract::containment::Subject;
use control_plane::ContainmentState;
use leptos::prelude::AnyView;

use crate::kit::{Tone, pill};

/// What is contained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct What {
    /// Its kind, as a label: "User".
    pub(crate) kind: &'static str,
    /// Its kind within a sentence: "a user".
    pub(crate) a_kind: &'static str,
    /// Its name, or a shortened id; empty for the tenant.
    pub(crate) short: String,
}

/// What a containment is about.
pub(crate) fn subject(state: &ContainmentState) -> What {
    what(&state.containment.subject, state.subject_name.as_deref())
}

/// What a subject is, with the name of an application.
pub(crate) fn what(subject: &Subject, name: Option<&str>) -> What {
    let (kind, a_kind) = match subject {
        Subject::Tenant {} => ("Whole tenant", "the whole tenant"),
        Subject::User { .. } => ("User", "a user"),
        Subject::Session { .. } => ("Session", "a session"),
        Subject::Application { .. } => ("Application", "an application"),
        Subject::SigningKey { .. } => ("Signing key", "a signing key"),
    };
    let id = subject.id().unwrap_or_default();
    What {
        kind,
        a_kind,
        short: name.map_or_else(|| shortened(&id), str::to_owned),
    }
}

/// An id as a line of text has room for it.
fn shortened(id: &str) -> String {
    const KEPT: usize = 24;
    if id.len() <= KEPT || !id.is_ascii() {
        return id.to_owned();
    }
    format!("{}…{}", &id[..10], &id[id.len() - 6..])
}

/// Where a containment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It refuses now.
    InForce,
    /// Somebody ended it.
    Lifted,
    /// It came to its own end.
    Ended,
}

impl Phase {
    /// What is so at `now`.
    pub(crate) fn of(state: &ContainmentState, now: DateTime<Utc>) -> Self {
        match state.containment.lifted_at {
            Some(_) => Self::Lifted,
            None if state.containment.is_in_force(now) => Self::InForce,
            None => Self::Ended,
        }
    }

    /// The word, as a mark.
    pub(crate) fn mark(self) -> AnyView {
        match self {
            Self::InForce => pill(Tone::Bad, "In force"),
            Self::Lifted => pill(Tone::Idle, "Lifted"),
            Self::Ended => pill(Tone::Idle, "Ended"),
        }
    }
}

/// A moment of which the minute matters: `1 Dec 2026, 14:03 UTC`.
pub(crate) fn minute(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y, %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_has_its_words() {
        let user = "usr_01h00000000000000000000000";
        for (kind, id, name, expected) in [
            ("tenant", "", None, ("Whole tenant", "")),
            ("user", user, None, ("User", "usr_01h000…000000")),
            (
                "session",
                "ses_01h00000000000000000000000",
                None,
                ("Session", "ses_01h000…000000"),
            ),
            (
                "application",
                "app_01h00000000000000000000000",
                Some("Shop"),
                ("Application", "Shop"),
            ),
            ("signing_key", "key-1", None, ("Signing key", "key-1")),
        ] {
            let found = Subject::parse(kind, id).map(|subject| what(&subject, name));
            let found = found.unwrap_or_else(|why| panic!("{kind}: {why}"));
            assert_eq!((found.kind, found.short.as_str()), expected);
        }
    }
}
