//! Becoming a node as a machine does: a join token is traded for a certificate of a key of its own.

use std::sync::{Arc, Mutex};

use contract::enrolment::{
    Authorities, CONTROL_PLANE_NAME, Der, ENROL_ALPN, ENROL_PATH, EnrolAnswer, EnrolRequest,
    JoinToken, MAX_ENROL_BYTES, PUSH_ALPN,
};
use host::{
    Clock, HostPort,
    statement::StatementKey,
    wire::{Client, Identity, Question, ask, connect},
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use zeroize::Zeroizing;

use super::{CONNECT_LIMIT, Held, Light};
use crate::{Result, board::Board};

/// Enrols the node that the token was made for.
///
/// # Errors
/// The control plane refuses, or what it answers is not believed.
pub async fn enrol(number: usize, token: String, board: Arc<Board>) -> Result<Arc<Light>> {
    let clock = Clock::system();
    let token: JoinToken = token.parse().map_err(|_| "no join token")?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let answer = trade(&token, &key, &clock).await?;
    let list = Authorities::verify(&answer.authorities, &answer.trust)
        .map_err(|error| format!("the list of authorities: {error}"))?;
    let pkcs8 = key.serialize_der();
    let certificate = answer.certificate.as_bytes().to_vec();
    let identity = Identity::new(certificate, Zeroizing::new(pkcs8.clone()));
    let roots = bytes(&list.certificates);
    Ok(Arc::new(Light {
        number,
        node: answer.node,
        region: token.region.clone(),
        address: address(&token)?,
        client: Client::new(Some(&identity), &roots, PUSH_ALPN, &clock)?,
        key: StatementKey::from_pkcs8(&pkcs8)?,
        held: Mutex::new(Held::default()),
        board,
    }))
}

async fn trade(token: &JoinToken, key: &KeyPair, clock: &Clock) -> Result<EnrolAnswer> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let csr = params.serialize_request(key)?.der().to_vec();
    let request = EnrolRequest {
        name: token.name.clone(),
        region: token.region.clone(),
        secret: token.secret.clone(),
        csr: Der::new(csr).map_err(|_| "the request is too large")?,
    };
    let roots = bytes(&token.authorities);
    let client = Client::new(None, &roots, ENROL_ALPN, clock)?;
    let stream = connect(&address(token)?, CONTROL_PLANE_NAME, &client, CONNECT_LIMIT).await?;
    let question = Question {
        host: CONTROL_PLANE_NAME,
        path: ENROL_PATH,
        json: serde_json::to_vec(&request)?,
        most: MAX_ENROL_BYTES,
    };
    let answer = ask(stream, question, CONNECT_LIMIT).await?;
    Ok(serde_json::from_slice(&answer)?)
}

fn address(token: &JoinToken) -> Result<HostPort> {
    let parsed = token.address.parse::<HostPort>();
    parsed.map_err(|_| "no address that can be used".into())
}

fn bytes(certificates: &[Der]) -> Vec<Vec<u8>> {
    certificates
        .iter()
        .map(|der| der.as_bytes().to_vec())
        .collect()
}
