//! The shell: what surrounds every page. Skip link, sidebar with switcher and navigation, search, the
//! banner of a guest, and `main`.
//!
//! It is complete without scripts: the sidebar of a narrow screen and the switcher are popovers, search is
//! a GET form. Islands only add typing ahead. It must never load anything by itself; all it needs is in
//! the [`Visit`].

mod banner;
mod nav;
mod switcher;

use actix_web::{HttpResponse, http::StatusCode};
use console_islands::{Clipboard, Palette};
use control_plane::console_sessions::Preferences;
use leptos::prelude::*;

pub use nav::{NavGroup, NavItem, navigation};
pub(crate) use switcher::environment;

use crate::{
    Console,
    document::{self, Chrome, Head},
    flash::Flash,
    kit::{icon, monogram},
    visit::Visit,
};

/// A page inside the shell.
pub(crate) fn frame<V: IntoView>(
    visit: &Visit,
    flash: Option<Flash>,
    content: impl FnOnce() -> V,
) -> AnyView {
    let place = visit.scope_name();
    let from: String = url::form_urlencoded::byte_serialize(visit.path().as_bytes()).collect();
    let finder = format!("/search.json?in={from}&");
    view! {
        <a class="skip" href="#main">"Skip to content"</a>
        <div class="app">
            <aside class="side" id="side" popover>
                {switcher::view(visit)}
                {nav::view(visit, &place)}
                <div class="side-foot">{profile(visit)}</div>
            </aside>
            <div class="page">
                <header class="top">
                    <button class="icon-btn burger" type="button" popovertarget="side" aria-label="Menu">{icon("menu")}</button>
                    <form class="search" role="search" action="/search">
                        {icon("search")}
                        <input type="search" name="q" aria-label="Search" placeholder="Search pages, tenants, IDs" autocomplete="off" />
                        <input type="hidden" name="in" value=visit.path().to_owned() />
                        <kbd>"Ctrl K"</kbd>
                    </form>
                    <span class="spacer"></span>
                    {banner::health(visit)}
                </header>
                {banner::guest(visit)}
                {banner::contained(visit)}
                <main id="main" tabindex="-1">
                    {flash.map(|flash| flash.view(visit.path()))}
                    {content().into_any()}
                </main>
            </div>
        </div>
        <Palette endpoint=finder sprite=ui_assets::sprite_url().to_owned() />
        <Clipboard />
    }
    .into_any()
}

fn profile(visit: &Visit) -> AnyView {
    let name = visit.caller().name().to_owned();
    let role = visit
        .caller()
        .roles()
        .first()
        .map_or("Operator", |held| held.role.title());
    view! {
        <button class="who" type="button" popovertarget="profile">
            {monogram(&name, true)}<span>{name}<small>{role}</small></span>
        </button>
        <div class="menu" id="profile" popover>
            <a href="/me">{icon("user")}"Profile and preferences"</a>
            <hr />
            <form method="post" action="/logout">
                <input type="hidden" name=crate::csrf::FIELD value=visit.csrf() />
                <button type="submit">{icon("logout")}"Sign out"</button>
            </form>
        </div>
    }
    .into_any()
}

/// A page for somebody who is not signed in, in the layout of the hosted pages.
pub(crate) fn signed_out<V: IntoView>(
    console: &Console,
    status: StatusCode,
    title: &str,
    content: impl FnOnce() -> V,
) -> HttpResponse {
    let head = Head {
        title: format!("{title} · Bailiwick"),
        chrome: Chrome::SignedOut,
        preferences: Preferences::default(),
        form_target: Some(console.relying_party().issuer_origin().to_owned()),
    };
    document::answer(status, &head, || {
        view! {
            <a class="skip" href="#main">"Skip to content"</a>
            <header class="brand"><span class="monogram large" aria-hidden="true">"BA"</span><span class="brand-name">"Bailiwick"</span></header>
            <main class="sheet" id="main" tabindex="-1">{content().into_any()}</main>
        }
    })
}
