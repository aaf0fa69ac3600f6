//! The kit, drawn: what a person, a keyboard and a screen reader find in it.

use chrono::{TimeDelta, TimeZone, Utc};
use leptos::prelude::*;

use super::*;
use crate::{document::render, form::Form};

#[test]
fn a_field_connects_label_hint_and_error() {
    let mut form = Form::with([("slug", "A\"<b>")]);
    form.refuse("slug", "Slug must have 3 to 40 characters.");
    let html = render(|| {
        Field::text("slug", "Short name")
            .hint("In addresses.")
            .view(&form)
    });
    assert!(html.contains("<label for=\"slug\">"), "{html}");
    assert!(
        html.contains("aria-describedby=\"slug-hint slug-error\""),
        "{html}"
    );
    assert!(
        html.contains("aria-invalid=\"true\"") && html.contains("id=\"slug-error\""),
        "{html}"
    );
    assert!(
        html.contains("value=\"A&quot;"),
        "what was typed stays, escaped: {html}"
    );
}

#[test]
fn a_good_field_says_nothing_about_errors() {
    let html = render(|| {
        Field::number("age", "Age", 1, 9)
            .affix("minutes")
            .optional()
            .view(&Form::default())
    });
    assert!(
        !html.contains("aria-invalid") && !html.contains("aria-describedby"),
        "{html}"
    );
    assert!(
        html.contains("min=\"1\"") && html.contains("minutes") && html.contains("optional"),
        "{html}"
    );
}

#[test]
fn choices_keep_what_was_chosen() {
    let form = Form::with([("role", "b"), ("on", "on")]);
    let all = || {
        vec![
            Choice::new("a", "A", ""),
            Choice::new("b", "B", "The second."),
        ]
    };
    let html = render(|| choices(&form, "role", "Role", false, all()));
    assert_eq!(html.matches("checked").count(), 1, "{html}");
    assert!(
        html.contains("<legend>Role</legend>") && html.contains("The second."),
        "{html}"
    );
    let html = render(|| toggle(&form, "on", "Enabled", ""));
    assert!(
        html.contains("role=\"switch\"") && html.contains("checked"),
        "{html}"
    );
    let select = Field::select(
        "role",
        "Role",
        vec![("a".into(), "A".into()), ("b".into(), "B".into())],
    );
    let html = render(|| select.view(&form));
    assert_eq!(html.matches("selected").count(), 1, "{html}");
}

#[test]
fn the_summary_links_each_problem_to_its_field() {
    let mut form = Form::default();
    assert!(!render(|| view! { <ErrorSummary form=&form /> }).contains("alert"));
    form.refuse("name", "Enter a name.");
    form.refuse("", "No node answers.");
    let html = render(|| view! { <ErrorSummary form=&form /> });
    assert!(
        html.contains("2 things need your attention") && html.contains("role=\"alert\""),
        "{html}"
    );
    assert!(
        html.contains("<a href=\"#name\">Enter a name.</a>")
            && html.contains("<li>No node answers.</li>"),
        "{html}"
    );
}

#[test]
fn a_post_form_carries_token_and_version() {
    let hidden = vec![("version", "3".to_owned())];
    let html = render(
        || view! { <PostForm action="/cmd/x" csrf="tok" hidden=hidden><Button>"Save"</Button></PostForm> },
    );
    assert!(
        html.contains("method=\"post\"") && html.contains("action=\"/cmd/x\""),
        "{html}"
    );
    assert!(
        html.contains("name=\"form_token\" value=\"tok\"")
            && html.contains("name=\"version\" value=\"3\""),
        "{html}"
    );
    assert!(
        html.contains("type=\"submit\"") && html.contains("Save"),
        "{html}"
    );
}

#[test]
fn a_table_can_be_scrolled_by_keyboard_and_has_a_body() {
    let columns = vec![
        Column::text("Name").sorted("?sort=name", "ascending"),
        Column::number("Users"),
        Column::actions(),
    ];
    let html = render(
        || view! { <Table label="Tenants" columns=columns><tr><td>"Acme"</td></tr></Table> },
    );
    assert!(
        html.contains("tabindex=\"0\"") && html.contains("aria-label=\"Tenants\""),
        "{html}"
    );
    assert!(
        html.contains("<tbody>") && html.contains("aria-sort=\"ascending\""),
        "{html}"
    );
    assert!(html.contains("<span class=\"vh\">Actions</span>"), "{html}");
}

#[test]
fn a_pager_without_a_next_page_has_no_link_to_one() {
    let html = render(
        || view! { <Pager shown="2 tenants" first=None next=Some("?after=x".to_owned()) /> },
    );
    assert!(
        html.contains("href=\"?after=x\"") && html.matches("aria-disabled").count() == 1,
        "{html}"
    );
}

#[test]
fn ids_are_short_to_the_eye_and_whole_for_everything_else() {
    let full = "app_01jq0000000000000000009f4a";
    let html = render(|| id(full));
    assert!(
        html.contains("app_01jq00…009f4a") && html.contains(&format!("title=\"{full}\"")),
        "{html}"
    );
    assert!(
        html.contains(&format!("aria-label=\"Copy ID {full}\"")),
        "{html}"
    );
}

#[test]
fn differences_are_words_first() {
    let change = |before: Option<&str>, after: Option<&str>| FieldChange {
        name: "Minimum length".into(),
        before: before.map(Into::into),
        after: after.map(Into::into),
    };
    let html = render(|| {
        changes(vec![
            change(Some("15"), Some("20")),
            change(None, Some("x")),
            change(Some("y"), None),
        ])
    });
    for expected in [
        "<del>15</del>", "<ins>20</ins>", "class=\"added\"", "class=\"removed\"",
    ] {
        assert!(html.contains(expected), "{expected} in {html}");
    }
    let html = render(
        || view! { <Diff title="v1 → v2" before="a = 1\nb = 2\n" after="a = 1\nb = 3\n" /> },
    );
    assert!(
        html.contains("- b = 2") && html.contains("+ b = 3") && html.contains("  a = 1"),
        "{html}"
    );
}

#[test]
fn moments_are_near_in_words_and_exact_for_machines() {
    let now = Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).unwrap();
    for (ago, expected) in [
        (TimeDelta::seconds(20), "just now"),
        (TimeDelta::minutes(3), "3 min ago"),
        (TimeDelta::hours(5), "5 h ago"),
        (TimeDelta::days(1), "1 day ago"),
        (TimeDelta::days(30), "24 Oct 2026"),
        (TimeDelta::minutes(-90), "in 1 h"),
    ] {
        assert_eq!(relative(now - ago, now), expected);
    }
    let html = render(|| time(now, now));
    assert!(
        html.contains("datetime=\"2026-11-23T12:00:00Z\"")
            && html.contains("23 Nov 2026, 12:00:00 UTC"),
        "{html}"
    );
}

#[test]
fn monograms_and_empty_states() {
    assert!(render(|| monogram("Mara Lind", true)).contains(">ML<"));
    assert!(render(|| monogram("acme", false)).contains(">AC<"));
    let html = render(
        || view! { <Empty icon_name="app" title="No applications yet" text="Things that sign people in." /> },
    );
    assert!(
        html.contains("<h2>No applications yet</h2>") && !html.contains("class=\"row\""),
        "{html}"
    );
}
