//! What is signed, read by a parser that is not the one that wrote it.

use contract::ids::TypedId;
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use x509_parser::prelude::*;

use super::*;

fn now() -> DateTime<Utc> {
    "2026-01-02T03:04:05.678Z".parse().unwrap()
}

fn signer() -> (Made, Signer) {
    let made = authority(&Uuid::from_u128(1), now()).unwrap();
    let signer = Signer::open(&made.certificate, &made.key, now() + AUTHORITY_LIFE).unwrap();
    (made, signer)
}

fn node() -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(7))
}

fn request(key: &KeyPair, params: &CertificateParams) -> Der {
    let csr = params.serialize_request(key).unwrap();
    Der::new(csr.der().to_vec()).unwrap()
}

fn plain_request(key: &KeyPair) -> Der {
    request(key, &CertificateParams::default())
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    let names = names.value.general_names.iter();
    names
        .map(|name| match name {
            GeneralName::URI(uri) => format!("uri {uri}"),
            GeneralName::DNSName(name) => format!("dns {name}"),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_node_certificate_says_who_which_side_and_until_when_r_node_01() {
    let (made, signer) = signer();
    let key = KeyPair::generate().unwrap();
    let node_key = NodeKey::of(&plain_request(&key)).unwrap();
    let issued = signer.certify(node(), &node_key, now()).unwrap();
    let (rest, read) = X509Certificate::from_der(issued.certificate.as_bytes()).unwrap();
    assert!(rest.is_empty());
    assert_eq!(names(&read), [format!("uri bailiwick://node/{}", node())]);
    let side = read.extended_key_usage().unwrap().unwrap().value;
    assert!(side.client_auth && !side.server_auth && !side.any && side.other.is_empty());
    assert!(!read.is_ca());
    let usage = read.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign());
    // Never longer than a day, counted as an auditor counts.
    let life = read.validity().not_after.timestamp() - read.validity().not_before.timestamp();
    assert_eq!(life, CERTIFICATE_LIFE.num_seconds());
    assert_eq!(
        read.validity().not_after.timestamp(),
        issued.ends_at.timestamp()
    );
    assert!(read.validity().not_before.timestamp() <= (now() - SKEW).timestamp());
    assert_eq!(
        read.public_key().subject_public_key.data.as_ref(),
        key.public_key_raw()
    );
    let (_, root) = X509Certificate::from_der(made.certificate.as_bytes()).unwrap();
    assert_eq!(read.issuer(), root.subject());
}

#[test]
fn what_a_request_asks_for_beyond_its_key_is_ignored_r_node_01() {
    let (_, signer) = signer();
    let key = KeyPair::generate().unwrap();
    let mut greedy = CertificateParams::new(vec![CONTROL_PLANE_NAME.to_owned()]).unwrap();
    greedy.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    greedy.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    greedy.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    greedy
        .distinguished_name
        .push(DnType::CommonName, CONTROL_PLANE_NAME);
    let node_key = NodeKey::of(&request(&key, &greedy)).unwrap();
    let issued = signer.certify(node(), &node_key, now()).unwrap();
    let (_, read) = X509Certificate::from_der(issued.certificate.as_bytes()).unwrap();
    assert!(!read.is_ca());
    assert_eq!(names(&read), [format!("uri bailiwick://node/{}", node())]);
    assert_eq!(read.subject().to_string(), format!("CN={}", node()));
    let usage = read.key_usage().unwrap().unwrap().value;
    assert!(!usage.key_cert_sign() && !usage.crl_sign());
    let side = read.extended_key_usage().unwrap().unwrap().value;
    assert!(side.client_auth && !side.server_auth);
}

#[test]
fn only_a_proven_key_on_p256_is_certified_r_node_01() {
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let edwards = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let good = plain_request(&KeyPair::generate().unwrap());
    let mut forged = good.as_bytes().to_vec();
    // Inside the signature, which is what comes last.
    let last = forged.len() - 2;
    forged[last] ^= 1;
    let table = [
        ("another curve", plain_request(&p384)),
        ("another algorithm", plain_request(&edwards)),
        ("not signed with the key in it", Der::new(forged).unwrap()),
        ("no request", Der::new(b"hello".to_vec()).unwrap()),
        (
            "cut off",
            Der::new(good.as_bytes()[..good.as_bytes().len() / 2].to_vec()).unwrap(),
        ),
    ];
    for (what, csr) in table {
        assert!(NodeKey::of(&csr).is_err(), "{what}");
    }
    assert!(NodeKey::of(&good).is_ok());
}

#[test]
fn an_authority_certifies_ends_and_no_further_authority_r_node_02() {
    let (made, _) = signer();
    let (_, root) = X509Certificate::from_der(made.certificate.as_bytes()).unwrap();
    let constraints = root.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    let usage = root.key_usage().unwrap().unwrap().value;
    assert!(usage.key_cert_sign() && !usage.digital_signature());
    let other = authority(&Uuid::from_u128(2), now()).unwrap();
    let (_, other) = X509Certificate::from_der(other.certificate.as_bytes()).unwrap();
    assert_ne!(root.subject(), other.subject());
}

#[test]
fn nothing_outlives_the_authority_that_signed_it() {
    let (made, _) = signer();
    let end = now() + TimeDelta::hours(3);
    let signer = Signer::open(&made.certificate, &made.key, end).unwrap();
    let key = NodeKey::of(&plain_request(&KeyPair::generate().unwrap())).unwrap();
    assert_eq!(signer.certify(node(), &key, now()).unwrap().ends_at, end);
}

mod handshakes {
    //! The certificates on a connection: each is good for its own side and for no other.

    use host::{
        Clock, HostPort,
        wire::{Client, Server, Waiting, connect},
    };
    use tokio::net::TcpListener;

    use super::*;

    const ALPN: &[u8] = b"test/1";
    const LIMIT: Duration = Duration::from_secs(10);

    fn node_identity(signer: &Signer) -> Identity {
        let key = KeyPair::generate().unwrap();
        let node_key = NodeKey::of(&plain_request(&key)).unwrap();
        let issued = signer.certify(node(), &node_key, now()).unwrap();
        let key = Zeroizing::new(key.serialize_der());
        Identity::new(issued.certificate.as_bytes().to_vec(), key)
    }

    /// Whether both sides believe each other.
    async fn believe(server: Identity, client: Identity, roots: &[Vec<u8>]) -> bool {
        let (clock, _) = Clock::manual(now());
        let server = Server::mutual(&server, roots, ALPN, &clock).unwrap();
        let client = Client::new(Some(&client), roots, ALPN, &clock).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: HostPort = listener.local_addr().unwrap().to_string().parse().unwrap();
        let welcoming = async {
            let (tcp, _) = listener.accept().await.unwrap();
            let waiting = Waiting::of(tcp).await.unwrap();
            waiting.welcome(&server).await.is_ok()
        };
        let connecting = connect(&address, CONTROL_PLANE_NAME, &client, LIMIT);
        let (welcomed, connected) = tokio::join!(welcoming, connecting);
        welcomed && connected.is_ok()
    }

    #[tokio::test]
    async fn a_node_cannot_pose_as_the_control_plane_nor_the_reverse_r_node_02() {
        let (made, signer) = signer();
        let roots = [made.certificate.as_bytes().to_vec()];
        let control_plane = || signer.certify_control_plane(now()).unwrap().0;
        assert!(believe(control_plane(), node_identity(&signer), &roots).await);
        assert!(!believe(node_identity(&signer), node_identity(&signer), &roots).await);
        assert!(!believe(control_plane(), control_plane(), &roots).await);
        let stranger = authority(&Uuid::from_u128(9), now()).unwrap();
        let stranger =
            Signer::open(&stranger.certificate, &stranger.key, now() + AUTHORITY_LIFE).unwrap();
        assert!(!believe(control_plane(), node_identity(&stranger), &roots).await);
        let posing = stranger.certify_control_plane(now()).unwrap().0;
        assert!(!believe(posing, node_identity(&signer), &roots).await);
    }
}
