//! Who gets a connection, and what travels on it.

use std::{net::SocketAddr, time::Duration};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use zeroize::Zeroizing;

use super::*;
use crate::{Clock, HostPort, ManualClock};

const NAME: &str = "server.test";
const ALPN: &[u8] = b"test/1";
const LIMIT: Duration = Duration::from_secs(10);
const LIMITS: Limits = Limits {
    frame_bytes: 1024,
    silence: LIMIT,
    stall: LIMIT,
};

/// An authority whose certificates are good in the first days of 2026.
struct Authority {
    certificate: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        Self {
            certificate: params.self_signed(&key).unwrap().der().to_vec(),
            issuer: Issuer::new(params, key),
        }
    }

    fn issue(&self, names: &[&str], usage: ExtendedKeyUsagePurpose) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 1, 3);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity::new(
            certificate.der().to_vec(),
            Zeroizing::new(key.serialize_der()),
        )
    }

    fn server(&self) -> Identity {
        self.issue(&[NAME], ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn client(&self) -> Identity {
        self.issue(&[], ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn roots(&self) -> [Vec<u8>; 1] {
        [self.certificate.clone()]
    }
}

fn clock() -> (Clock, ManualClock) {
    Clock::manual("2026-01-02T00:00:00Z".parse().unwrap())
}

/// What both sides say of one attempt: the client only hears of a refusal when it reads.
async fn meet(server: Server, client: Client) -> (Result<Peer, WireError>, bool) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = place(listener.local_addr().unwrap());
    let receiving = async {
        let (tcp, _) = listener.accept().await.unwrap();
        Waiting::of(tcp).await?.welcome(&server).await
    };
    let (received, connected) = tokio::join!(receiving, connect(&address, NAME, &client, LIMIT));
    (received, connected.is_ok())
}

fn place(address: SocketAddr) -> HostPort {
    address.to_string().parse().unwrap()
}

#[tokio::test]
async fn only_certificates_of_the_authority_and_for_the_purpose_are_believed_r_node_02() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (clock, _) = clock();
    let server = |identity: &Identity| Server::mutual(identity, &ours.roots(), ALPN, &clock);
    let client = |identity: Option<&Identity>, roots: &Authority| {
        Client::new(identity, &roots.roots(), ALPN, &clock).unwrap()
    };
    let good = ours.client();
    let known = server(&ours.server()).unwrap();
    let (peer, connected) = meet(known.clone(), client(Some(&good), &ours)).await;
    assert!(connected && peer.unwrap().certificate().is_some());

    for (what, identity) in [
        ("no certificate", None),
        ("another authority's", Some(other.client())),
        ("a server's", Some(ours.server())),
    ] {
        let (peer, _) = meet(known.clone(), client(identity.as_ref(), &ours)).await;
        assert!(matches!(peer, Err(WireError::Handshake(_))), "{what}");
    }
    let posing = ours.issue(&["node.test"], ExtendedKeyUsagePurpose::ServerAuth);
    for (what, server) in [
        ("another authority's", server(&other.server()).unwrap()),
        ("another name", server(&posing).unwrap()),
        ("a client's", server(&good).unwrap()),
    ] {
        let (_, connected) = meet(server, client(Some(&good), &ours)).await;
        assert!(!connected, "{what}");
    }
}

#[tokio::test]
async fn a_certificate_ends_by_our_clock() {
    let ours = Authority::new();
    let (clock, hand) = clock();
    let server = Server::mutual(&ours.server(), &ours.roots(), ALPN, &clock).unwrap();
    let client = Client::new(Some(&ours.client()), &ours.roots(), ALPN, &clock).unwrap();
    assert!(meet(server.clone(), client.clone()).await.0.is_ok());
    hand.advance(chrono::Duration::days(2));
    let (peer, connected) = meet(server, client).await;
    assert!(peer.is_err() && !connected);
}

#[tokio::test]
async fn a_connection_says_what_it_is_for() {
    let ours = Authority::new();
    let (clock, _) = clock();
    let client = Client::new(None, &ours.roots(), ALPN, &clock).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = place(listener.local_addr().unwrap());
    let receiving = async {
        let (tcp, _) = listener.accept().await.unwrap();
        let waiting = Waiting::of(tcp).await.unwrap();
        assert!(waiting.wants(ALPN) && !waiting.wants(b"test/2"));
        // A server that speaks something else does not go on.
        let other = Server::open(&ours.server(), b"test/2", &clock).unwrap();
        assert!(waiting.welcome(&other).await.is_err());
    };
    let (_, connected) = tokio::join!(receiving, connect(&address, NAME, &client, LIMIT));
    assert!(connected.is_err());

    let plain = async {
        let mut tcp = TcpStream::connect(address.to_string()).await.unwrap();
        tcp.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        tcp
    };
    let receiving = async {
        let (tcp, _) = listener.accept().await.unwrap();
        Waiting::of(tcp).await
    };
    let (received, _) = tokio::join!(receiving, plain);
    assert!(received.is_err());
}

#[tokio::test]
async fn frames_travel_until_one_is_too_large() {
    let (left, right) = tokio::io::duplex(16 * 1024);
    let accepting = accept(left, "/here", Ok(()), LIMITS);
    let (accepted, opened) = tokio::join!(accepting, open(right, NAME, "/here", LIMITS));
    let (to_right, to_peer) = mpsc::channel(1);
    let (from_peer, _from_right) = mpsc::channel(1);
    let serving = tokio::spawn(carry(
        accepted.unwrap(),
        Link { to_peer, from_peer },
        LIMITS,
    ));
    let (_to_left, to_peer) = mpsc::channel(1);
    let (from_peer, mut from_left) = mpsc::channel(1);
    let listening = tokio::spawn(carry(opened.unwrap(), Link { to_peer, from_peer }, LIMITS));
    to_right.send("a frame".into()).await.unwrap();
    assert_eq!(from_left.recv().await.unwrap().as_str(), "a frame");
    let large = "x".repeat(LIMITS.frame_bytes + 1);
    to_right.send(large.into()).await.unwrap();
    let heard = listening.await.unwrap();
    assert!(matches!(heard, Carried::Unreadable(_)), "{heard:?}");
    assert_eq!(serving.await.unwrap(), Carried::Gone);
}

#[tokio::test]
async fn a_refusal_says_why() {
    for (path, verdict, status) in [
        ("/elsewhere", Ok(()), 404),
        (
            "/here",
            Err(Turned {
                status: http::StatusCode::FORBIDDEN,
                reason: "the node was revoked".to_owned(),
            }),
            403,
        ),
    ] {
        let (left, right) = tokio::io::duplex(16 * 1024);
        let accepting = accept(left, "/here", verdict, LIMITS);
        let (_, opened) = tokio::join!(accepting, open(right, NAME, path, LIMITS));
        let refused = opened.err().unwrap();
        assert!(
            matches!(&refused, LinkError::Refused { status: said, .. } if *said == status),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn one_of_several_paths_is_told() {
    for (path, expected) in [
        ("/here", Some("/here")),
        ("/there", Some("/there")),
        ("/", None),
    ] {
        let (left, right) = tokio::io::duplex(16 * 1024);
        let accepting = accept_any(left, &["/here", "/there"], Ok(()), LIMITS);
        let (accepted, opened) = tokio::join!(accepting, open(right, NAME, path, LIMITS));
        assert_eq!(opened.is_ok(), expected.is_some(), "{path}");
        assert_eq!(accepted.ok().map(|(_, path)| path), expected);
    }
}
