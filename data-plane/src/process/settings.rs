//! Settings that every process of ours has: logs, mail, TLS, and secrets kept in files.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use host::{HostPort, LogFormat, Secret, Telemetry, TelemetryConfig, telemetry::TelemetryError};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde::Deserialize;

use super::{Failure, config::host_port};

/// How the process logs.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For a person (`pretty`) or for a collector (`json`).
    pub format: LogFormat,
    /// Which lines are written: directives such as `info,data_plane=debug`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Pretty,
            filter: "info".to_owned(),
        }
    }
}

impl Log {
    /// Starts logs, metrics and traces.
    ///
    /// # Errors
    /// One line that names the setting.
    pub fn start(&self, service: &str, otlp_endpoint: Option<&str>) -> Result<Telemetry, Failure> {
        let config = TelemetryConfig {
            service: service.to_owned(),
            log_format: self.format,
            filter: self.filter.clone(),
            otlp_endpoint: otlp_endpoint.map(str::to_owned),
        };
        Telemetry::start(&config).map_err(|error| match error {
            TelemetryError::Filter { .. } => Failure::setting("log.filter", error),
            TelemetryError::Otlp { .. } => Failure::setting("otlp_endpoint", error),
            TelemetryError::Metrics(_) => Failure::new("cannot start telemetry", error),
        })
    }
}

/// Where mail goes. Without a server it stays in the process's own mailbox.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mail {
    /// A file that holds `smtp://` or `smtps://user:password@host:port`.
    pub smtp_url_file: Option<PathBuf>,
    /// The sender's address.
    pub from: Option<String>,
}

/// Certificate and key of the listeners; without them they speak plain http.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM: the certificate, then its intermediates.
    pub cert_file: PathBuf,
    /// PEM: the private key.
    pub key_file: PathBuf,
}

impl Tls {
    /// Reads both files. They are read once: a renewed certificate needs a restart.
    ///
    /// # Errors
    /// One line that names the file.
    pub fn server_config(&self) -> Result<ServerConfig, Failure> {
        let chain = CertificateDer::pem_file_iter(&self.cert_file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable("tls.cert_file", &self.cert_file, &error))?;
        let key = PrivateKeyDer::from_pem_file(&self.key_file)
            .map_err(|error| unreadable("tls.key_file", &self.key_file, &error))?;
        // Named here, because a process default would panic if a dependency brought a second provider.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(Failure::because(
                "cannot use tls.cert_file and tls.key_file",
            ))
    }
}

/// The node's stores.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeSettings {
    /// `postgres://…` or `sqlite://…`; `identity.db` in the data directory if not given.
    pub identity_url: Option<Secret>,
    /// A file that holds it.
    pub identity_url_file: Option<PathBuf>,
    /// `memory:` (if not given), `redis://…` or `rediss://…`.
    pub state_url: Option<Secret>,
    /// A file that holds it.
    pub state_url_file: Option<PathBuf>,
    /// How many passwords are hashed at once; 0 is one per core.
    pub hash_workers: usize,
}

impl NodeSettings {
    /// The identity store's URL, or `embedded` if none is set.
    ///
    /// # Errors
    /// Two sources, or an unreadable file.
    pub fn identity_url(&self, embedded: String) -> Result<Secret, Failure> {
        SecretSetting {
            key: "node.identity_url",
            value: self.identity_url.as_ref(),
            file: self.identity_url_file.as_deref(),
        }
        .read_or(embedded)
    }

    /// The URL of the short-lived state; memory if none is set.
    ///
    /// # Errors
    /// Two sources, or an unreadable file.
    pub fn state_url(&self) -> Result<Secret, Failure> {
        SecretSetting {
            key: "node.state_url",
            value: self.state_url.as_ref(),
            file: self.state_url_file.as_deref(),
        }
        .read_or("memory:")
    }
}

/// How a node reaches its control plane.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PushSettings {
    /// `host:port` of the control plane, if not what the join token said.
    #[serde(deserialize_with = "host_port")]
    pub address: Option<HostPort>,
    /// A file with a join token, for a process that is no node yet.
    pub join_token_file: Option<PathBuf>,
}

/// A setting that may hold a password: given as a value, or better as a file.
#[derive(Debug, Clone, Copy)]
pub struct SecretSetting<'a> {
    /// Its key; the file's key is the same with `_file`.
    pub key: &'static str,
    /// The value, if given.
    pub value: Option<&'a Secret>,
    /// The file, if given.
    pub file: Option<&'a Path>,
}

impl SecretSetting<'_> {
    /// The secret, or `None` if neither was given.
    ///
    /// # Errors
    /// Both were given, or the file cannot be read.
    pub fn read(&self) -> Result<Option<Secret>, Failure> {
        match (self.value, self.file) {
            (Some(_), Some(_)) => Err(Failure::setting(
                self.key,
                format!("{}_file is set as well; choose one", self.key),
            )),
            (Some(value), None) => Ok(Some(value.clone())),
            (None, Some(file)) => read_secret(self.key, file).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The secret, or `otherwise` if neither was given.
    ///
    /// # Errors
    /// As [`SecretSetting::read`].
    pub fn read_or(&self, otherwise: impl Into<String>) -> Result<Secret, Failure> {
        Ok(self.read()?.unwrap_or_else(|| Secret::new(otherwise)))
    }
}

/// The content of a file that holds one secret, without the line's end.
///
/// # Errors
/// One line that names the setting and the file.
pub fn read_secret(key: &str, file: &Path) -> Result<Secret, Failure> {
    fs::read_to_string(file)
        .map(|text| Secret::new(text.trim()))
        .map_err(|error| unreadable(&format!("{key}_file"), file, &error))
}

fn unreadable(key: &str, file: &Path, why: &dyn fmt::Display) -> Failure {
    Failure::setting(key, format!("{} cannot be read: {why}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_plane_has_a_host_and_a_port() {
        let read = |address| {
            let given = serde_json::json!({ "address": address });
            serde_json::from_value::<PushSettings>(given)
        };
        let address = read("control.example:7200").unwrap().address;
        assert_eq!(address.unwrap().to_string(), "control.example:7200");
        for wrong in ["control.example", "wss://control.example:7200/", ":1"] {
            let error = read(wrong).unwrap_err().to_string();
            assert!(error.starts_with("it must be host:port"), "{error}");
        }
    }

    #[test]
    fn a_secret_comes_from_one_place() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("url");
        fs::write(&file, "redis://:pw@cache\n").unwrap();
        let value = Secret::new("memory:");
        let setting = |value, file| SecretSetting {
            key: "state_url",
            value,
            file,
        };
        let read = setting(None, Some(file.as_path())).read().unwrap();
        assert_eq!(read.unwrap().expose(), "redis://:pw@cache");
        assert!(setting(None, None).read().unwrap().is_none());
        let both = setting(Some(&value), Some(file.as_path())).read();
        assert!(both.unwrap_err().to_string().contains("state_url_file"));
        let missing = setting(None, Some(Path::new("/nonexistent/x"))).read();
        assert!(missing.unwrap_err().to_string().contains("/nonexistent/x"));
    }
}
