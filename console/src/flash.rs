//! One message for the next page: what was just done, said after the redirect.
//!
//! It waits in the session's stash, never in the address: a message in an address could be written by
//! anyone (console.md 2.4). It is text, rendered as text; it must never carry a secret, since what is shown
//! once must not survive a redirect.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::kit::{Tone, icon};

/// Where the session keeps it.
pub(crate) const SLOT: &str = "flash";

/// A message for the next page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    tone: Tone,
    text: String,
    link: Option<(String, String)>,
}

impl Flash {
    /// Something was done: "Created Shop."
    pub fn done(text: impl Into<String>) -> Self {
        Self::new(Tone::Ok, text)
    }

    /// Something needs a word of warning although nothing failed.
    pub fn warn(text: impl Into<String>) -> Self {
        Self::new(Tone::Warn, text)
    }

    /// Something was not done.
    pub fn refused(text: impl Into<String>) -> Self {
        Self::new(Tone::Bad, text)
    }

    fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self {
            tone,
            text: text.into(),
            link: None,
        }
    }

    /// With a link, for example to the audit log.
    pub fn with_link(mut self, text: impl Into<String>, href: impl Into<String>) -> Self {
        self.link = Some((text.into(), href.into()));
        self
    }

    /// The strip at the top of the page; `here` is the page without the message.
    pub(crate) fn view(self, here: &str) -> AnyView {
        let here = here.to_owned();
        let link = self
            .link
            .map(|(text, href)| view! { " "<a href=href>{text}</a> });
        view! {
            <div class=format!("flash {}", self.tone.class()) role="status">
                {icon(self.tone.icon())}
                <p>{self.text}{link}</p>
                <a class="icon-btn small" href=here aria-label="Dismiss">{icon("x")}</a>
            </div>
        }
        .into_any()
    }
}
