//! What a tenant keeps many of (applications, APIs, client grants), and the one way each of them changes.
//!
//! Every such thing has an id, grows a version with each change and travels in a release. So the steps
//! around a change are the same: authorize, find, compare the version the caller has seen, write, audit
//! what was before and after, release. They stand here once; the file of a resource says only what is
//! special about it. Nothing reaches a row except through [`Change`]: [`ControlPlane::change_one`] is the only
//! way to a thing that is to be changed, so what is built in cannot be overlooked by a new operation.

use chrono::{DateTime, Utc};
use contract::{
    ids::{TenantId, TypedId},
    permission::Permission,
};
use serde::Serialize;

use crate::{
    Caller, ControlPlane, Mode, Refusal,
    audit::Event,
    change::{Change, Done, check_version},
    store::{Stored, Tx},
};

/// Which thing a change is about, and which version of it the caller has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThingAt<Id> {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub id: Id,
    /// The version the caller has seen (`If-Match`); `None` overwrites any.
    pub expected: Option<i64>,
}

/// One of the things a tenant keeps many of.
pub(crate) trait Kept: Clone + Serialize + Send {
    /// What names it.
    type Id: TypedId;
    /// What people call one; with an `s`, several.
    const WHAT: &'static str;

    /// Its name on the wire.
    fn id(&self) -> Self::Id;

    /// Grows with every change.
    fn version(&self) -> i64;

    /// It has been changed: the next version, from now.
    fn touch(&mut self, now: DateTime<Utc>);

    /// Whether the platform itself runs on it, so that a change could lock everybody out.
    fn built_in(&self) -> bool;
}

impl ControlPlane {
    /// Gives one thing to whoever may see applications and what belongs to them.
    pub(crate) async fn get_one<K: Stored>(
        &self,
        caller: &Caller,
        tenant: TenantId,
        id: K::Id,
    ) -> Result<K, Refusal> {
        let view = self
            .view(caller, tenant, Permission::ApplicationsView)
            .await?;
        view.tx().get(tenant, id).await
    }

    /// Begins to change one thing: authorizes, and gives it as it is now, if it may be changed at all and
    /// the caller has seen it so.
    pub(crate) async fn change_one<'a, K: Stored>(
        &'a self,
        caller: &'a Caller,
        at: ThingAt<K::Id>,
        permission: Permission,
        mode: Mode,
    ) -> Result<(Change<'a>, K), Refusal> {
        let change = self.change(caller, at.tenant, permission, mode).await?;
        let kept: K = change.tx().get(at.tenant, at.id).await?;
        change.refuse_built_in(&kept)?;
        check_version(at.expected, kept.version())?;
        Ok((change, kept))
    }
}

impl Tx {
    /// One thing; that it is not there is a refusal.
    async fn get<K: Stored>(&self, tenant: TenantId, id: K::Id) -> Result<K, Refusal> {
        let found = self.find(tenant, id).await?;
        found.ok_or(Refusal::NotFound { what: K::WHAT })
    }
}

impl Change<'_> {
    /// Leaves what is built in to the product itself: whoever breaks it locks out everybody, themselves
    /// included, and nobody is left to mend it.
    pub(crate) fn refuse_built_in<K: Kept>(&self, kept: &K) -> Result<(), Refusal> {
        if !kept.built_in() || self.caller().is_system() {
            return Ok(());
        }
        Err(Refusal::conflict(
            "built_in",
            format!(
                "This {} is built in: operators sign in and act through it, so a change could lock everybody out. Only Bailiwick itself changes it.",
                K::WHAT
            ),
        ))
    }

    /// Refuses to keep more than `most` of a kind in one tenant.
    pub(crate) async fn check_room<K: Stored>(
        &self,
        most: u64,
        code: &'static str,
    ) -> Result<(), Refusal> {
        if self.tx().count::<K>(self.tenant().id).await? < most {
            return Ok(());
        }
        let detail = format!("A tenant may have {most} {}s; delete one first.", K::WHAT);
        Err(Refusal::conflict(code, detail))
    }

    /// Keeps a new thing, and ends the change.
    pub(crate) async fn add<K: Stored>(self, new: K, event: Event) -> Result<K, Refusal> {
        self.tx().insert(self.tenant().id, &new).await?;
        let event = event.after(&new);
        self.finish(Done::new(new, event).releases()).await
    }

    /// Keeps `after` in the place of `before`, as its next version, and ends the change.
    pub(crate) async fn replace<K: Stored>(
        self,
        before: &K,
        mut after: K,
        event: Event,
    ) -> Result<K, Refusal> {
        after.touch(self.at());
        self.tx().update(self.tenant().id, &after).await?;
        let event = event.before(before).after(&after);
        self.finish(Done::new(after, event).releases()).await
    }

    /// Keeps it no longer, and ends the change.
    pub(crate) async fn remove<K: Stored>(self, gone: &K, event: Event) -> Result<(), Refusal> {
        self.tx().delete::<K>(self.tenant().id, gone.id()).await?;
        let event = event.before(gone);
        self.finish(Done::new((), event).releases()).await
    }
}
