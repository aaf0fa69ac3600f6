//! A form as it was sent: the texts a person typed and what is wrong with them.
//!
//! Why raw texts and not a typed struct: a refused form is shown again with exactly what was typed, also
//! where it is no valid value, and every problem is told at once beside its field. Values become typed by
//! [`Form::read`], through the same constructors the API uses.

use std::str::FromStr;

use contract::{Invalid, text};
use control_plane::{Refusal, operators::Invitee};
use url::form_urlencoded;

use crate::fault::Fault;

/// What is wrong with one field, or with the form as a whole (empty `field`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field's name and element id.
    pub field: String,
    /// A sentence for the person.
    pub message: String,
}

/// Names and texts in the order they were sent, and the problems found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    values: Vec<(String, String)>,
    problems: Vec<Problem>,
}

impl Form {
    /// Parses `application/x-www-form-urlencoded`.
    pub fn parse(body: &[u8]) -> Self {
        Self {
            values: form_urlencoded::parse(body).into_owned().collect(),
            problems: Vec::new(),
        }
    }

    /// A form with these values, for the first showing of a page.
    pub fn with<N: Into<String>, V: Into<String>>(
        values: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        Self {
            values: values
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            problems: Vec::new(),
        }
    }

    /// Adds a value.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.values.push((name.into(), value.into()));
    }

    /// The text of a field exactly as typed; empty if it was not sent.
    pub fn raw(&self, name: &str) -> &str {
        self.values
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    /// The text of a field without surrounding space.
    pub fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// Every non-empty text sent under `name`, without surrounding space.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// The non-empty lines of a text area.
    pub fn lines<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.raw(name)
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    }

    /// Whether `name=value` was sent: a ticked box, a chosen option.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.values
            .iter()
            .any(|(key, sent)| key == name && sent == value)
    }

    /// The field as a `T`; what `T`'s constructor says against it becomes the field's problem.
    pub fn read<T: FromStr<Err = Invalid>>(&mut self, name: &str) -> Option<T> {
        match self.text(name).parse() {
            Ok(value) => Some(value),
            Err(invalid) => {
                self.refuse(name, sentence(&invalid));
                None
            }
        }
    }

    /// As [`Form::read`], but an empty field is fine and gives `None`.
    pub fn read_optional<T: FromStr<Err = Invalid>>(&mut self, name: &str) -> Option<T> {
        if self.text(name).is_empty() {
            return None;
        }
        self.read(name)
    }

    /// A whole number within `range`.
    pub fn number(&mut self, name: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let number = self
            .text(name)
            .parse()
            .ok()
            .filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.refuse(
                name,
                format!("Enter a whole number from {least} to {most}."),
            );
        }
        number
    }

    /// Notes a problem of a field; an empty `field` means the form as a whole.
    pub fn refuse(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem {
            field: field.into(),
            message: message.into(),
        });
    }

    /// Notes what a constructor or the control plane said against a value. `what` is used as the field
    /// if the form has one of that name.
    pub fn refuse_invalid(&mut self, invalid: &Invalid) {
        let known = self.values.iter().any(|(key, _)| key == invalid.what);
        let field = if known { invalid.what } else { "" };
        self.refuse(field, sentence(invalid));
    }

    /// Notes what a check of one field found, if it found something.
    pub fn hold(&mut self, field: &str, checked: Result<(), Invalid>) {
        if let Err(invalid) = checked {
            self.refuse(field, sentence(&invalid));
        }
    }

    /// A person's name and address from two fields; what is wrong with either becomes its problem.
    pub fn invitee(&mut self, name: &'static str, email: &'static str) -> Invitee {
        let invitee = Invitee {
            name: self.text(name).to_owned(),
            email: self.text(email).to_owned(),
        };
        self.hold(name, text::check_name(name, &invitee.name));
        self.hold(email, text::check_email(email, &invitee.email));
        invitee
    }

    /// Whether `confirm` repeats `name`, which is asked for before something is taken away for good.
    pub fn confirms(&mut self, name: &str) -> bool {
        let confirmed = self.text("confirm") == name;
        if !confirmed {
            self.refuse("confirm", format!("Type {name} exactly as it stands here."));
        }
        confirmed
    }

    /// Takes what the control plane said against the form as problems beside the fields. `codes` says which
    /// field a conflict belongs to, for example `("slug_taken", "slug")`.
    ///
    /// # Errors
    /// Anything that is not about what the person typed.
    pub fn absorb(&mut self, refusal: Refusal, codes: &[(&str, &str)]) -> Result<(), Fault> {
        match refusal {
            Refusal::Invalid(violations) => {
                for violation in violations {
                    self.refuse_invalid(&Invalid::new(violation.member, violation.reason));
                }
                Ok(())
            }
            Refusal::Conflict { code, detail } => {
                let known = codes.iter().find(|(known, _)| *known == code);
                let (_, field) = known.ok_or_else(|| Fault::Conflict(detail.clone()))?;
                self.refuse(*field, detail);
                Ok(())
            }
            // Nothing is wrong with the form, but what was typed must not be lost over it.
            Refusal::Unavailable { detail } => {
                self.refuse("", detail);
                Ok(())
            }
            other => Err(other.into()),
        }
    }

    /// What was typed, without the members a person does not see.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .filter(|(name, _)| name != crate::csrf::FIELD && name != "version")
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Everything that is wrong, in the order it was found.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What is wrong with one field.
    pub fn problem(&self, field: &str) -> Option<&str> {
        self.problems
            .iter()
            .find(|problem| problem.field == field)
            .map(|problem| problem.message.as_str())
    }

    /// Whether nothing is wrong so far.
    pub fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }
}

