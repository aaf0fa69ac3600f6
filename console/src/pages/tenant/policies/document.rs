//! A policy document as people meet it: read, typed and compared.
//!
//! All three are computed from one table of members ([`mod@members`]), so that they cannot use different words.

mod members;

use contract::policies::{Policy, PolicyKind, RegistrationMode};
use leptos::prelude::*;
use serde_json::{Map, Value};

use self::members::{Member, Shape, members};
use crate::{form::Form, kit::*};

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
        .map(|member| kv(member.label, words(&member, values.get(member.key))))
        .collect()
}

/// What differs between two documents of a kind, in words.
pub(super) fn differences(before: &Policy, after: &Policy) -> Vec<FieldChange> {
    let (old, new) = (values(before), values(after));
    members(before.kind())
        .filter(|member| old.get(member.key) != new.get(member.key))
        .map(|member| FieldChange {
            name: member.label.to_owned(),
            before: Some(words(&member, old.get(member.key))),
            after: Some(words(&member, new.get(member.key))),
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
        (Shape::Switch, Some(Value::Bool(true))) => "Yes".to_owned(),
        (Shape::Switch, Some(Value::Bool(false))) => "No".to_owned(),
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
    members(kind).map(|member| member.key)
}

/// The fields of a kind.
pub(super) fn fields(kind: PolicyKind, form: &Form) -> AnyView {
    members(kind)
        .map(|member| field(&member, form))
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
        Shape::Switch => toggle(form, member.key, member.label, member.hint),
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
            Shape::Switch => Some(Value::from(form.has(member.key, "on"))),
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
            let known: Vec<&str> = members(kind).map(|member| member.key).collect();
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
