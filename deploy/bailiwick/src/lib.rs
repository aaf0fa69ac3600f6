//! The binary `bailiwick`: composition only.
//!
//! This crate chooses, connects and starts; it decides nothing about tenants. `up` runs every plane in
//! one process, on embedded stores or on PostgreSQL and Redis: the settings' URLs choose, the code is the
//! same. The control plane's releases reach the node as signed frames over a channel, verified like any
//! that crossed a network.
//!
//! `control-plane` runs the control plane alone, for nodes that connect over the network.
//!
//! `verify` needs no installation at all.
//!
//! The way through: [`cli`] and [`config`] → [`up`], [`control`] or [`token`] → [`planes`] → [`surfaces`]. A method of a
//! plane that only this crate needs is a sign that logic leaked into composition.

pub mod banner;
pub mod bus;
pub mod cli;
pub mod config;
pub mod control;
pub mod demo;
pub mod mailbox;
pub mod planes;
mod refused;
pub mod surfaces;
pub mod token;
pub mod up;
pub mod verify;

use std::io::{self, Write};

use data_plane::process::{Failure, config::read};

use self::{
    cli::{Cli, Command},
    config::Config,
};

/// Runs one command to its end.
///
/// # Errors
/// One line for the operator.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Up(up) => {
            let config: Config = read(up.settings.config.as_deref(), provide(up.overrides()))?;
            up::run(&config, up.demo).await
        }
        Command::ControlPlane(asked) => {
            let config: Config =
                read(asked.settings.config.as_deref(), provide(asked.overrides()))?;
            control::run(&config).await
        }
        Command::Token(token) => {
            let config: Config =
                read(token.settings.config.as_deref(), provide(token.overrides()))?;
            let minted = token::mint(&config, &token).await?;
            say(minted.expose())
        }
        Command::Verify(asked) => say(verify::run(&asked)?),
    }
}

fn provide(overrides: cli::Overrides) -> impl figment::Provider {
    figment::providers::Serialized::globals(overrides)
}

/// Writes to stdout, where people and scripts read; logs go to stderr.
pub(crate) fn say(text: impl std::fmt::Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(Failure::because("cannot write to standard output"))
}
