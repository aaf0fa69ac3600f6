//! What a policy document consists of, member by member: the words for it, its unit and what is allowed.
//!
//! One table serves the readable page, the form and the comparison, so that they cannot use different
//! words. The limits are hints for the person who types; the document's own check is what decides.

use contract::policies::{Policy, PolicyKind, RegistrationMode};
use leptos::prelude::*;
use serde_json::{Map, Value};

use crate::{form::Form, kit::*};

/// What can be typed for a member.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// A whole number: least, most, unit.
    Number(i64, i64, &'static str),
    /// Yes or no, and what it means.
    Switch(&'static str),
    /// Who may register.
    Mode,
    /// Names, one per line.
    Lines,
}

/// One member of a document.
struct Member {
    key: &'static str,
    label: &'static str,
    hint: &'static str,
    shape: Shape,
}

const fn number(
    key: &'static str,
    label: &'static str,
    hint: &'static str,
    limits: (i64, i64, &'static str),
) -> Member {
    Member {
        key,
        label,
        hint,
        shape: Shape::Number(limits.0, limits.1, limits.2),
    }
}

const fn switch(key: &'static str, label: &'static str, meaning: &'static str) -> Member {
    Member {
        key,
        label,
        hint: "",
        shape: Shape::Switch(meaning),
    }
}

const AUTHENTICATION: &[Member] = &[
    number(
        "delay_after_failures",
        "Slow down after",
        "Each further attempt then has to wait.",
        (3, 20, "failures in a row"),
    ),
    number(
        "block_after_failures",
        "Block the password after",
        "Must be more than the number above.",
        (10, 100, "failures in a row"),
    ),
    number(
        "block_minutes",
        "A blocked password stays blocked for",
        "",
        (5, 1440, "minutes"),
    ),
];
const PASSWORD: &[Member] = &[
    number(
        "min_length",
        "Minimum length",
        "15 is the floor while a password is the only proof (NIST SP 800-63B-4).",
        (15, 64, "characters"),
    ),
    switch(
        "refuse_common",
        "Refuse common and breached passwords",
        "Compared with a list that every node carries.",
    ),
    switch(
        "refuse_context",
        "Refuse passwords made of names",
        "Of the tenant, or of the person's own name and address.",
    ),
];
const SESSION: &[Member] = &[
    number(
        "idle_minutes",
        "Sign out after inactivity of",
        "Must not be longer than the limit below.",
        (5, 43_200, "minutes"),
    ),
    number(
        "absolute_hours",
        "Sign out in any case after",
        "Counted from the sign-in.",
        (1, 720, "hours"),
    ),
];
const TOKEN: &[Member] = &[
    number(
        "code_seconds",
        "Authorization codes live",
        "",
        (10, 60, "seconds"),
    ),
    number(
        "access_token_seconds",
        "Access tokens live",
        "APIs that only check signatures learn of a revocation when the token ends.",
        (60, 600, "seconds"),
    ),
    number(
        "id_token_seconds",
        "ID tokens live",
        "",
        (60, 3600, "seconds"),
    ),
    number(
        "refresh_idle_hours",
        "Refresh tokens end, unused, after",
        "Must not be longer than the limit below.",
        (1, 2160, "hours"),
    ),
    number(
        "refresh_absolute_days",
        "Refresh tokens end in any case after",
        "Counted from the sign-in.",
        (1, 365, "days"),
    ),
    number(
        "refresh_grace_seconds",
        "A spent refresh token still answers for",
        "For answers that got lost on the way. 0 switches it off.",
        (0, 30, "seconds"),
    ),
];
const REGISTRATION: &[Member] = &[
    Member {
        key: "mode",
        label: "Who may create an account",
        hint: "",
        shape: Shape::Mode,
    },
    switch(
        "ask_name",
        "Ask for a name",
        "As well as an e-mail address.",
    ),
    switch(
        "verify_email",
        "Prove the e-mail address first",
        "By mail, before the account can be used. The answer then never tells whether the address was known.",
    ),
    Member {
        key: "email_domains",
        label: "Only addresses in these domains",
        hint: "One per line, such as example.com. Empty means every domain.",
        shape: Shape::Lines,
    },
];

fn members(kind: PolicyKind) -> &'static [Member] {
    match kind {
        PolicyKind::Authentication => AUTHENTICATION,
        PolicyKind::Password => PASSWORD,
        PolicyKind::Session => SESSION,
        PolicyKind::Token => TOKEN,
        PolicyKind::Registration => REGISTRATION,
        _ => &[],
    }
}

fn values(document: &Policy) -> Map<String, Value> {
    match serde_json::to_value(document) {
        Ok(Value::Object(values)) => values,
        _ => unreachable!("a policy is an object with string keys"),
    }
}

/// The document as people read it.
pub(super) fn facts(document: &Policy) -> Vec<(String, AnyView)> {
    let values = values(document);
    members(document.kind())
        .iter()
        .map(|member| kv(member.label, words(member, values.get(member.key))))
        .collect()
}

/// What differs between two documents of a kind, in words.
pub(super) fn differences(before: &Policy, after: &Policy) -> Vec<FieldChange> {
    let (old, new) = (values(before), values(after));
    members(before.kind())
        .iter()
        .filter(|member| old.get(member.key) != new.get(member.key))
        .map(|member| FieldChange {
            name: member.label.to_owned(),
            before: Some(words(member, old.get(member.key))),
            after: Some(words(member, new.get(member.key))),
        })
        .collect()
}

/// The document as text, one member per line, for a line by line comparison.
pub(super) fn text(document: &Policy) -> String {
    serde_json::to_string_pretty(document).expect("a policy has string keys and no floats")
}

fn words(member: &Member, value: Option<&Value>) -> String {
    match (member.shape, value) {
        (Shape::Number(_, _, unit), Some(Value::Number(number))) => format!("{number} {unit}"),
        (Shape::Switch(_), Some(Value::Bool(true))) => "Yes".to_owned(),
        (Shape::Switch(_), Some(Value::Bool(false))) => "No".to_owned(),
        (Shape::Mode, Some(Value::String(mode))) => mode_words(mode).to_owned(),
        (Shape::Lines, Some(Value::Array(lines))) if lines.is_empty() => "Every domain".to_owned(),
        (Shape::Lines, Some(Value::Array(lines))) => lines
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", "),
        (_, other) => other.map(ToString::to_string).unwrap_or_default(),
    }
}

