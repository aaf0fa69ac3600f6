//! Small facts: pills, tags, counts, identifiers, key-value lists, code and secrets.

use leptos::prelude::*;

use super::icon;

/// What a state means to the reader; never shown by colour alone, the word is always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// As it should be.
    Ok,
    /// Needs attention soon.
    Warn,
    /// Needs attention now.
    Bad,
    /// Resting.
    Idle,
    /// Neither good nor bad.
    Info,
}

impl Tone {
    /// The class name.
    pub fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Idle => "idle",
            Self::Info => "info",
        }
    }

    /// The icon that goes with it.
    pub fn icon(self) -> &'static str {
        match self {
            Self::Ok => "check-circle",
            Self::Warn => "warn",
            Self::Bad => "x-circle",
            Self::Idle | Self::Info => "info",
        }
    }
}

/// A state in a word.
pub fn pill(tone: Tone, text: impl Into<String>) -> AnyView {
    let text: String = text.into();
    view! { <span class=format!("pill {}", tone.class())>{text}</span> }.into_any()
}

/// A word from a closed list, such as a scope.
pub fn tag(text: impl Into<String>) -> AnyView {
    let text: String = text.into();
    view! { <span class="tag">{text}</span> }.into_any()
}

/// A number beside a name; `hot` when it waits for this person.
pub fn count(number: usize, hot: bool) -> AnyView {
    let class = if hot { "count hot" } else { "count" };
    view! { <span class=class>{number}</span> }.into_any()
}

/// Two letters that stand for a name.
pub fn monogram(name: &str, round: bool) -> AnyView {
    let class = if round { "monogram round" } else { "monogram" };
    view! { <span class=class aria-hidden="true">{initials(name)}</span> }.into_any()
}

fn initials(name: &str) -> String {
    let mut words = name
        .split_whitespace()
        .filter_map(|word| word.chars().next());
    let first = words.next();
    let last = words.next_back();
    let letters = match (first, last) {
        (Some(first), Some(last)) => vec![first, last],
        _ => name.chars().take(2).collect(),
    };
    letters.into_iter().flat_map(char::to_uppercase).collect()
}

/// An identifier: shown shortened in the middle, copied and read out whole.
pub fn id(full: impl ToString) -> AnyView {
    let full = full.to_string();
    let label = format!("Copy ID {full}");
    let short = shortened(&full);
    let title = full.clone();
    view! {
        <span class="id" title=title>
            <code>{short}</code>
            <button class="copy needs-js" type="button" data-copy=full aria-label=label>{icon("copy")}</button>
        </span>
    }
    .into_any()
}

/// Keeps the prefix, which says what it is, and the end, which differs most between neighbours in time.
fn shortened(full: &str) -> String {
    const KEPT: usize = 20;
    if full.len() <= KEPT || !full.is_ascii() {
        return full.to_owned();
    }
    format!("{}…{}", &full[..10], &full[full.len() - 6..])
}

/// One fact of a [`KeyValue`] list.
pub fn kv(name: impl Into<String>, value: impl IntoAny) -> (String, AnyView) {
    (name.into(), value.into_any())
}

/// Facts with their names.
#[component]
pub fn KeyValue(
    /// The facts, from [`kv`].
    facts: Vec<(String, AnyView)>,
    /// Name above value, for narrow places.
    #[prop(optional)]
    stacked: bool,
) -> impl IntoView {
    let class = if stacked { "kv stacked" } else { "kv" };
    let facts = facts
        .into_iter()
        .map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> })
        .collect_view();
    view! { <dl class=class>{facts}</dl> }
}

/// Text for a machine, with a button that copies it.
#[component]
pub fn Code(
    /// What it is.
    #[prop(into)]
    caption: String,
    /// The text.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    let label = format!("Copy {caption}");
    let copied = text.clone();
    view! {
        <figure class="code">
            <figcaption>
                {caption}
                <button class="copy needs-js" type="button" data-copy=copied aria-label=label>{icon("copy")}</button>
            </figcaption>
            <pre tabindex="0"><code>{text}</code></pre>
        </figure>
    }
}

/// A secret that is shown once. It must come straight from the answer that made it and must never be an
/// island's property, a query member or a log field.
#[component]
pub fn Secret(
    /// What to copy now.
    #[prop(into)]
    title: String,
    /// Why now, and what to do if it is lost.
    #[prop(into)]
    explanation: String,
    /// The secret.
    #[prop(into)]
    secret: String,
) -> impl IntoView {
    let copied = secret.clone();
    view! {
        <section class="secret" aria-labelledby="secret-title">
            <header>{icon("key")}<h2 id="secret-title">{title}</h2></header>
            <p>{explanation}</p>
            <div class="secret-value">
                <code id="secret-value">{secret}</code>
                <button class="btn small copy-text needs-js" type="button" data-copy=copied>{icon("copy")}"Copy"</button>
            </div>
        </section>
    }
}
