//! Authorities: whose certificates are believed on connections between the planes (R-NODE-02).
//!
//! They belong to this installation and certify nothing else. One signs. To replace it without any node
//! falling out, the next one is made first and made known, signs after a while, and the former one is
//! believed until the last certificate it signed has ended. An authority's key is kept sealed, and destroyed
//! the moment it stops signing.
//!
//! A node that is away from before the next authority is made until after it signs knows only the former
//! one, and has to enrol again: look which nodes are connected before taking the second step.

mod certificates;
mod list;

use chrono::{DateTime, TimeDelta, Utc};
use contract::{
    enrolment::{CERTIFICATE_LIFE, Der, MAX_AUTHORITIES},
    permission::Permission,
};
use host::{SealContext, wire::Identity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::certificates::{AUTHORITY_LIFE, SKEW, Signer, whole_seconds};
pub(crate) use self::{
    certificates::{Issued, NodeKey},
    list::SignedList,
};
use crate::{
    Caller, ControlPlane, Mode, Refusal,
    audit::Event,
    change::{Change, Done, Target},
    store::{News, Tx},
};

/// How long before the end of the authority that signs we begin to say so.
const WARNING: TimeDelta = TimeDelta::days(90);

/// Where an authority is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorityStanding {
    /// Believed, and signs nothing yet.
    Next,
    /// Signs.
    Signing,
    /// Signs nothing any more, and is believed until what it signed has ended.
    Retiring,
}

/// An authority, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthorityState {
    /// Lower-case hexadecimal SHA-256 of its certificate: its name.
    pub fingerprint: String,
    /// Where it is in its life.
    pub standing: AuthorityStanding,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it signs, or signed.
    pub signing_since: Option<DateTime<Utc>>,
    /// When it stopped.
    pub retiring_since: Option<DateTime<Utc>>,
    /// The end of its own certificate. Nothing connects any more if it still signs by then.
    pub ends_at: DateTime<Utc>,
    /// Until when it is believed.
    pub trusted_until: DateTime<Utc>,
}

impl AuthorityState {
    /// How long the next authority is only made known, before it may sign; counted in whole seconds, as its
    /// certificate counts.
    pub const NEXT_WAITS: TimeDelta = TimeDelta::minutes(1);
}

/// An authority, as it is kept.
#[derive(Clone)]
pub(crate) struct Authority {
    /// Where it is in its life.
    pub(crate) standing: AuthorityStanding,
    /// Its certificate.
    pub(crate) certificate: Der,
    /// Its key in PKCS #8, sealed; destroyed once it signs no more.
    pub(crate) key_sealed: Option<Vec<u8>>,
    /// When it was made.
    pub(crate) created_at: DateTime<Utc>,
    /// Since when it signs, or signed.
    pub(crate) signing_since: Option<DateTime<Utc>>,
    /// When it stopped.
    pub(crate) retiring_since: Option<DateTime<Utc>>,
}

impl Authority {
    /// The end of its own certificate.
    fn ends_at(&self) -> DateTime<Utc> {
        whole_seconds(self.created_at) + AUTHORITY_LIFE
    }

    fn trusted_until(&self) -> DateTime<Utc> {
        let until = self
            .retiring_since
            .map(|since| since + CERTIFICATE_LIFE + SKEW);
        until.map_or(self.ends_at(), |until| until.min(self.ends_at()))
    }

    fn is_trusted(&self, now: DateTime<Utc>) -> bool {
        now < self.trusted_until()
    }

    fn state(&self) -> AuthorityState {
        AuthorityState {
            fingerprint: self.certificate.fingerprint(),
            standing: self.standing,
            created_at: self.created_at,
            signing_since: self.signing_since,
            retiring_since: self.retiring_since,
            ends_at: self.ends_at(),
            trusted_until: self.trusted_until(),
        }
    }
}

