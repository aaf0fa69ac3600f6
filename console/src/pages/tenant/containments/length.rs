//! How long something is contained for: one of a few lengths, or minutes.

use leptos::prelude::*;

use crate::{form::Form, kit::*};

/// The member that says which.
pub(super) const CHOICE: &str = "length";
/// The member with another length.
pub(super) const MINUTES: &str = "minutes";
/// The choice that leads to [`MINUTES`].
const OTHER: &str = "other";
/// A year.
const MOST: i64 = 365 * 24 * 60;

/// Lengths that need no typing.
const PRESETS: [(&str, &str); 5] = [
    ("15", "15 minutes"),
    ("60", "1 hour"),
    ("240", "4 hours"),
    ("1440", "1 day"),
    ("10080", "7 days"),
];

/// The two fields.
pub(super) fn fields(form: &Form, label: &'static str) -> AnyView {
    let mut options: Vec<(String, String)> = PRESETS
        .map(|(minutes, text)| (minutes.to_owned(), text.to_owned()))
        .into();
    options.push((OTHER.to_owned(), "Another length, in minutes".to_owned()));
    let length = Field::select(CHOICE, label, options).view(form);
    let minutes = Field::number(MINUTES, "Another length", 1, MOST)
        .hint("Counts only if “Another length” is chosen; at most a year.")
        .affix("minutes")
        .optional()
        .view(form);
    view! { <div class="fields-2">{length}{minutes}</div> }.into_any()
}

/// What was chosen, in minutes.
pub(super) fn read(form: &mut Form) -> Option<u32> {
    let chosen = form.text(CHOICE).to_owned();
    if chosen == OTHER {
        let minutes = form.number(MINUTES, 1..=MOST)?;
        return u32::try_from(minutes).ok();
    }
    let preset = PRESETS.iter().find(|(minutes, _)| *minutes == chosen);
    let minutes = preset.and_then(|(minutes, _)| minutes.parse().ok());
    if minutes.is_none() {
        form.refuse(CHOICE, "Choose how long it is contained for.");
    }
    minutes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_a_preset_or_a_number_of_minutes() {
        for (chosen, minutes, expected, problem) in [
            ("60", "", Some(60), None),
            ("60", "7", Some(60), None),
            ("other", "7", Some(7), None),
            ("other", "", None, Some(MINUTES)),
            ("other", "525601", None, Some(MINUTES)),
            ("other", "0", None, Some(MINUTES)),
            ("61", "", None, Some(CHOICE)),
            ("", "", None, Some(CHOICE)),
        ] {
            let mut form = Form::with([(CHOICE, chosen), (MINUTES, minutes)]);
            assert_eq!(read(&mut form), expected, "{chosen} {minutes}");
            let found = form
                .problems()
                .first()
                .map(|problem| problem.field.as_str());
            assert_eq!(found, problem, "{chosen} {minutes}");
        }
    }
}
