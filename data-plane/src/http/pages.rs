//! The hosted pages: one struct per template. [`super::respond`] turns them into answers.
//!
//! `askama` escapes every value by the template's extension, and no template marks anything as safe
//! (R-INJ-02). Pages have no script. Texts that name a client or a person come from the release or the
//! identity store, never from the query, except the identifier a person just typed themselves.

use askama::Template;

use super::{flow::Flow, tenant::Tenant, visit::Visit};

/// What every page shows around its content.
pub struct Frame {
    /// Whose page it is; our product's name where no tenant is known.
    pub name: String,
    /// Its initials.
    pub monogram: String,
    /// The style sheet.
    pub css: &'static str,
    /// The text font.
    pub font: &'static str,
    /// The icon of the browser's tab.
    pub favicon: &'static str,
}

impl Frame {
    /// The frame of a tenant's pages, or a neutral one.
    pub fn new(tenant: Option<&Tenant>) -> Self {
        let name = tenant
            .map_or("Bailiwick", |tenant| tenant.name())
            .to_owned();
        Self {
            monogram: monogram(&name),
            name,
            css: ui_assets::hosted_css_url(),
            font: ui_assets::font_url(),
            favicon: ui_assets::favicon_url(),
        }
    }
}

/// One or two initials for the square in front of a name.
pub fn monogram(name: &str) -> String {
    let mut words = name
        .split_whitespace()
        .filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let initials: String = match (words.next(), words.next()) {
        (Some(first), Some(second)) => [first, second].iter().collect(),
        (Some(_), None) => name
            .chars()
            .filter(|c| c.is_alphanumeric())
            .take(2)
            .collect(),
        (None, _) => "?".to_owned(),
    };
    initials.to_uppercase()
}

/// The address of an icon in the sprite; for templates.
pub fn icon(name: &str) -> String {
    ui_assets::icon_href(name)
}

/// Hidden fields and links that tie a form to its visit.
pub struct Ties {
    /// The CSRF token.
    pub csrf: String,
    /// The sign-in attempt, if there is one.
    pub flow: Option<String>,
}

impl Ties {
    /// The ties of a form shown in this visit.
    pub fn of(visit: &Visit, flow: Option<&Flow>) -> Self {
        Self {
            csrf: visit.csrf(),
            flow: flow.and_then(Flow::id).map(str::to_owned),
        }
    }
}

/// H1 and H2: identifier and password on one page.
#[derive(Template)]
#[template(path = "login.html")]
pub struct Login<'a> {
    /// Around the page.
    pub frame: Frame,
    /// Where the form goes.
    pub action: String,
    /// Ties the form.
    pub ties: Ties,
    /// The application that asks, if one does.
    pub application: Option<&'a str>,
    /// Kept after an error; from `login_hint` before.
    pub identifier: &'a str,
    /// Why the last try failed.
    pub error: Option<&'a str>,
    /// Where to create an account, where anyone may.
    pub register: Option<String>,
}

/// H9: create an account.
#[derive(Template)]
#[template(path = "register.html")]
pub struct Register<'a> {
    /// Around the page.
    pub frame: Frame,
    /// Where the form goes.
    pub action: String,
    /// Ties the form.
    pub ties: Ties,
    /// The application that asks, if one does.
    pub application: Option<&'a str>,
    /// Kept after an error.
    pub identifier: &'a str,
    /// Kept after an error.
    pub name: &'a str,
    /// Whether a name is asked for.
    pub ask_name: bool,
    /// Fewest characters of a password.
    pub min_length: u32,
    /// What is wrong with which field.
    pub errors: FieldErrors,
    /// Where to sign in instead.
    pub login: String,
}

/// What is wrong with the fields of a form, in sentences.
#[derive(Default)]
pub struct FieldErrors {
    /// The e-mail address.
    pub identifier: Vec<String>,
    /// The name.
    pub name: Vec<String>,
    /// The password.
    pub password: Vec<String>,
}

impl FieldErrors {
    /// Whether anything is wrong.
    pub fn any(&self) -> bool {
        !(self.identifier.is_empty() && self.name.is_empty() && self.password.is_empty())
    }
}

/// H17: accept an invitation by setting a password.
#[derive(Template)]
#[template(path = "invite.html")]
pub struct Invite<'a> {
    /// Around the page.
    pub frame: Frame,
    /// Where the form goes.
    pub action: String,
    /// The CSRF token.
    pub csrf: String,
    /// The one-time link's token.
    pub token: &'a str,
    /// Who was invited.
    pub email: &'a str,
    /// By whom.
    pub inviter: &'a str,
    /// To be what.
    pub purpose: &'a str,
    /// Until when, in UTC.
    pub expires_at: String,
    /// Fewest characters of a password.
    pub min_length: u32,
    /// What is wrong.
    pub errors: FieldErrors,
}

