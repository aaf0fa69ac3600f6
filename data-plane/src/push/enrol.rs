//! Becoming a node: a join token is traded for an identity (R-NODE-01).
//!
//! The token says whom to ask and whom to believe while asking. The answer is verified before anything is
//! believed, and the identity is on disk before anything uses it. A token is good once: if the process dies
//! between the answer and the disk, the control plane refuses the token afterwards and a person makes a new
//! one, which is safer than a token that works twice.
//!
//! It must never print a token, and never ask again with one that was refused.

use std::{io, path::PathBuf, time::Duration};

use contract::{
    enrolment::{
        CONTROL_PLANE_NAME, ENROL_ALPN, ENROL_PATH, EnrolAnswer, EnrolRequest, JoinToken,
        MAX_ENROL_BYTES,
    },
    tenant::Region,
};
use host::{
    Clock, Entropy, HealthHandle, HostPort, Secret,
    wire::{Client, LinkError, Question, WireError, ask, connect},
};

use super::{
    backoff::{Backoff, Pace},
    identity::{Believed, IdentityError, IdentityFile, NodeIdentity, NodeKey, NotOurs, roots},
};

/// Longest wait for a connection, and for the answer on it.
const LIMIT: Duration = Duration::from_secs(10);
/// The status of a refusal (RFC 9110 section 15.5.4).
const FORBIDDEN: u16 = 403;

/// Why a process is no node yet. One line without any of the token, but with addresses: for the log.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// There is no token to ask with.
    #[error("the join token {} cannot be read: {why}", .path.display())]
    NoToken {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The token is for somebody else; it was not spent.
    #[error("the join token is for {0}")]
    OtherNode(String),
    /// The control plane says no, once and for all.
    #[error("the control plane refuses the join token: {0}; make a new one")]
    Refused(String),
    /// The token led to nothing before; nobody was asked again.
    #[error("{why}")]
    Spent {
        /// What it led to.
        why: String,
        /// The same for strangers.
        in_public: &'static str,
    },
    /// There is no connection to it.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// There is one, and no answer on it.
    #[error(transparent)]
    Link(LinkError),
    /// What it answers is not believed. The token is spent.
    #[error("the control plane's answer is not believed: {0}; make a new join token")]
    NotBelieved(String),
    /// The identity cannot be kept. The token is spent.
    #[error("{0}; make a new join token")]
    Kept(#[from] IdentityError),
}

impl EnrolError {
    /// The reason for strangers: one of these sentences, without a word that anybody else chose.
    pub fn in_public(&self) -> &'static str {
        match self {
            Self::NoToken { .. } => "the join token cannot be read",
            Self::OtherNode(_) => "the join token is not for this node",
            Self::Refused(_) => "the control plane refuses the join token; make a new one",
            Self::Spent { in_public, .. } => in_public,
            Self::Wire(error) => super::network::in_public(error),
            Self::Link(_) => "the control plane gives no answer",
            Self::NotBelieved(_) => {
                "the control plane's answer is not believed; make a new join token"
            }
            Self::Kept(_) => "the identity cannot be kept; make a new join token",
        }
    }

    /// Whether the token can lead to nothing any more.
    fn spends(&self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::NotBelieved(_) | Self::Kept(_)
        )
    }
}

/// What a process needs to become a node.
pub struct Joining {
    token_file: PathBuf,
    address: Option<HostPort>,
    region: Option<Region>,
    file: IdentityFile,
    clock: Clock,
    /// The token that led to nothing, and why: in the log and in public.
    spent: Option<(Secret, String, &'static str)>,
}

impl Joining {
    /// Finds the token in `token_file` and keeps the identity in `file`. The token is read at every attempt,
    /// so that a new one needs no restart.
    pub fn new(token_file: PathBuf, file: IdentityFile, clock: Clock) -> Self {
        Self {
            token_file,
            address: None,
            region: None,
            file,
            clock,
            spent: None,
        }
    }

    /// Asks at `address` instead of where the token says.
    pub fn at(mut self, address: Option<HostPort>) -> Self {
        self.address = address;
        self
    }

    /// Takes no token for another region than this.
    pub fn only_in(mut self, region: Option<Region>) -> Self {
        self.region = region;
        self
    }

