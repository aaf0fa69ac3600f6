//! The settings of `bailiwick`, with their defaults: one machine, embedded stores, loopback.
//!
//! Production differs by values only. A database URL of PostgreSQL and a state URL of Redis are enough
//! to run the same planes on them; no other setting says "production". Read by
//! [`data_plane::process::config::read`]; documented in `docs/operations.md`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use contract::tenant::Region;
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
    /// How browsers reach the console, if not at `console_addr`.
    pub console_url: Option<Url>,
    /// How browsers reach tenant endpoints, if not at `auth_addr`; the beginning of each issuer.
    pub auth_base_url: Option<Url>,
    /// The region of this installation.
    pub region: Region,
    /// Logs.
    pub log: Log,
    /// An OTLP/HTTP collector, such as `http://collector:4318`.
    pub otlp_endpoint: Option<String>,
    /// The control plane's store.
    pub control_plane: ControlPlaneSettings,
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
            console_url: None,
            auth_base_url: None,
            region: "local".parse().expect("a well-formed region"),
            log: Log::default(),
            otlp_endpoint: None,
            control_plane: ControlPlaneSettings::default(),
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
