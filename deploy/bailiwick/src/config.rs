//! The settings of `bailiwick`, with their defaults: one machine, embedded stores, loopback.
//!
//! Production differs by values only. A database URL of PostgreSQL and a state URL of Redis are enough
//! to run the same planes on them; no other setting says "production". Read by
//! [`data_plane::process::config::read`]; documented in `docs/operations.md`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use contract::tenant::Region;
use control_plane::{
    Bus, LocalBus, RegionPlace,
    rollouts::{DEFAULT_BAKE_SECONDS, MAX_BAKE_SECONDS},
};
use data_plane::{
    http::TrustedProxies,
    process::{
        Failure, Log, Mail, NodeSettings, SecretSetting, Tls,
        config::{address, reached_at},
    },
};
use host::{HostPort, Secret};
use serde::Deserialize;
use url::Url;

use crate::bus::RedisBus;

/// On which control planes of one installation ring; one Redis database serves one installation.
const BUS_CHANNEL: &str = "bailiwick:outbox";

/// Every setting of `bailiwick up` and `bailiwick token`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Keys, the node's snapshot, and embedded stores.
    pub data_dir: PathBuf,
    /// Where console and admin API listen.
    #[serde(deserialize_with = "address")]
    pub console_addr: SocketAddr,
    /// Where tenant endpoints listen.
    #[serde(deserialize_with = "address")]
    pub auth_addr: SocketAddr,
    /// Where nodes connect (`bailiwick control-plane`).
    #[serde(deserialize_with = "address")]
    pub push_addr: SocketAddr,
    /// How nodes reach it, if not at `push_addr`: `host:port`, as join tokens name it.
    pub push_address: Option<String>,
    /// How browsers reach the console, if not at `console_addr`.
    pub console_url: Option<Url>,
    /// How browsers reach tenant endpoints, if not at `auth_addr`; the beginning of each issuer.
    pub auth_base_url: Option<Url>,
    /// The region of this installation.
    pub region: Region,
    /// The regions of an installation of many nodes, the platform tenant's first; replaces `region` and
    /// `auth_base_url` (`bailiwick control-plane`).
    pub regions: Vec<RegionSettings>,
    /// Logs.
    pub log: Log,
    /// An OTLP/HTTP collector, such as `http://collector:4318`.
    pub otlp_endpoint: Option<String>,
    /// The control plane's store.
    pub control_plane: ControlPlaneSettings,
    /// How releases reach all nodes.
    pub rollout: RolloutSettings,
    /// The node's stores.
    pub node: NodeSettings,
    /// Where mail goes.
    pub mail: Mail,
    /// Certificate and key of both listeners.
    pub tls: Option<Tls>,
    /// Addresses and networks of the proxies in front of both listeners.
    pub trusted_proxies: TrustedProxies,
    /// Calls to places inside our own network.
    pub egress: EgressSettings,
}

/// The control plane's store.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControlPlaneSettings {
    /// `postgres://…` or `sqlite://…`; `control.db` in the data directory if not given.
    pub database_url: Option<Secret>,
    /// A file that holds it.
    pub database_url_file: Option<PathBuf>,
    /// `redis://…` or `rediss://…`: where control planes on one database wake each other. Without it they
    /// look once a second.
    pub bus_url: Option<Secret>,
    /// A file that holds it.
    pub bus_url_file: Option<PathBuf>,
}

/// How releases reach all nodes.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RolloutSettings {
    /// For how long a canary node serves a release before all nodes are given it, in seconds; at most a day.
    pub bake_seconds: u32,
}

impl Default for RolloutSettings {
    fn default() -> Self {
        Self {
            bake_seconds: DEFAULT_BAKE_SECONDS,
        }
    }
}

impl RolloutSettings {
    /// The same, once it is known to be in its range.
    ///
    /// # Errors
    /// More than a day.
    pub fn bake_seconds(&self) -> Result<u32, Failure> {
        if self.bake_seconds > MAX_BAKE_SECONDS {
            let why = format!("must be between 0 and {MAX_BAKE_SECONDS}");
            return Err(Failure::setting("rollout.bake_seconds", why));
        }
        Ok(self.bake_seconds)
    }
}

/// A region, and how browsers reach its nodes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionSettings {
    /// Its name.
    pub name: Region,
    /// The beginning of each issuer there.
    pub auth_base_url: Url,
}

/// Calls to places inside our own network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EgressSettings {
    /// `host:port` each. Public addresses need no entry.
    pub allow: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("bailiwick-data"),
            console_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 7000)),
            auth_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 7100)),
            push_addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 7200)),
            push_address: None,
            console_url: None,
            auth_base_url: None,
            regions: Vec::new(),
            region: "local".parse().expect("a well-formed region"),
            log: Log::default(),
            otlp_endpoint: None,
            control_plane: ControlPlaneSettings::default(),
            rollout: RolloutSettings::default(),
            node: NodeSettings::default(),
            mail: Mail::default(),
            tls: None,
            trusted_proxies: TrustedProxies::default(),
            egress: EgressSettings::default(),
        }
    }
}

impl ControlPlaneSettings {
    /// The store's URL, or `embedded` if none is set.
    ///
    /// # Errors
    /// Two sources, or an unreadable file.
    pub fn database_url(&self, embedded: String) -> Result<Secret, Failure> {
        SecretSetting {
            key: "control_plane.database_url",
            value: self.database_url.as_ref(),
            file: self.database_url_file.as_deref(),
        }
        .read_or(embedded)
    }