/// What a member of the API is called where people read; others lose only their underscores.
const CALLED: [(&str, &str); 7] = [
    ("slug", "short name"),
    ("email", "e-mail address"),
    ("admin_name", "the administrator's name"),
    ("admin_email", "the administrator's e-mail address"),
    ("host", "own host"),
    ("redirect_uris", "redirect URIs"),
    ("post_logout_redirect_uris", "post-logout redirect URIs"),
];

/// `min_length must be at least 8` → `Min length must be at least 8.`
fn sentence(invalid: &Invalid) -> String {
    let called = CALLED.iter().find(|(member, _)| *member == invalid.what);
    let called = called.map_or_else(
        || invalid.what.replace('_', " "),
        |(_, name)| (*name).to_owned(),
    );
    let text = format!("{called} {}.", invalid.reason);
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use contract::tenant::Slug;

    use super::*;

    #[test]
    fn values_keep_their_text_and_problems_their_field() {
        let mut form = Form::parse(b"slug=A+b&scope=a&scope=b&on=on&uris=x%0D%0A%0D%0A+y");
        assert_eq!(form.raw("slug"), "A b");
        assert_eq!(form.all("scope").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(form.lines("uris").collect::<Vec<_>>(), ["x", "y"]);
        assert!(form.has("on", "on") && !form.has("on", "off"));
        assert!(form.read::<Slug>("slug").is_none());
        assert!(
            form.problem("slug")
                .unwrap()
                .starts_with("Short name may contain")
        );
        assert!(form.read_optional::<Slug>("absent").is_none());
        assert_eq!(form.problems().len(), 1);
    }

    #[test]
    fn numbers_are_held_to_their_range() {
        let mut form = Form::with([("a", "5"), ("b", "-1"), ("c", "x")]);
        assert_eq!(form.number("a", 1..=5), Some(5));
        assert_eq!(form.number("b", 1..=5), None);
        assert_eq!(form.number("c", 1..=5), None);
        assert_eq!(form.problem("b"), Some("Enter a whole number from 1 to 5."));
    }
}
