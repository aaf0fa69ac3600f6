//! TLS 1.3 with certificates of our own authorities, on both sides.

use std::{fmt, io, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    server::{Acceptor, NoServerSessionStorage, WebPkiClientVerifier},
    time_provider::TimeProvider,
    version::TLS13,
};
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake, TlsConnector, client, server};
use zeroize::Zeroizing;

use crate::{Clock, HostPort};

/// Why a connection cannot be prepared or made. One line, fit to be printed; nothing secret in it.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A certificate or key cannot be used.
    #[error("the certificate or key cannot be used: {0}")]
    Unusable(String),
    /// The other side cannot be reached.
    #[error("{address} cannot be reached: {source}")]
    Unreachable {
        /// `host:port`.
        address: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The handshake failed: the other side does not prove who it is, or does not believe who we are.
    #[error("the handshake failed: {0}")]
    Handshake(io::Error),
    /// The other side's certificate is not valid yet or any more, by this side's clock.
    #[error("the other side's certificate is not valid at this side's time: {0}")]
    OtherTime(io::Error),
    /// The other side did not get there in time.
    #[error("the other side did not answer in time")]
    Late,
}

/// A certificate chain with its private key.
#[derive(Clone)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Zeroizing<Vec<u8>>,
}

impl Identity {
    /// Wraps a certificate in DER and its key in PKCS #8.
    pub fn new(certificate: Vec<u8>, key: Zeroizing<Vec<u8>>) -> Self {
        Self {
            chain: vec![certificate.into()],
            key,
        }
    }

    fn parts(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(self.key.to_vec());
        (self.chain.clone(), key.into())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// How a side that listens proves itself, and what it demands.
#[derive(Clone, Debug)]
pub struct Server(Arc<ServerConfig>);

impl Server {
    /// Demands a certificate of one of `roots`; without one the handshake fails (R-NODE-02).
    ///
    /// # Errors
    /// Certificate, key or roots cannot be used.
    pub fn mutual(
        identity: &Identity,
        roots: &[Vec<u8>],
        alpn: &[u8],
        clock: &Clock,
    ) -> Result<Self, WireError> {
        let store = Arc::new(trusted(roots)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(store, provider())
            .build()
            .map_err(unusable)?;
        let config = server_builder(clock)?.with_client_cert_verifier(verifier);
        Self::finish(config, identity, alpn)
    }

    /// Demands nothing of whoever comes: only for a conversation that begins with another proof.
    ///
    /// # Errors
    /// Certificate or key cannot be used.
    pub fn open(identity: &Identity, alpn: &[u8], clock: &Clock) -> Result<Self, WireError> {
        let config = server_builder(clock)?.with_no_client_auth();
        Self::finish(config, identity, alpn)
    }

    fn finish(
        config: rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert>,
        identity: &Identity,
        alpn: &[u8],
    ) -> Result<Self, WireError> {
        let (chain, key) = identity.parts();
        let mut config = config.with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = vec![alpn.to_vec()];
        // A resumed session would carry the proof of an earlier one, past the certificate's end or revocation.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self(Arc::new(config)))
    }
}

/// How a side that connects proves itself, and whom it believes.
#[derive(Clone, Debug)]
pub struct Client(Arc<ClientConfig>);

impl Client {
    /// Believes a server with a certificate of one of `roots`, and proves itself if it has an identity.
    ///
    /// # Errors
    /// Certificate, key or roots cannot be used.
    pub fn new(
        identity: Option<&Identity>,
        roots: &[Vec<u8>],
        alpn: &[u8],
        clock: &Clock,
    ) -> Result<Self, WireError> {
        let builder = ClientConfig::builder_with_details(provider(), now_of(clock))
            .with_protocol_versions(&[&TLS13])
            .map_err(unusable)?
            .with_root_certificates(trusted(roots)?);
        let mut config = match identity {
            Some(identity) => {
                let (chain, key) = identity.parts();
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(unusable)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Self(Arc::new(config)))
    }
}

/// Connects to `address` and demands that the other side is `name`, within `limit`.
///
/// # Errors
/// See [`WireError`].
pub async fn connect(
    address: &HostPort,
    name: &'static str,
    client: &Client,
    limit: Duration,
) -> Result<client::TlsStream<TcpStream>, WireError> {
    let name = ServerName::try_from(name).map_err(unusable)?;
    let connecting = async {
        let tcp = TcpStream::connect(address.to_string())
            .await
            .and_then(prompt)
            .map_err(|source| WireError::Unreachable {
                address: address.to_string(),
                source,
            })?;
        let connector = TlsConnector::from(Arc::clone(&client.0));
        connector.connect(name, tcp).await.map_err(not_shaken)
    };
    tokio::time::timeout(limit, connecting)
        .await
        .unwrap_or(Err(WireError::Late))
}

/// Tells clocks that disagree from sides that do not believe each other.
fn not_shaken(error: io::Error) -> WireError {
    use rustls::CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    let inner = error.get_ref();
    let inner = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. },
        )) => WireError::OtherTime(error),
        _ => WireError::Handshake(error),
    }
}

