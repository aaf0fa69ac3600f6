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
use serde::de::DeserializeOwned;
use url::Url;

use super::Failure;

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
    let cannot = |why: &str| Failure::new(format!("cannot use the setting {key}"), why);
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
    if let Kind::UnknownField(name, _) = &error.kind
        && path.last() != Some(&name.as_str())
    {
        path.push(name);
    }
    let origin = error
        .metadata
        .as_ref()
        .map_or_else(String::new, |given| match &given.source {
            Some(source) => format!(" in {source}"),
            None => format!(" in {}", given.name),
        });
    match path.as_slice() {
        [] => format!("cannot use the configuration{origin}"),
        path => format!("cannot use the setting {}{origin}", path.join(".")),
    }
}

fn reason(kind: &Kind) -> String {
    match kind {
        Kind::UnknownField(_, known) => {
            format!("there is no such setting; known are {}", known.join(", "))
        }
        // The found value stays out: it may be a secret.
        Kind::InvalidType(_, expected)
        | Kind::InvalidValue(_, expected)
        | Kind::InvalidLength(_, expected) => format!("it must be {expected}"),
        Kind::UnknownVariant(_, known) => format!("it must be one of {}", known.join(", ")),
        Kind::MissingField(name) => format!("{name} is missing"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

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
