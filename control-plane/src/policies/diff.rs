//! What a draft would change, member by member and in words, for the person who decides.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{PolicyDraft, PublishedPolicy};

/// The difference between what is in force and a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDiff {
    /// The version in force.
    pub base_version: i64,
    /// The draft.
    pub draft_version: i64,
    /// Whether something else came into force since the draft was saved.
    pub base_moved: bool,
    /// What differs, by member.
    pub differences: Vec<Difference>,
}

/// One member that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The member.
    pub member: String,
    /// What is in force.
    pub before: Value,
    /// What the draft says.
    pub after: Value,
    /// Both, in words.
    pub words: String,
}

/// What people call a member, and its unit.
const NAMES: &[(&str, &str, &str)] = &[
    (
        "delay_after_failures",
        "Failures before attempts are slowed",
        "",
    ),
    (
        "block_after_failures",
        "Failures before the password is blocked",
        "",
    ),
    ("block_minutes", "Block lasts", "minutes"),
    ("min_length", "Shortest password", "characters"),
    ("refuse_common", "Refuse common passwords", ""),
    ("refuse_context", "Refuse passwords made of names", ""),
    ("idle_minutes", "Signed out after inactivity of", "minutes"),
    ("absolute_hours", "Signed out in any case after", "hours"),
    ("code_seconds", "Authorization codes live", "seconds"),
    ("access_token_seconds", "Access tokens live", "seconds"),
    ("id_token_seconds", "ID tokens live", "seconds"),
    (
        "refresh_idle_hours",
        "Refresh tokens end unused after",
        "hours",
    ),
    (
        "refresh_absolute_days",
        "Refresh tokens end in any case after",
        "days",
    ),
    (
        "refuse_unheard_after_seconds",
        "Nodes that hear nothing stop after",
        "seconds",
    ),
    (
        "refresh_grace_seconds",
        "A spent refresh token still answers for",
        "seconds",
    ),
    ("mode", "Who may register", ""),
    ("ask_name", "Ask for a name", ""),
    ("verify_email", "Prove the address by mail first", ""),
    ("email_domains", "Domains that may register", ""),
];

impl PolicyDiff {
    pub(super) fn between(published: &PublishedPolicy, draft: &PolicyDraft) -> Self {
        let (before, after) = (members(&published.document), members(&draft.document));
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let differences = names
            .into_iter()
            .filter(|name| before.get(*name) != after.get(*name))
            .map(|name| difference(name, before.get(name), after.get(name)))
            .collect();
        Self {
            base_version: published.version,
            draft_version: draft.version,
            base_moved: draft.base_version != published.version,
            differences,
        }
    }
}

fn members<T: Serialize>(document: &T) -> Map<String, Value> {
    match serde_json::to_value(document) {
        Ok(Value::Object(members)) => members,
        _ => unreachable!("a policy is an object with string keys"),
    }
}

fn difference(member: &str, before: Option<&Value>, after: Option<&Value>) -> Difference {
    let (before, after) = (
        before.cloned().unwrap_or_default(),
        after.cloned().unwrap_or_default(),
    );
    let named = NAMES.iter().find(|(name, ..)| *name == member);
    let (label, unit) = named.map_or((member, ""), |(_, label, unit)| (*label, *unit));
    let unit = if unit.is_empty() {
        String::new()
    } else {
        format!(" {unit}")
    };
    Difference {
        words: format!("{label}: from {} to {}{unit}.", word(&before), word(&after)),
        member: member.to_owned(),
        before,
        after,
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.replace('_', " "),
        Value::Array(items) if items.is_empty() => "any".to_owned(),
        Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use contract::policies::{PasswordPolicy, Policy};

    use super::*;

    fn draft(document: Policy) -> PolicyDraft {
        PolicyDraft {
            document,
            base_version: 1,
            version: 3,
            updated_at: DateTime::UNIX_EPOCH,
            updated_by: String::new(),
        }
    }

    #[test]
    fn only_what_differs_is_told_in_words() {
        let in_force = Policy::Password(PasswordPolicy::default());
        let published = PublishedPolicy::new(in_force.clone(), 2, DateTime::UNIX_EPOCH, "");
        let wanted = PasswordPolicy {
            min_length: 20,
            ..Default::default()
        };
        let diff = PolicyDiff::between(&published, &draft(Policy::Password(wanted)));
        let words: Vec<_> = diff
            .differences
            .iter()
            .map(|one| one.words.as_str())
            .collect();
        assert_eq!(words, ["Shortest password: from 15 to 20 characters."]);
        assert!(diff.base_moved);
        assert!(
            PolicyDiff::between(&published, &draft(in_force))
                .differences
                .is_empty()
        );
    }

    #[test]
    fn every_member_has_a_name() {
        for kind in Policy::WRITABLE {
            for member in members(&Policy::default_for(kind).unwrap()).keys() {
                let named = NAMES.iter().any(|(name, ..)| name == member);
                assert!(named || member == "kind", "{member}");
            }
        }
    }
}