    /// How control planes on one database wake each other.
    ///
    /// # Errors
    /// Two sources, an unreadable file, or an address that is not one of Redis.
    pub fn bus(&self) -> Result<Arc<dyn Bus>, Failure> {
        let key = "control_plane.bus_url";
        let setting = SecretSetting {
            key,
            value: self.bus_url.as_ref(),
            file: self.bus_url_file.as_deref(),
        };
        let Some(url) = setting.read()? else {
            return Ok(Arc::new(LocalBus::default()));
        };
        match RedisBus::start(url.expose(), BUS_CHANNEL) {
            Ok(bus) => Ok(Arc::new(bus)),
            // The error may quote the address, which may hold a password.
            Err(_) => Err(Failure::setting(
                key,
                "it is not an address such as redis://cache:6379/0",
            )),
        }
    }
}

impl EgressSettings {
    /// The places as values.
    ///
    /// # Errors
    /// An entry that is not `host:port`.
    pub fn places(&self) -> Result<Vec<HostPort>, Failure> {
        self.allow
            .iter()
            .map(|place| {
                place
                    .parse()
                    .map_err(|error| Failure::setting("egress.allow", error))
            })
            .collect()
    }
}

/// How the process is reached, once it is known where it listens.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// The console, without a slash at the end of its path.
    pub console: Url,
    /// Tenant endpoints.
    pub auth: Url,
}

impl Config {
    /// The regions of `bailiwick control-plane`, each at an address that browsers can use.
    ///
    /// # Errors
    /// No region has an address, an address that browsers could not use, or the same things said twice.
    pub fn region_places(&self) -> Result<Vec<RegionPlace>, Failure> {
        let listed = match (&self.auth_base_url, self.regions.as_slice()) {
            (Some(_), [_, ..]) => {
                let why = "regions is set as well; each region names its own";
                return Err(Failure::setting("auth_base_url", why));
            }
            (None, []) => {
                let why =
                    "it is needed, or regions: nodes are elsewhere, so their address must be said";
                return Err(Failure::setting("auth_base_url", why));
            }
            (Some(url), []) => vec![(&self.region, url)],
            (None, regions) => regions
                .iter()
                .map(|region| (&region.name, &region.auth_base_url))
                .collect(),
        };
        listed
            .into_iter()
            .map(|(region, url)| {
                // A URL that was set is judged by itself, whatever socket there is.
                let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
                let url = reached_at("auth_base_url", Some(url), nowhere, true)?;
                Ok(RegionPlace::new(region.clone(), url))
            })
            .collect()
    }

    /// How nodes reach the push socket.
    ///
    /// # Errors
    /// `push_address` is not `host:port`, or is needed because the socket listens everywhere.
    pub fn push_place(&self, socket: SocketAddr) -> Result<HostPort, Failure> {
        match &self.push_address {
            Some(text) => text
                .parse()
                .map_err(|error| Failure::setting("push_address", error)),
            None if socket.ip().is_unspecified() => {
                let why = "push_addr is every address, so nodes must be told one";
                Err(Failure::setting("push_address", why))
            }
            None => Ok(socket
                .to_string()
                .parse()
                .expect("an address with a port is host:port")),
        }
    }

    /// The URLs that were set, or those of the sockets.
    ///
    /// # Errors
    /// A URL that browsers could not use as an origin.
    pub fn addresses(&self, console: SocketAddr, auth: SocketAddr) -> Result<Addresses, Failure> {
        let tls = self.tls.is_some();
        Ok(Addresses {
            console: reached_at("console_url", self.console_url.as_ref(), console, tls)?,
            auth: reached_at("auth_base_url", self.auth_base_url.as_ref(), auth, tls)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_the_sockets_unless_told() {
        let socket: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        let mut config = Config::default();
        let addresses = config.addresses(socket, socket).unwrap();
        assert_eq!(addresses.console.as_str(), "http://127.0.0.1:4711/");
        config.console_url = Some("https://console.example/".parse().unwrap());
        let addresses = config.addresses(socket, socket).unwrap();
        assert_eq!(addresses.console.as_str(), "https://console.example/");
    }

    #[test]
    fn addresses_nobody_could_use_are_refused() {
        let socket: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        for bad in [
            "http://console.example/",
            "https://console.example/x",
            "ftp://127.0.0.1/",
        ] {
            let config = Config {
                console_url: Some(bad.parse().unwrap()),
                ..Config::default()
            };
            let error = config.addresses(socket, socket).unwrap_err().to_string();
            assert!(error.contains("console_url"), "{error}");
        }
        let everywhere: SocketAddr = "0.0.0.0:4711".parse().unwrap();
        assert!(Config::default().addresses(everywhere, socket).is_err());
    }

    #[test]
    fn a_bake_lasts_a_day_at_most_r_node_06() {
        for (bake_seconds, fits) in [(0, true), (30, true), (86_400, true), (86_401, false)] {
            let settings = RolloutSettings { bake_seconds };
            assert_eq!(settings.bake_seconds().is_ok(), fits, "{bake_seconds}");
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        let config = Config {
            node: NodeSettings {
                state_url: Some(Secret::new("redis://:geheim@cache")),
                ..NodeSettings::default()
            },
            ..Config::default()
        };
        assert!(!format!("{config:?}").contains("geheim"));
        let url = config.node.state_url().unwrap();
        assert_eq!(url.expose(), "redis://:geheim@cache");
    }
}