fn mode_words(mode: &str) -> &'static str {
    if mode == RegistrationMode::Open.as_str() {
        "Anyone"
    } else {
        "Only people who were invited"
    }
}

/// The form of a document.
pub(super) fn filled(document: &Policy) -> Form {
    let values = values(document);
    let mut form = Form::default();
    for member in members(document.kind()) {
        match values.get(member.key) {
            Some(Value::Bool(true)) => form.set(member.key, "on"),
            Some(Value::Bool(false)) | None => {}
            Some(Value::String(text)) => form.set(member.key, text.clone()),
            Some(Value::Array(lines)) => {
                let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
                form.set(member.key, lines.join("\n"));
            }
            Some(other) => form.set(member.key, other.to_string()),
        }
    }
    form
}

/// The names of a kind's form members.
pub(super) fn keys(kind: PolicyKind) -> impl Iterator<Item = &'static str> {
    members(kind).iter().map(|member| member.key)
}

/// The fields of a kind.
pub(super) fn fields(kind: PolicyKind, form: &Form) -> AnyView {
    members(kind)
        .iter()
        .map(|member| field(member, form))
        .collect::<Vec<AnyView>>()
        .into_any()
}

fn field(member: &Member, form: &Form) -> AnyView {
    match member.shape {
        Shape::Number(least, most, unit) => {
            let range = format!("{least} to {most} {unit}.");
            let hint = if member.hint.is_empty() {
                range
            } else {
                format!("{range} {}", member.hint)
            };
            Field::number(member.key, member.label, least, most)
                .affix(unit)
                .hint(hint)
                .view(form)
        }
        Shape::Switch(meaning) => toggle(form, member.key, member.label, meaning),
        Shape::Mode => {
            let modes = [RegistrationMode::Open, RegistrationMode::InviteOnly];
            let options = modes
                .map(|mode| Choice::new(mode.as_str(), mode_words(mode.as_str()), ""))
                .into();
            choices(form, member.key, member.label, false, options)
        }
        Shape::Lines => Field::area(member.key, member.label, 3)
            .optional()
            .hint(member.hint)
            .view(form),
    }
}

/// Reads a document; every member that is wrong becomes a problem beside its field.
pub(super) fn read(kind: PolicyKind, form: &mut Form) -> Option<Policy> {
    let mut values = Map::new();
    values.insert("kind".to_owned(), Value::from(kind.as_str()));
    for member in members(kind) {
        let value = match member.shape {
            Shape::Number(least, most, _) => form.number(member.key, least..=most).map(Value::from),
            Shape::Switch(_) => Some(Value::from(form.has(member.key, "on"))),
            Shape::Mode => Some(Value::from(form.text(member.key))),
            Shape::Lines => Some(form.lines(member.key).collect::<Vec<_>>().into()),
        };
        values.extend(value.map(|value| (member.key.to_owned(), value)));
    }
    if !form.is_valid() {
        return None;
    }
    let Ok(document) = serde_json::from_value::<Policy>(Value::Object(values)) else {
        form.refuse(
            "",
            "Part of this form could not be read. Reload the page and try again.",
        );
        return None;
    };
    match document.check() {
        Ok(()) => Some(document),
        Err(invalid) => {
            form.refuse_invalid(&invalid);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_of_every_kind_has_a_row_and_survives_its_form() {
        for kind in Policy::WRITABLE {
            let document = Policy::default_for(kind).unwrap();
            let known: Vec<&str> = members(kind).iter().map(|member| member.key).collect();
            for key in values(&document).keys().filter(|key| *key != "kind") {
                assert!(known.contains(&key.as_str()), "{kind}: {key}");
            }
            let mut form = filled(&document);
            assert_eq!(
                read(kind, &mut form),
                Some(document),
                "{kind}: {:?}",
                form.problems()
            );
        }
    }

    #[test]
    fn differences_speak_with_their_unit() {
        let before = Policy::default_for(PolicyKind::Password).unwrap();
        let mut form = Form::with([("min_length", "20"), ("refuse_common", "on")]);
        let after = read(PolicyKind::Password, &mut form).unwrap();
        let changes = differences(&before, &after);
        assert_eq!(changes[0].name, "Minimum length");
        assert_eq!(changes[0].after.as_deref(), Some("20 characters"));
        assert_eq!(changes[1].before.as_deref(), Some("Yes"));
        assert_eq!(changes.len(), 2);
    }

    #[test]
    fn values_outside_the_limits_are_refused_beside_their_field() {
        let mut form = Form::with([("min_length", "8")]);
        assert_eq!(read(PolicyKind::Password, &mut form), None);
        assert_eq!(
            form.problem("min_length"),
            Some("Enter a whole number from 15 to 64.")
        );
        let mut form = Form::with([("idle_minutes", "600"), ("absolute_hours", "1")]);
        assert_eq!(read(PolicyKind::Session, &mut form), None);
        assert!(
            form.problem("idle_minutes")
                .unwrap()
                .contains("must not be longer")
        );
    }
}