/// A connection that said what it is for, and no more yet.
pub struct Waiting(StartHandshake<TcpStream>);

impl Waiting {
    /// Reads the first message of whoever connected.
    ///
    /// # Errors
    /// It does not speak TLS.
    pub async fn of(tcp: TcpStream) -> Result<Self, WireError> {
        let tcp = prompt(tcp).map_err(WireError::Handshake)?;
        LazyConfigAcceptor::new(Acceptor::default(), tcp)
            .await
            .map(Self)
            .map_err(WireError::Handshake)
    }

    /// Whether it wants to speak this protocol, and no other.
    pub fn wants(&self, alpn: &[u8]) -> bool {
        let hello = self.0.client_hello();
        hello
            .alpn()
            .is_some_and(|mut offered| offered.next() == Some(alpn) && offered.next().is_none())
    }

    /// Completes the handshake.
    ///
    /// # Errors
    /// Whoever connected does not prove what `server` demands.
    pub async fn welcome(self, server: &Server) -> Result<Peer, WireError> {
        self.0
            .into_stream(Arc::clone(&server.0))
            .await
            .map(Peer)
            .map_err(WireError::Handshake)
    }
}

/// Whoever connected, after the handshake.
#[derive(Debug)]
pub struct Peer(server::TlsStream<TcpStream>);

impl Peer {
    /// The certificate it proved to hold the key of, in DER; `None` if none was demanded.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        let chain = self.0.get_ref().1.peer_certificates()?;
        chain.first().map(|first| first.to_vec())
    }

    /// The connection.
    pub fn into_stream(self) -> server::TlsStream<TcpStream> {
        self.0
    }
}

/// Time for certificates: the process's clock, which a test can move.
#[derive(Debug)]
struct Now(Clock);

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().timestamp()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

fn now_of(clock: &Clock) -> Arc<dyn TimeProvider> {
    Arc::new(Now(clock.clone()))
}

fn provider() -> Arc<CryptoProvider> {
    // Named here, because a process default would panic if a dependency brought a second provider.
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn server_builder(
    clock: &Clock,
) -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, WireError> {
    ServerConfig::builder_with_details(provider(), now_of(clock))
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)
}

fn trusted(roots: &[Vec<u8>]) -> Result<RootCertStore, WireError> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store
            .add(CertificateDer::from(root.clone()))
            .map_err(unusable)?;
    }
    Ok(store)
}

/// Frames are small and awaited: none waits for the next one to fill a packet.
fn prompt(tcp: TcpStream) -> io::Result<TcpStream> {
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

fn unusable(error: impl fmt::Display) -> WireError {
    WireError::Unusable(error.to_string())
}