/// H10: confirm an address with the password that was chosen for it.
#[derive(Template)]
#[template(path = "verify.html")]
pub struct Verify<'a> {
    /// Around the page.
    pub frame: Frame,
    /// Where the form goes.
    pub action: String,
    /// The CSRF token.
    pub csrf: String,
    /// The one-time link's token.
    pub token: &'a str,
    /// The address.
    pub email: &'a str,
    /// Why the last try failed.
    pub error: Option<&'a str>,
}

/// A line of the consent page.
pub struct ScopeLine {
    /// The icon's name.
    pub icon: &'static str,
    /// What it allows, in words.
    pub words: String,
    /// For whom or what.
    pub detail: String,
}

/// H11: consent.
#[derive(Template)]
#[template(path = "consent.html")]
pub struct Consent<'a> {
    /// Around the page.
    pub frame: Frame,
    /// Where the form goes.
    pub action: String,
    /// Ties the form.
    pub ties: Ties,
    /// Who asks.
    pub application: &'a str,
    /// Its initials.
    pub initials: String,
    /// Who is asked.
    pub account: &'a str,
    /// What for.
    pub scopes: Vec<ScopeLine>,
    /// Where the answer goes.
    pub return_host: &'a str,
    /// Whether the decision is kept.
    pub remembered: bool,
    /// What to know before trusting it.
    pub warning: Option<&'static str>,
}

/// An application that belongs to the tenant itself.
pub struct OwnApplication<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its address.
    pub href: &'a str,
}

/// The tenant's front page: who is signed in.
#[derive(Template)]
#[template(path = "account.html")]
pub struct Account<'a> {
    /// Around the page.
    pub frame: Frame,
    /// The person's address, if someone is signed in.
    pub email: Option<&'a str>,
    /// The person's name, if it is known.
    pub name: Option<&'a str>,
    /// Where to sign in.
    pub login: String,
    /// Where to create an account, where anyone may.
    pub register: Option<String>,
    /// Where the person sees what they allowed.
    pub consents: String,
    /// Where to sign out.
    pub logout: String,
    /// The CSRF token of the sign-out form.
    pub csrf: String,
    /// The tenant's own applications.
    pub applications: Vec<OwnApplication<'a>>,
}

/// Asks whether to sign out.
#[derive(Template)]
#[template(path = "logout.html")]
pub struct Logout<'a> {
    /// Around the page.
    pub frame: Frame,
    /// Where the form goes.
    pub action: String,
    /// The CSRF token.
    pub csrf: String,
    /// Who would be signed out.
    pub account: &'a str,
    /// The application that asks, if it is known.
    pub application: Option<&'a str>,
    /// Sent along so that the answer can go back there.
    pub back: Option<&'a LogoutReturn>,
    /// Where "Stay signed in" leads.
    pub stay: String,
}

/// Where a logout returns to, already checked against the client.
pub struct LogoutReturn {
    /// The client.
    pub client_id: String,
    /// The registered address.
    pub uri: String,
    /// Comes back unchanged.
    pub state: Option<String>,
}

/// H18 and other pages that only say something.
#[derive(Template)]
#[template(path = "message.html")]
pub struct Message<'a> {
    /// Around the page.
    pub frame: Frame,
    /// `ok`, `info`, `warn` or `bad`.
    pub tone: &'static str,
    /// The icon's name.
    pub icon: &'static str,
    /// The heading.
    pub title: &'a str,
    /// What happened.
    pub detail: &'a str,
    /// The way on.
    pub link: Option<(String, &'a str)>,
}

/// Leaves for an installed application by a page of our own (console.md 5.1).
#[derive(Template)]
#[template(path = "handoff.html")]
pub struct HandOff<'a> {
    /// Around the page.
    pub frame: Frame,
    /// The application.
    pub application: &'a str,
    /// The full address of the response.
    pub location: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monograms() {
        for (name, expected) in [
            ("Acme", "AC"),
            ("Acme Europe", "AE"),
            ("  é", "É"),
            ("<script>", "SC"),
            ("—", "?"),
            ("", "?"),
        ] {
            assert_eq!(monogram(name), expected, "{name}");
        }
    }
}
