//! Asking our own door: what real requests are answered, over the socket that everybody uses (performance C1).
//!
//! A *canary* is an access token of the contained subject that is good for nothing: it has no scope, so the userinfo
//! endpoint answers 403 `insufficient_scope` to a living one, and 401 to one that is refused. Beside it goes a token of
//! nobody that must not be refused: a door that refuses everything shows nothing. A probe never delays a containment: it
//! begins when that is in force.

use std::{net::SocketAddr, sync::OnceLock, time::Duration};

use chrono::{DateTime, Utc};
use contract::{
    application::{ApplicationStatus, SigningAlgorithm},
    containment::{Containment, Subject},
    ids::{ApplicationId, SessionId, TypedId, UserId},
    lane::Probe,
};
use host::wire::{Asked, get};
use serde_json::json;

use crate::{Node, releases::TenantRuntime};

/// Most requests of one probe.
const MOST_REQUESTS: u32 = 20;
/// Pause between them.
const PAUSE: Duration = Duration::from_millis(5);
/// Longest wait for one answer.
const ANSWER_LIMIT: Duration = Duration::from_millis(250);
/// How long a canary lives, in seconds.
const CANARY_SECONDS: i64 = 60;
/// What userinfo says of a tenant-wide containment, and of nothing else.
pub const TENANT_CONTAINED: &str = "This tenant is contained.";

/// Where this node's own listener is, once it listens.
#[derive(Debug, Default)]
pub(crate) struct Door(OnceLock<(SocketAddr, bool)>);

impl Door {
    /// It listens there; with TLS or not.
    pub(crate) fn opened(&self, address: SocketAddr, tls: bool) {
        // A process that starts over as a node listens where it did before.
        let _ = self.0.set((address, tls));
    }
}

/// What one request came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// 403: the token is alive.
    Alive,
    /// 401, for the tenant as a whole.
    TenantRefused,
    /// 401.
    Refused,
    /// Something else, or nothing.
    Nothing,
}

/// The two tokens of a probe.
struct Pair {
    canary: String,
    /// None where nobody of the tenant is let through.
    control: Option<String>,
}

impl Node {
    /// Asks our own door about a containment that was just applied.
    pub(crate) async fn probe(&self, containment: &Containment) -> Probe {
        match self.try_to_probe(containment).await {
            Ok(probe) => probe,
            Err(reason) => Probe::None {
                reason: reason.to_owned(),
            },
        }
    }

    async fn try_to_probe(&self, containment: &Containment) -> Result<Probe, &'static str> {
        let address = match self.door().0.get() {
            None => return Err("the node does not listen yet"),
            Some((_, true)) => return Err("the listener speaks TLS, which the probe does not"),
            Some((address, false)) => *address,
        };
        let runtime = self.tenant(containment.tenant);
        let runtime = runtime.ok_or("the node does not hold the tenant")?;
        if !runtime.is_active() {
            return Err("the tenant is suspended");
        }
        runtime
            .warm()
            .await
            .map_err(|_| "the tenant's keys are not at hand")?;
        let pair = self.mint(&runtime, containment)?;
        let refused = containment.is_in_force(self.clock().now());
        let mut requests = 0;
        while requests < MOST_REQUESTS {
            requests += 1;
            let canary = ask(address, &runtime, &pair.canary).await;
            let at = self.clock().now();
            let control = match &pair.control {
                Some(control) => Some(ask(address, &runtime, control).await),
                None => None,
            };
            match (canary, control, refused) {
                (Seen::Refused, Some(Seen::Alive), true) | (Seen::TenantRefused, None, true) => {
                    return Ok(Probe::Refused { at, requests });
                }
                (Seen::Alive, _, false) => return Ok(Probe::LetThrough { at, requests }),
                (Seen::Alive, _, true) if requests == MOST_REQUESTS => {
                    return Ok(Probe::LetThrough { at, requests });
                }
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
        Err("the node's own door gave no clear answer")
    }

    fn mint(
        &self,
        runtime: &TenantRuntime,
        containment: &Containment,
    ) -> Result<Pair, &'static str> {
        let now = self.clock().now();
        let nobody = || UserId::from_uuid(self.entropy().uuid_v7(now));
        let canary = Canary::new(nobody(), living(runtime, None));
        let (canary, control) = match &containment.subject {
            Subject::Tenant {} => (canary, None),
            Subject::User { user } => (
                Canary {
                    user: *user,
                    ..canary
                },
                Some(canary),
            ),
            Subject::Session { session } => {
                let session = Some(*session);
                (Canary { session, ..canary }, Some(canary))
            }
            Subject::Application { application } => {
                let of = Canary {
                    application: Some(*application),
                    ..canary
                };
                let other = living(runtime, Some(*application));
                (
                    of,
                    Some(Canary {
                        application: other,
                        ..canary
                    }),
                )
            }
            Subject::SigningKey { .. } => (canary, Some(canary)),
        };
        let kid = match &containment.subject {
            Subject::SigningKey { kid } => Some(kid.as_str()),
            _ => None,
        };
        let control = control.map(|control| control.sign(self, runtime, None, now));
        Ok(Pair {
            canary: canary.sign(self, runtime, kid, now)?,
            control: control.transpose()?,
        })
    }
}

/// Of whom a canary is.
#[derive(Clone, Copy)]
struct Canary {
    user: UserId,
    session: Option<SessionId>,
    application: Option<ApplicationId>,
}

impl Canary {
    fn new(user: UserId, application: Option<ApplicationId>) -> Self {
        Self {
            user,
            session: None,
            application,
        }
    }

    fn sign(
        &self,
        node: &Node,
        runtime: &TenantRuntime,
        kid: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<String, &'static str> {
        let application = self
            .application
            .ok_or("the tenant has no application to ask as")?;
        let issued = now.timestamp();
        let mut claims = json!({
            "iss": runtime.issuer(),
            "aud": runtime.issuer(),
            "sub": self.user,
            "client_id": application,
            "iat": issued,
            "exp": issued + CANARY_SECONDS,
            "jti": node.entropy().uuid_v7(now).simple().to_string(),
            "scope": "",
        });
        if let Some(session) = self.session {
            claims["sid"] = session.to_string().into();
        }
        let keys = runtime.keys();
        let signed = match kid {
            Some(kid) => keys.sign_canary(kid, &claims),
            None => keys.sign(SigningAlgorithm::ES256, "at+jwt", &claims),
        };
        signed.map_err(|_| "a canary cannot be signed")
    }
}

/// An application that tokens are issued to, other than this one.
fn living(runtime: &TenantRuntime, but: Option<ApplicationId>) -> Option<ApplicationId> {
    let mut all = runtime.release().applications.iter();
    all.find(|one| one.status == ApplicationStatus::Active && Some(one.id) != but)
        .map(|one| one.id)
}

async fn ask(address: SocketAddr, runtime: &TenantRuntime, token: &str) -> Seen {
    let Ok(url) = url::Url::parse(&format!("{}/oauth2/userinfo", runtime.issuer())) else {
        return Seen::Nothing;
    };
    let authority = url.authority().to_owned();
    let asked = Asked {
        host: &authority,
        path: url.path(),
        bearer: token,
    };
    match get(address, asked, ANSWER_LIMIT).await {
        Ok((403, _)) => Seen::Alive,
        Ok((401, challenge)) if challenge.contains(TENANT_CONTAINED) => Seen::TenantRefused,
        Ok((401, _)) => Seen::Refused,
        _ => Seen::Nothing,
    }
}
