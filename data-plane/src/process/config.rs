//! Reading settings: defaults, then a TOML file, then `BAILIWICK_*` variables, then flags.
//!
//! A setting nobody knows is an error that names it: a misspelt `tls.cert_fiel` that is ignored means
//! plain http in production. Nested settings are written with two underscores in the environment
//! (`BAILIWICK_LOG__FORMAT=json`). Values are never repeated in an error, since one may be a password.

use std::{net::SocketAddr, path::Path};

use contract::redirect_uri::is_loopback;
use figment::{
    Figment, Provider,
    error::{Error, Kind},
    providers::{Env, Format, Toml},
};
use host::{HostPort, listen::parse_address};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use url::Url;

use super::{Failure, failure::ways_to_give};

const PREFIX: &str = "BAILIWICK_";

/// Variables of our own that are not settings: the test suites', and the path of the file.
const NOT_SETTINGS: [&str; 2] = ["BIN", "CONFIG"];
const TEST_VARIABLES: &str = "TEST_";

/// Reads the settings `T`, whose own defaults fill what is not given.
///
/// # Errors
/// One line that names the setting and where it was given.
pub fn read<T: DeserializeOwned>(file: Option<&Path>, flags: impl Provider) -> Result<T, Failure> {
    let mut figment = Figment::new();
    if let Some(path) = file {
        if !path.is_file() {
            return Err(Failure::new(
                format!("cannot read the configuration file {}", path.display()),
                "there is no such file",
            ));
        }
        figment = figment.merge(Toml::file_exact(path));
    }
    extract(figment.merge(environment()).merge(flags))
}

/// For `deserialize_with`: where to listen, as [`host::listen::parse_address`] reads it.
///
/// # Errors
/// Neither an IP address with a port, nor `localhost` with one.
pub fn address<'de, D: Deserializer<'de>>(given: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(given)?;
    parse_address(&text).map_err(D::Error::custom)
}

/// For `deserialize_with`: whom to connect to, a name or an IP address with a port.
///
/// # Errors
/// It is neither.
pub fn host_port<'de, D: Deserializer<'de>>(given: D) -> Result<Option<HostPort>, D::Error> {
    let text = String::deserialize(given)?;
    let parsed = text.parse().map(Some);
    parsed.map_err(|_| D::Error::custom("it must be host:port, such as control.example:7200"))
}

/// How browsers reach a listener: the URL that was set as `key`, or that of the socket.
///
/// # Errors
/// A URL that is no origin, one without https beyond loopback, or none for a listener on every address.
pub fn reached_at(
    key: &str,
    set: Option<&Url>,
    socket: SocketAddr,
    tls: bool,
) -> Result<Url, Failure> {
    let cannot = |why: &str| Failure::setting(key, why);
    let url = match set {
        Some(url) => url.clone(),
        // Nobody can open 0.0.0.0; what everyone sees has to be told.
        None if socket.ip().is_unspecified() => {
            return Err(cannot("it must be set when listening on every address"));
        }
        None => {
            let scheme = if tls { "https" } else { "http" };
            Url::parse(&format!("{scheme}://{socket}/"))
                .map_err(|error| cannot(&error.to_string()))?
        }
    };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => {
            return Err(cannot(
                "it must begin with https:// unless it is on loopback",
            ));
        }
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(cannot(
            "it must be an origin, without path, query or fragment",
        ));
    }
    Ok(url)
}

fn environment() -> Env {
    Env::prefixed(PREFIX)
        .filter(|key| {
            !key.starts_with(TEST_VARIABLES) && !NOT_SETTINGS.iter().any(|known| key == known)
        })
        .split("__")
}

fn extract<T: DeserializeOwned>(figment: Figment) -> Result<T, Failure> {
    figment.extract().map_err(|errors| {
        // Figment collects errors in a chain; the first is enough to act on.
        let first = errors.into_iter().next();
        let first = first.unwrap_or_else(|| Error::from("the settings cannot be read".to_owned()));
        Failure::new(place(&first), reason(&first.kind))
    })
}

/// Which setting is wrong, and where it was given.
fn place(error: &Error) -> String {
    let mut path: Vec<&str> = error.path.iter().map(String::as_str).collect();
    match &error.kind {
        Kind::UnknownField(name, _) if path.last() != Some(&name.as_str()) => path.push(name),
        Kind::MissingField(name) => path.push(name),
        _ => {}
    }
    // Flags and variables are named by what they are called; of a file one wants to know which.
    let source = error
        .metadata
        .as_ref()
        .and_then(|given| given.source.as_ref());
    let origin = source.map_or_else(String::new, |file| format!(" in {file}"));
    match path.as_slice() {
        [] => format!("cannot use the configuration{origin}"),
        path => format!(
            "cannot use the setting {}{origin}",
            ways_to_give(&path.join("."))
        ),
    }
}

fn reason(kind: &Kind) -> String {
    match kind {
        Kind::UnknownField(_, known) => {
            format!("there is no such setting; known are {}", known.join(", "))
        }
        // The found value stays out: it may be a secret.
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected)
            if matches!(expected.as_str(), "usize" | "u32" | "u64") =>
        {
            "it must be a whole number, and not below zero".to_owned()
        }
        Kind::InvalidType(_, expected)
        | Kind::InvalidValue(_, expected)
        | Kind::InvalidLength(_, expected) => format!("it must be {expected}"),
        Kind::UnknownVariant(_, known) => format!("it must be one of {}", known.join(", ")),
        Kind::MissingField(_) => "it is missing".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Log;

    #[derive(Debug, Deserialize, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        workers: usize,
        log: Log,
    }

    fn refuse(toml: &str) -> String {
        extract::<Settings>(Figment::from(Toml::string(toml)))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn settings_have_defaults_and_files_change_them() {
        let read: Settings = extract(Figment::from(Toml::string(
            "workers = 3\n[log]\nformat = \"json\"",
        )))
        .unwrap();
        assert_eq!(read.workers, 3);
        assert_eq!(read.log.filter, "info");
    }

    #[test]
    fn a_wrong_setting_is_named_and_its_value_is_not_repeated() {
        for (toml, expected) in [
            ("wrokers = 3", "wrokers"),
            ("[log]\nfromat = \"json\"", "log.fromat"),
            ("workers = \"geheim\"", "workers"),
            ("[log]\nformat = \"xml\"", "log.format"),
            ("[log]\nformat = \"xml\"", "BAILIWICK_LOG__FORMAT"),
            ("workers = -1", "a whole number"),
        ] {
            let error = refuse(toml);
            assert!(error.contains(expected), "{error}");
            assert!(
                !error.contains("geheim") && !error.contains('\n'),
                "{error}"
            );
        }
    }
}
