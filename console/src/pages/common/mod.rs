//! Everyone's own pages: the way in, search, profile.

mod me;
mod search;
mod start;

use crate::routes::{Command, Place, Screen};

/// Everyone's pages.
pub static SCREENS: &[Screen] = &[
    Screen {
        path: "",
        place: Place::Anywhere,
        permission: None,
        nav: None,
        show: |visit| Box::pin(start::show(visit)),
    },
    Screen {
        path: "search",
        place: Place::Anywhere,
        permission: None,
        nav: None,
        show: |visit| Box::pin(search::page(visit)),
    },
    Screen {
        path: "search.json",
        place: Place::Anywhere,
        permission: None,
        nav: None,
        show: |visit| Box::pin(search::json(visit)),
    },
    Screen {
        path: "me",
        place: Place::Anywhere,
        permission: None,
        nav: None,
        show: |visit| Box::pin(me::show(visit)),
    },
];

/// Everyone's commands.
pub static COMMANDS: &[Command] = &[Command {
    path: "me/preferences",
    place: Place::Anywhere,
    permission: None,
    run: |visit, form| Box::pin(me::save(visit, form)),
}];
