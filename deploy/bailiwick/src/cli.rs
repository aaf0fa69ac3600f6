//! The command line: subcommands and flags, nothing of what they do.
//!
//! A flag exists for what one types by hand; everything else is a setting of the file or the
//! environment, so that the list stays readable.

use std::{net::SocketAddr, path::PathBuf};

use chrono::TimeDelta;
use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use contract::{role::Role, tenant::Slug};
use host::listen::parse_address;
use serde::Serialize;

/// Managed customer identity in which who holds authority is written down, enforced and reversible.
#[derive(Debug, Parser)]
#[command(name = "bailiwick", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in one process: control plane, node, console, admin API
    ///
    /// Stores lie in the data directory unless the settings name PostgreSQL and Redis; then the same
    /// planes run on those.
    Up(Up),
    /// Run the control plane of an installation of many nodes: console, admin API, push address
    ///
    /// Nodes are processes of their own (`bailiwick-node`). Any number of control planes may run on one
    /// PostgreSQL; each needs the same `kek` file in its data directory.
    ControlPlane(ControlPlane),
    /// Print an access token for the admin API
    ///
    /// Whoever can read the data directory may use it, whether `up` is running or not. Each use is
    /// written to the audit log.
    Token(Token),
    /// Check the receipt of a containment, offline
    ///
    /// Needs nothing but the receipt and the trust root: no network, no data directory. Ends with 1 and the
    /// reason if any part of the receipt does not hold.
    Verify(Verify),
}

/// `bailiwick up`.
#[derive(Debug, Args)]
pub struct Up {
    /// Settings that this command line changes.
    #[command(flatten)]
    pub settings: Settings,
    /// Console and admin API [default: 127.0.0.1:7000]
    #[arg(long, value_name = "IP:PORT", value_parser = parse_address)]
    pub console_addr: Option<SocketAddr>,
    /// Tenant endpoints and hosted pages [default: 127.0.0.1:7100]
    #[arg(long, value_name = "IP:PORT", value_parser = parse_address)]
    pub auth_addr: Option<SocketAddr>,
    /// Seed a vendor and a tenant `acme` for trying out, and write their credentials to demo.json
    ///
    /// Refused where somebody owns the installation already: the demo's owner has a password in a file.
    #[arg(long)]
    pub demo: bool,
}

/// `bailiwick control-plane`.
#[derive(Debug, Args)]
pub struct ControlPlane {
    /// Settings that this command line changes.
    #[command(flatten)]
    pub settings: Settings,
    /// Console and admin API [default: 127.0.0.1:7000]
    #[arg(long, value_name = "IP:PORT", value_parser = parse_address)]
    pub console_addr: Option<SocketAddr>,
    /// Where nodes connect [default: 127.0.0.1:7200]
    #[arg(long, value_name = "IP:PORT", value_parser = parse_address)]
    pub push_addr: Option<SocketAddr>,
}

/// `bailiwick token`.
#[derive(Debug, Args)]
pub struct Token {
    /// Settings that this command line changes.
    #[command(flatten)]
    pub settings: Settings,
    /// Act in this tenant instead of on the platform
    #[arg(long, value_name = "SLUG")]
    pub tenant: Option<Slug>,
    /// The role to act in [default: platform_owner, or tenant_owner with --tenant]
    #[arg(long, value_parser = role_parser())]
    pub role: Option<Role>,
    /// How long it is valid, at most 1h: 90s, 15m, 1h
    #[arg(long, default_value = "15m", value_parser = parse_ttl)]
    pub ttl: TimeDelta,
}

/// `bailiwick verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The receipt, as it was downloaded
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Whom to believe: trust.json of a data directory, or `/v1/trust-root`, fetched before it is needed
    #[arg(long, value_name = "FILE")]
    pub trust: PathBuf,
}

/// Flags that every subcommand knows.
#[derive(Debug, Args)]
pub struct Settings {
    /// Where keys and embedded stores lie [default: ./bailiwick-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// A TOML file with settings; see docs/operations.md
    #[arg(long, value_name = "FILE", env = "BAILIWICK_CONFIG")]
    pub config: Option<PathBuf>,
}

/// The flags that are settings: they win over file and environment.
#[derive(Debug, Default, Serialize)]
pub struct Overrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    console_addr: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_addr: Option<SocketAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    push_addr: Option<SocketAddr>,
}

impl Up {
    /// The flags that are settings.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            data_dir: self.settings.data_dir.clone(),
            console_addr: self.console_addr,
            auth_addr: self.auth_addr,
            ..Overrides::default()
        }
    }
}

impl ControlPlane {
    /// The flags that are settings.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            data_dir: self.settings.data_dir.clone(),
            console_addr: self.console_addr,
            push_addr: self.push_addr,
            ..Overrides::default()
        }
    }
}

impl Token {
    /// The flags that are settings.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            data_dir: self.settings.data_dir.clone(),
            ..Overrides::default()
        }
    }
}

/// Longest life of a token for the command line: it cannot be revoked, only outlived.
const LONGEST_TTL: TimeDelta = TimeDelta::hours(1);

/// Takes a role by its name; help and refusals list all of them.
fn role_parser() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str)).try_map(|name| name.parse::<Role>())
}

fn parse_ttl(text: &str) -> Result<TimeDelta, String> {
    let malformed = || "must be a number and s, m or h, such as 15m".to_owned();
    let (digits, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .ok_or_else(malformed)?;
    let number: u32 = digits.parse().map_err(|_| malformed())?;
    let ttl = match unit {
        "s" => TimeDelta::seconds(number.into()),
        "m" => TimeDelta::minutes(number.into()),
        "h" => TimeDelta::hours(number.into()),
        _ => return Err(malformed()),
    };
    if ttl < TimeDelta::seconds(1) || ttl > LONGEST_TTL {
        return Err("must be from 1s to 1h".to_owned());
    }
    Ok(ttl)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn lives_of_tokens() {
        assert_eq!(parse_ttl("15m"), Ok(TimeDelta::minutes(15)));
        assert_eq!(parse_ttl("90s"), Ok(TimeDelta::seconds(90)));
        for bad in ["", "m", "0s", "2h", "15", "-1m", "15d", "1ü"] {
            assert!(parse_ttl(bad).is_err(), "{bad}");
        }
    }
}
