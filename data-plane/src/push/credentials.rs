//! What a conversation over the network keeps current: the node's certificate, and whom it believes.
//!
//! Both change while a node runs: the certificate at half of its life, the authorities when the control
//! plane exchanges one. Each change is verified, then on disk, then in use from the next connection on; one
//! that is refused leaves what was there. A link inside one process has no certificates and needs none of
//! this.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use contract::enrolment::Der;
use host::Clock;

use super::identity::{Believed, IdentityFile, NodeIdentity, NodeKey};

/// How often a silent connection looks whether the certificate is due.
const LOOK: std::time::Duration = std::time::Duration::from_secs(60);
/// How long the control plane may take to renew before it is asked again.
const ASK_AGAIN: TimeDelta = TimeDelta::minutes(1);

/// The identity in use, and where it is kept.
pub struct Credentials {
    held: Mutex<Held>,
    file: IdentityFile,
    clock: Clock,
}

struct Held {
    identity: Arc<NodeIdentity>,
    /// A key that waits for its certificate.
    pending: Option<Pending>,
}

struct Pending {
    key: NodeKey,
    asked_at: DateTime<Utc>,
}

impl Credentials {
    /// Uses an identity that is in `file`.
    pub fn new(identity: NodeIdentity, file: IdentityFile, clock: Clock) -> Self {
        let held = Held {
            identity: Arc::new(identity),
            pending: None,
        };
        Self {
            held: Mutex::new(held),
            file,
            clock,
        }
    }

    /// The identity in use.
    pub fn identity(&self) -> Arc<NodeIdentity> {
        Arc::clone(&self.lock().identity)
    }

    /// Whether the certificate proves nothing any more.
    pub(super) fn have_ended(&self) -> bool {
        self.clock.now() >= self.identity().certificate_ends_at()
    }

    /// Uses an identity that was kept by somebody else, after enrolling again.
    pub(super) fn replace(&self, identity: NodeIdentity) {
        let mut held = self.lock();
        held.identity = Arc::new(identity);
        held.pending = None;
    }

    /// Writes down that the control plane revoked this node, once.
    pub(super) async fn revoked(&self) {
        let held = NodeIdentity::clone(&self.identity());
        if !held.revoked {
            self.keep(NodeIdentity {
                revoked: true,
                ..held
            })
            .await;
        }
    }

    /// Waits until the certificate should be renewed, and returns the request to send.
    pub(super) async fn renewal(&self) -> Der {
        loop {
            if let Some(request) = self.due() {
                return request;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn due(&self) -> Option<Der> {
        let now = self.clock.now();
        let mut held = self.lock();
        if now < held.identity.renew_at() {
            return None;
        }
        if let Some(pending) = &mut held.pending {
            // The same key again: a late answer to the first question is as good.
            let again = now - pending.asked_at >= ASK_AGAIN;
            pending.asked_at = if again { now } else { pending.asked_at };
            return again.then(|| pending.key.request());
        }
        let key = NodeKey::make();
        let request = key.request();
        let asked_at = now;
        held.pending = Some(Pending { key, asked_at });
        Some(request)
    }

    /// Takes a new certificate; whether there is one to connect with from now on.
    pub(super) async fn certificate(&self, certificate: Der) -> bool {
        if *self.lock().identity.certificate() == certificate {
            // Asked for twice, because the first answer was late.
            return false;
        }
        let fingerprint = certificate.fingerprint();
        let fresh = match self.with_certificate(certificate) {
            Ok(fresh) => fresh,
            Err(why) => {
                tracing::error!(%fingerprint, why, "ALARM: a certificate is refused");
                return false;
            }
        };
        let ends = fresh.certificate_ends_at();
        if !self.keep(fresh).await {
            return false;
        }
        self.lock().pending = None;
        tracing::info!(%fingerprint, %ends, "the node's certificate is renewed");
        true
    }

    fn with_certificate(&self, certificate: Der) -> Result<NodeIdentity, String> {
        let held = self.lock();
        let pending = held.pending.as_ref();
        let pending = pending.ok_or_else(|| "nobody asked for it".to_owned())?;
        let certified = pending.key.certified(certificate, self.clock.now());
        let fresh = NodeIdentity {
            certified: certified.map_err(|why| why.to_string())?,
            ..NodeIdentity::clone(&held.identity)
        };
        self.usable(fresh)
    }

    /// Takes a list of authorities that is signed, and names those in use or is newer.
    pub(super) async fn authorities(&self, jws: String) {
        let fresh = match self.with_authorities(jws) {
            Ok(Some(fresh)) => fresh,
            Ok(None) => return,
            Err(why) => {
                tracing::error!(why, "ALARM: a list of authorities is refused");
                return;
            }
        };
        let authorities = fresh.believed.list.certificates.len();
        if self.keep(fresh).await {
            tracing::info!(authorities, "another list of authorities is believed");
        }
    }

    /// The identity with this list, if it names others than the one in use.
    fn with_authorities(&self, jws: String) -> Result<Option<NodeIdentity>, String> {
        let mut held = self.lock();
        let current = Arc::clone(&held.identity);
        let believed = Believed::verify(jws, &current.trust).map_err(|why| format!("it {why}"))?;
        let believed = believed.after(&current.believed);
        let fresh = NodeIdentity {
            believed: believed.ok_or_else(|| "it is not newer than the one in use".to_owned())?,
            ..NodeIdentity::clone(&current)
        };
        if fresh.believed.names_the_same(&current.believed) {
            // Nothing to use differently, so nothing worth a write; but what is older than this is old now.
            held.identity = Arc::new(fresh);
            return Ok(None);
        }
        self.usable(fresh).map(Some)
    }

    /// What cannot be used to connect must not replace what can.
    fn usable(&self, fresh: NodeIdentity) -> Result<NodeIdentity, String> {
        match fresh.client(&self.clock) {
            Ok(_) => Ok(fresh),
            Err(why) => Err(why.to_string()),
        }
    }

    /// Disk first, then use.
    async fn keep(&self, fresh: NodeIdentity) -> bool {
        let (file, writing) = (self.file.clone(), fresh.clone());
        let written = tokio::task::spawn_blocking(move || file.write(&writing)).await;
        let failed = match written {
            Ok(Ok(())) => {
                self.lock().identity = Arc::new(fresh);
                return true;
            }
            Ok(Err(error)) => error.to_string(),
            Err(stopped) => stopped.to_string(),
        };
        tracing::error!(error = %failed, "the node's identity cannot be kept; the old one stays");
        false
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
