//! The one guarded client for outbound HTTP (R-SSRF-01 to 03).
//!
//! Tenants tell us URLs: of webhooks, identity providers, key sets. A server that calls whatever it is
//! told can be sent to its own database or to a cloud's metadata service. So every call goes through
//! here: https on ports 443 and 8443, to public addresses only, checked at the moment of connecting
//! (what is resolved is what is connected to, so a rebinding DNS answer gains nothing); no redirects,
//! cookies, credentials in URLs, proxies or compression; one deadline and one cap on the answer.
//!
//! What an installation itself needs inside its network is named host by host and port by port in
//! [`EgressPolicy::allow`]. There must never be a switch that turns the guard off.

mod address;
mod resolver;

use std::{fmt, str::FromStr, time::Duration};

use http::header::COOKIE;
use reqwest::{Client, redirect};
use thiserror::Error;
use url::{Host, Url};

use resolver::{Guarded, Lookup, system_lookup};

const PORTS: &[u16] = &[443, 8443];

/// What may be called beyond the public internet, and how much an answer may cost.
#[derive(Clone, Debug)]
pub struct EgressPolicy {
    /// Hosts inside our own network that this installation needs, such as a node on loopback; http is
    /// allowed to these.
    pub allow: Vec<HostPort>,
    /// Longest accepted body, in bytes.
    pub body_limit: usize,
    /// Time for the whole exchange, name resolution included.
    pub deadline: Duration,
}

impl Default for EgressPolicy {
    /// Nothing beyond the public internet, 64 KiB, 5 s.
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            body_limit: 64 * 1024,
            deadline: Duration::from_secs(5),
        }
    }
}

/// A host and a port, such as `127.0.0.1:7100`, `[::1]:7100` or `auth.internal:443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    host: Host<String>,
    port: u16,
}

/// The text is not `host:port`.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} is not host:port")]
pub struct InvalidHostPort(String);

impl FromStr for HostPort {
    type Err = InvalidHostPort;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidHostPort(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        Ok(Self {
            host: Host::parse(host).map_err(|_| invalid())?,
            port: port.parse().map_err(|_| invalid())?,
        })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why a call was not made or its answer not taken. Safe to show to whoever gave the URL: it does not
/// tell which addresses a name has, nor what answered.
#[derive(Debug, Error)]
pub enum EgressError {
    /// Not an absolute URL with a host.
    #[error("not a URL that can be called")]
    Url,
    /// http to a host that is not on the allow-list, or another scheme.
    #[error("only https can be called")]
    Scheme,
    /// A port other than 443 and 8443.
    #[error("port {0} cannot be called; use 443 or 8443")]
    Port(u16),
    /// User name or password in the URL.
    #[error("a URL with credentials in it cannot be called")]
    Credentials,
    /// The host is, or resolves to, an address outside the public internet.
    #[error("the host is not on the public internet")]
    Address,
    /// The deadline passed.
    #[error("no complete answer in time")]
    TimedOut,
    /// The answer is longer than the policy takes.
    #[error("the answer is longer than {0} bytes")]
    BodyTooLarge(usize),
    /// No connection, no TLS, or broken off.
    #[error("the host could not be reached")]
    Connection(#[source] reqwest::Error),
    /// This machine cannot make TLS connections at all.
    #[error("cannot set up outbound TLS (are the system's CA certificates installed?): {0}")]
    Setup(#[source] reqwest::Error),
}

/// The client. Clones share it.
#[derive(Clone, Debug)]
pub struct Egress {
    policy: EgressPolicy,
    ports: &'static [u16],
    /// For the public internet: connects only to addresses it has checked.
    guarded: Client,
    /// For what the policy allows by name.
    allowed: Client,
}

impl Egress {
    /// Makes the client.
    ///
    /// # Errors
    /// [`EgressError::Setup`].
    pub fn new(policy: EgressPolicy) -> Result<Self, EgressError> {
        Self::with(policy, PORTS, system_lookup())
    }

    fn with(
        policy: EgressPolicy,
        ports: &'static [u16],
        lookup: Lookup,
    ) -> Result<Self, EgressError> {
        let guarded = client(&policy)
            .https_only(true)
            .dns_resolver(Guarded(lookup))
            .build();
        let allowed = client(&policy).build();
        Ok(Self {
            guarded: guarded.map_err(EgressError::Setup)?,
            allowed: allowed.map_err(EgressError::Setup)?,
            policy,
            ports,
        })
    }

    /// The same client with another cap on the answer, such as 256 KiB for a key set (R-SSRF-03).
    pub fn with_body_limit(&self, bytes: usize) -> Self {
        let mut egress = self.clone();
        egress.policy.body_limit = bytes;
        egress
    }

    /// Says whether `url` could be called, as far as the URL alone tells: for the moment it is
    /// registered. Every call checks again, and the addresses too.
    ///
    /// # Errors
    /// [`EgressError`], the first rule that is broken.
    pub fn check(&self, url: &Url) -> Result<(), EgressError> {
        self.client_for(url).map(|_| ())
    }

    /// Makes the call. A redirect is an answer like any other: it is returned, not followed.
    ///
    /// # Errors
    /// [`EgressError`]; when a rule is broken, no connection was made.
    pub async fn send(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, EgressError> {
        let mut request = reqwest::Request::try_from(request).map_err(|_| EgressError::Url)?;
        let client = self.client_for(request.url())?;
        request.headers_mut().remove(COOKIE);
        let response = client.execute(request).await.map_err(classify)?;
        let mut answer = http::Response::new(Vec::new());
        *answer.status_mut() = response.status();
        *answer.version_mut() = response.version();
        *answer.headers_mut() = response.headers().clone();
        *answer.body_mut() = self.read(response).await?;
        Ok(answer)
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Vec<u8>, EgressError> {
        let limit = self.policy.body_limit;
        let too_large = || EgressError::BodyTooLarge(limit);
        if response
            .content_length()
            .is_some_and(|length| length > limit as u64)
        {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(classify)? {
            if chunk.len() > limit - body.len() {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn client_for(&self, url: &Url) -> Result<&Client, EgressError> {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(EgressError::Url);
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressError::Credentials);
        }
        let host = host.to_owned();
        let is_http = matches!(url.scheme(), "http" | "https");
        if is_http
            && self.policy.allow.contains(&HostPort {
                host: host.clone(),
                port,
            })
        {
            return Ok(&self.allowed);
        }
        if url.scheme() != "https" {
            return Err(EgressError::Scheme);
        }
        // A literal address never reaches the resolver, so it is judged here.
        let literal = match host {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        };
        if literal.is_some_and(|address| !address::is_public(address)) {
            return Err(EgressError::Address);
        }
        if !self.ports.contains(&port) {
            return Err(EgressError::Port(port));
        }
        Ok(&self.guarded)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the guarded client itself"
)]
fn client(policy: &EgressPolicy) -> reqwest::ClientBuilder {
    Client::builder()
        .user_agent(concat!("bailiwick/", env!("CARGO_PKG_VERSION")))
        .timeout(policy.deadline)
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        // Decompression would let a small answer grow past the cap, whatever features other crates enable.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        // A kept connection would outlive the check of its address.
        .pool_max_idle_per_host(0)
}

fn classify(error: reqwest::Error) -> EgressError {
    if resolver::refused(&error) {
        EgressError::Address
    } else if error.is_timeout() {
        EgressError::TimedOut
    } else {
        // The URL may carry a token in its path or query; errors are logged.
        EgressError::Connection(error.without_url())
    }
}

#[cfg(test)]
mod tests;