    /// Asks until there is an identity, which is on disk by then; `health` says why there is none yet.
    pub async fn until_joined(
        &mut self,
        pace: Pace,
        entropy: Entropy,
        health: &HealthHandle,
    ) -> NodeIdentity {
        let mut backoff = Backoff::new(pace, entropy);
        let mut said = String::new();
        loop {
            let error = match self.attempt(None).await {
                Ok(identity) => return identity,
                Err(error) => error,
            };
            health.degraded(format!("not enrolled: {}", error.in_public()));
            let line = error.to_string();
            if line != said {
                tracing::warn!(%error, "this process is not enrolled yet");
                said = line;
            }
            if error.spends() || matches!(error, EnrolError::Spent { .. }) {
                backoff.exhaust();
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }

    /// Asks once, to become a node or, after its certificate ended, to be `known` again.
    ///
    /// # Errors
    /// See [`EnrolError`].
    pub async fn attempt(
        &mut self,
        known: Option<&NodeIdentity>,
    ) -> Result<NodeIdentity, EnrolError> {
        let text = self.read_token().await?;
        if let Some((spent, why, in_public)) = &self.spent
            && *spent == text
        {
            let why = why.clone();
            return Err(EnrolError::Spent { why, in_public });
        }
        let asked = self.ask_with(&text, known).await;
        if let Err(error) = asked.as_ref()
            && error.spends()
        {
            self.spent = Some((text, error.to_string(), error.in_public()));
        }
        asked
    }

    async fn ask_with(
        &self,
        text: &Secret,
        known: Option<&NodeIdentity>,
    ) -> Result<NodeIdentity, EnrolError> {
        let token: JoinToken = text
            .expose()
            .parse()
            .map_err(|invalid: contract::Invalid| self.no_token(invalid.to_string()))?;
        self.expect(&token, known)?;
        let identity = enrol(&token, self.address.as_ref(), &self.clock).await?;
        let identity = match known {
            Some(known) => renewed(known, identity)?,
            None => identity,
        };
        self.file.write(&identity)?;
        tracing::info!(node = %identity.node, name = %identity.name, "enrolled");
        Ok(identity)
    }

    /// Refuses a token that is for somebody else before it is spent.
    fn expect(&self, token: &JoinToken, known: Option<&NodeIdentity>) -> Result<(), EnrolError> {
        let name = known.map(|known| &known.name);
        let region = known.map(|known| &known.region).or(self.region.as_ref());
        if let Some(name) = name.filter(|name| **name != token.name) {
            let (theirs, ours) = (&token.name, name);
            let said = format!("the node {theirs}, and this is {ours}");
            return Err(EnrolError::OtherNode(said));
        }
        if let Some(region) = region.filter(|region| **region != token.region) {
            let (theirs, ours) = (&token.region, region);
            let said = format!("the region {theirs}, and this process is set up for {ours}");
            return Err(EnrolError::OtherNode(said));
        }
        Ok(())
    }

    async fn read_token(&self) -> Result<Secret, EnrolError> {
        let text = tokio::fs::read_to_string(&self.token_file).await;
        text.map(|text| Secret::new(text.trim()))
            .map_err(|error: io::Error| self.no_token(error.to_string()))
    }

    fn no_token(&self, why: String) -> EnrolError {
        EnrolError::NoToken {
            path: self.token_file.clone(),
            why,
        }
    }
}

/// Trades `token` for an identity, asking at `address` or where the token says. Nothing is kept yet.
///
/// # Errors
/// See [`EnrolError`].
pub async fn enrol(
    token: &JoinToken,
    address: Option<&HostPort>,
    clock: &Clock,
) -> Result<NodeIdentity, EnrolError> {
    let address = match address {
        Some(address) => address.clone(),
        None => token
            .address
            .parse()
            .map_err(|_| EnrolError::OtherNode("no address that can be used".to_owned()))?,
    };
    let key = NodeKey::make();
    let client = Client::new(None, &roots(&token.authorities), ENROL_ALPN, clock)?;
    let stream = connect(&address, CONTROL_PLANE_NAME, &client, LIMIT).await?;
    let request = EnrolRequest {
        name: token.name.clone(),
        region: token.region.clone(),
        secret: token.secret.clone(),
        csr: key.request(),
    };
    let json = serde_json::to_vec(&request).expect("texts are JSON");
    let question = Question {
        host: CONTROL_PLANE_NAME,
        path: ENROL_PATH,
        json,
        most: MAX_ENROL_BYTES,
    };
    let answer = ask(stream, question, LIMIT);
    let answer = answer.await.map_err(|error| match error {
        LinkError::Refused { status, reason } if status == FORBIDDEN => EnrolError::Refused(reason),
        other => EnrolError::Link(other),
    })?;
    let answer = serde_json::from_slice(&answer)
        .map_err(|_| EnrolError::NotBelieved("it cannot be read".to_owned()))?;
    believe(answer, token, (address, key), clock)
}

/// Makes an identity of the answer, if everything in it fits together.
fn believe(
    answer: EnrolAnswer,
    token: &JoinToken,
    (address, key): (HostPort, NodeKey),
    clock: &Clock,
) -> Result<NodeIdentity, EnrolError> {
    let refuse = |why: &dyn std::fmt::Display| EnrolError::NotBelieved(why.to_string());
    let EnrolAnswer {
        node,
        certificate,
        authorities,
        trust,
    } = answer;
    let certified = key
        .certified(certificate, clock.now())
        .map_err(|why: NotOurs| refuse(&why))?;
    let believed = Believed::verify(authorities, &trust)
        .map_err(|why| refuse(&format_args!("its list of authorities {why}")))?;
    // The person vouched for the token's authorities; a list without any of them comes from elsewhere.
    let vouched = |der| believed.list.certificates.contains(der);
    if !token.authorities.iter().any(vouched) {
        return Err(refuse(&"it names no authority of the join token"));
    }
    let identity = NodeIdentity {
        node,
        name: token.name.clone(),
        region: token.region.clone(),
        address,
        trust,
        certified,
        believed,
        revoked: false,
    };
    // What cannot be used to connect is found out now, and not after the token was thrown away.
    identity.client(clock).map_err(|why| refuse(&why))?;
    Ok(identity)
}

/// A node that enrols again stays who it was, and goes back to nothing it left behind.
fn renewed(known: &NodeIdentity, fresh: NodeIdentity) -> Result<NodeIdentity, EnrolError> {
    let refuse = |why: &str| Err(EnrolError::NotBelieved(why.to_owned()));
    if fresh.node != known.node {
        return refuse("the name belongs to another node there than here");
    }
    if fresh.trust != known.trust {
        return refuse("its releases are signed by other keys than so far");
    }
    let Some(believed) = fresh.believed.after(&known.believed) else {
        return refuse("its list of authorities is not newer than the one in use");
    };
    Ok(NodeIdentity { believed, ..fresh })
}
