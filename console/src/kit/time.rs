//! Moments: the machine's form always in UTC, the person's form near or exact.

use chrono::{DateTime, Duration, Utc};
use leptos::prelude::*;

/// A moment, near ones in words ("3 min ago"), others by date; the exact time in the title.
pub fn time(at: DateTime<Utc>, now: DateTime<Utc>) -> AnyView {
    let machine = at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    view! { <time class="time" datetime=machine title=absolute(at)>{relative(at, now)}</time> }
        .into_any()
}

/// `12 Nov 2026, 14:02:09 UTC`.
pub fn absolute(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y, %H:%M:%S UTC").to_string()
}

/// `just now`, `3 min ago`, `in 2 h`, `12 Nov 2026`.
pub fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let ago = now - at;
    let distance = ago.abs();
    let words = if distance < Duration::minutes(1) {
        return "just now".to_owned();
    } else if distance < Duration::hours(1) {
        format!("{} min", distance.num_minutes())
    } else if distance < Duration::days(1) {
        format!("{} h", distance.num_hours())
    } else if distance < Duration::days(7) {
        match distance.num_days() {
            1 => "1 day".to_owned(),
            days => format!("{days} days"),
        }
    } else {
        return at.format("%-d %b %Y").to_string();
    };
    if ago >= Duration::zero() {
        format!("{words} ago")
    } else {
        format!("in {words}")
    }
}
