//! `cargo deny`: the licences, sources and shape of the dependency tree, and known vulnerabilities.
//!
//! The first three need nothing from outside. Advisories need a database from the network; a machine
//! that cannot fetch it says so in one line and counts one skipped check. It must never take an
//! unreachable database for a clean one.

use std::process::Command;

use crate::places;
use crate::shell::{self, Result};
use crate::tally::{Dialect, Tally};
use crate::tools::{Tool, Tools};

/// Checks against `deny.toml`.
pub fn check(tools: &Tools) -> Result<Tally> {
    let program = tools.path(Tool::CargoDeny)?;
    let deny = |args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).current_dir(places::root());
        command
    };
    let mut tally = Tally::default();
    for what in ["licenses", "bans", "sources"] {
        let check = deny(&["check", "--hide-inclusion-graph", what]);
        tally += shell::count(&mut [check], Dialect::Silent)?;
    }

    let fetched = deny(&["fetch", "db"]).output()?.status.success();
    if fetched {
        let check = deny(&["check", "--disable-fetch", "advisories"]);
        tally += shell::count(&mut [check], Dialect::Silent)?;
    } else {
        println!("advisories: not checked, their database cannot be fetched from this machine");
        tally += Tally::SKIP;
    }
    Ok(tally)
}