impl ControlPlane {
    /// Lists the authorities that are believed, in the order in which they were made.
    ///
    /// # Errors
    /// Needs `platform.nodes.view`.
    pub async fn list_authorities(&self, caller: &Caller) -> Result<Vec<AuthorityState>, Refusal> {
        let view = self
            .view(caller, Target::Platform, Permission::NodesView)
            .await?;
        self.authority_states(view.tx()).await
    }

    /// Takes one step of a rotation: makes the next authority and makes it known; or, if there is one that
    /// has been known for [`AuthorityState::NEXT_WAITS`], lets it sign and retires the former one.
    ///
    /// # Errors
    /// Needs `platform.nodes.manage`; [`Refusal::Conflict`] while the next one is too new (`too_soon`) or
    /// too many are still believed (`too_many_authorities`).
    pub async fn rotate_authority(
        &self,
        caller: &Caller,
        mode: Mode,
    ) -> Result<Vec<AuthorityState>, Refusal> {
        let change = self
            .change(caller, Target::Platform, Permission::NodesManage, mode)
            .await?;
        let known = change.tx().list_authorities().await?;
        let next = known.iter().find(|known| {
            known.standing == AuthorityStanding::Next && known.is_trusted(change.at())
        });
        let event = match next {
            Some(next) => promote(&change, next).await?,
            None => self.make_next(&change, known).await?,
        };
        let states = self.authority_states(change.tx()).await?;
        let done = Done::new(states, event).also_news(News::Authorities);
        change.finish(done).await
    }

    async fn make_next(
        &self,
        change: &Change<'_>,
        known: Vec<Authority>,
    ) -> Result<Event, Refusal> {
        let at = list::moment_after(&known, change.at());
        let believed = forget_gone(change, known).await?;
        if believed >= MAX_AUTHORITIES {
            return Err(Refusal::conflict(
                "too_many_authorities",
                format!(
                    "{MAX_AUTHORITIES} authorities are believed; wait until a retiring one is gone."
                ),
            ));
        }
        let next = self.new_authority(AuthorityStanding::Next, at)?;
        change.tx().put_authority(&next).await?;
        Ok(event(
            "authorities.create",
            "Made the next authority of node certificates, and made it known.",
            &next,
        ))
    }

    /// Makes the first authority, unless there is one.
    pub(crate) async fn ensure_authority(&self) -> Result<(), Refusal> {
        let known = {
            let tx = self.store().begin_read().await?;
            tx.find_signing_authority().await?
        };
        match known {
            Some(_) => Ok(()),
            None => self.offer_first().await,
        }
    }

    /// Of two processes that start at once for the first time, both use what one of them wrote.
    async fn offer_first(&self) -> Result<(), Refusal> {
        let first = self.new_authority(AuthorityStanding::Signing, self.clock().now())?;
        let tx = self.store().begin().await?;
        tx.offer_authority(&first).await?;
        Ok(tx.commit().await?)
    }

    /// The certificates that are believed on connections.
    pub(crate) async fn authority_certificates(&self) -> Result<Vec<Vec<u8>>, Refusal> {
        let tx = self.store().begin_read().await?;
        let trusted = self.trusted_authorities(&tx).await?;
        Ok(trusted.iter().map(|der| der.as_bytes().to_vec()).collect())
    }

    /// The certificates that are believed on connections.
    pub(crate) async fn trusted_authorities(&self, tx: &Tx) -> Result<Vec<Der>, Refusal> {
        let trusted = believed(tx.list_authorities().await?, self.clock().now());
        Ok(trusted.into_iter().map(|one| one.certificate).collect())
    }

    /// A fresh certificate of this control plane's own, with its key, and when it ends.
    pub(crate) async fn server_identity(&self) -> Result<(Identity, DateTime<Utc>), Refusal> {
        let tx = self.store().begin_read().await?;
        let signer = self.signing_authority(&tx).await?;
        drop(tx);
        let now = self.clock().now();
        if signer.ends_at() < now + WARNING {
            tracing::warn!(ends_at = %signer.ends_at(), "the authority of node certificates ends soon; rotate it");
        }
        signer.certify_control_plane(now)
    }

    /// The authority that signs, ready to do so.
    pub(crate) async fn signing_authority(&self, tx: &Tx) -> Result<Signer, Refusal> {
        let authority = tx
            .find_signing_authority()
            .await?
            .ok_or_else(|| Refusal::internal("no authority signs"))?;
        let fingerprint = authority.certificate.fingerprint();
        let sealed = authority
            .key_sealed
            .as_ref()
            .ok_or_else(|| Refusal::internal("the key of the authority that signs is gone"))?;
        let key = self
            .seal()
            .open(&context(&fingerprint), sealed)
            .map_err(Refusal::internal)?;
        Signer::open(&authority.certificate, &key, authority.ends_at())
    }

    async fn authority_states(&self, tx: &Tx) -> Result<Vec<AuthorityState>, Refusal> {
        let believed = believed(tx.list_authorities().await?, self.clock().now());
        Ok(believed.iter().map(Authority::state).collect())
    }

    fn new_authority(
        &self,
        standing: AuthorityStanding,
        at: DateTime<Utc>,
    ) -> Result<Authority, Refusal> {
        let made = certificates::authority(&self.entropy().uuid_v7(at), at)?;
        let fingerprint = made.certificate.fingerprint();
        let sealed = self
            .seal()
            .seal(self.entropy(), &context(&fingerprint), &made.key);
        Ok(Authority {
            standing,
            certificate: made.certificate,
            key_sealed: Some(sealed),
            created_at: at,
            signing_since: (standing == AuthorityStanding::Signing).then_some(at),
            retiring_since: None,
        })
    }
}

/// Those of the authorities that are believed.
fn believed(mut known: Vec<Authority>, now: DateTime<Utc>) -> Vec<Authority> {
    known.retain(|authority| authority.is_trusted(now));
    known
}

/// Removes those that are not believed any more; says how many are. Only when another one is made, whose
/// moment is later than their end: without either of them the list would pass for an older one.
async fn forget_gone(change: &Change<'_>, known: Vec<Authority>) -> Result<usize, Refusal> {
    let mut believed = 0;
    for authority in known {
        if authority.is_trusted(change.at()) {
            believed += 1;
        } else if authority.standing != AuthorityStanding::Signing {
            let fingerprint = authority.certificate.fingerprint();
            change.tx().delete_authority(&fingerprint).await?;
        }
    }
    Ok(believed)
}

/// Lets the next authority sign, and the former one no more.
async fn promote(change: &Change<'_>, next: &Authority) -> Result<Event, Refusal> {
    let ready_at = whole_seconds(next.created_at) + AuthorityState::NEXT_WAITS;
    if change.at() < ready_at {
        return Err(Refusal::conflict(
            "too_soon",
            format!(
                "The next authority was made at {}; it may sign a minute later, once nodes know it.",
                next.created_at.format("%H:%M:%S UTC")
            ),
        ));
    }
    // First, because there is room for one only; and also if it has ended, when it is needed most.
    if let Some(former) = change.tx().find_signing_authority().await? {
        let retiring = Authority {
            standing: AuthorityStanding::Retiring,
            key_sealed: None,
            retiring_since: Some(change.at()),
            ..former
        };
        change.tx().put_authority(&retiring).await?;
    }
    let signing = Authority {
        standing: AuthorityStanding::Signing,
        signing_since: Some(change.at()),
        ..next.clone()
    };
    change.tx().put_authority(&signing).await?;
    Ok(event(
        "authorities.rotate",
        "The next authority signs node certificates from now on; the former one retires.",
        &signing,
    ))
}

fn event(action: &'static str, sentence: &str, authority: &Authority) -> Event {
    let state = authority.state();
    let label = &state.fingerprint[..12];
    Event::new(action, sentence)
        .object("authority", &state.fingerprint, label)
        .after(&state)
}

fn context(fingerprint: &str) -> SealContext<'_> {
    SealContext {
        tenant: "platform",
        table: "authorities",
        column: "key_sealed",
        row: fingerprint,
    }
}

#[cfg(test)]
mod tests;
