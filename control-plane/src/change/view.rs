//! How anything is looked at: authorize, and one state of the database; a refusal is recorded.

use contract::permission::Permission;

use super::{NO_TENANT, Target};
use crate::{Caller, ControlPlane, Refusal, Scope, audit::Event, store::Tx, tenants::Tenant};

impl ControlPlane {
    /// Begins to look: authorizes and gives one state of the database.
    pub(crate) async fn view(
        &self,
        caller: &Caller,
        target: impl Into<Target>,
        permission: Permission,
    ) -> Result<View, Refusal> {
        self.look(caller, target.into(), permission, Refused::Look)
            .await
    }

    async fn look(
        &self,
        caller: &Caller,
        target: Target,
        permission: Permission,
        refused: Refused,
    ) -> Result<View, Refusal> {
        let tx = self.store().begin_read().await?;
        let id = self.target_tenant(&tx, target).await?;
        let tenant = tx.find_tenant(id).await?.ok_or(NO_TENANT)?;
        match self.authorize(&tx, caller, permission, &tenant).await {
            Ok(()) => Ok(View { tenant, tx }),
            Err(Refusal::Forbidden(denial)) => {
                drop(tx);
                match refused {
                    Refused::Look => self.tell_refused_look(caller, tenant.id, &denial).await,
                    Refused::Change => {
                        let event = Event::refused(&denial);
                        self.record_alone(caller, tenant.id, event).await;
                    }
                }
                Err(Refusal::Forbidden(denial))
            }
            Err(Refusal::NotFound { .. }) => {
                drop(tx);
                Err(self.turn_away(caller, &tenant).await)
            }
            Err(other) => Err(other),
        }
    }

    /// Whether the caller may do something here, asked before it is offered: a refusal is recorded as that of
    /// any look. For pages that lead up to a change.
    ///
    /// # Errors
    /// [`Refusal::Forbidden`]; [`Refusal::NotFound`] for a tenant the caller has no role in.
    pub async fn require(
        &self,
        caller: &Caller,
        scope: Scope,
        permission: Permission,
    ) -> Result<(), Refusal> {
        self.view(caller, scope, permission).await.map(drop)
    }

    /// The same once somebody tries to do it, with values that no method can take: a refusal is recorded as
    /// that of any change.
    ///
    /// # Errors
    /// As [`ControlPlane::require`].
    pub async fn require_to_change(
        &self,
        caller: &Caller,
        scope: Scope,
        permission: Permission,
    ) -> Result<(), Refusal> {
        let tried = self.look(caller, scope.into(), permission, Refused::Change);
        tried.await.map(drop)
    }
}

/// What a refusal without a transaction is in the log: looks are told once in a while, changes each time.
#[derive(Clone, Copy)]
enum Refused {
    Look,
    Change,
}

/// A permitted look at one tenant.
pub(crate) struct View {
    tenant: Tenant,
    tx: Tx,
}

impl View {
    /// The tenant.
    pub(crate) fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The state that is looked at.
    pub(crate) fn tx(&self) -> &Tx {
        &self.tx
    }

    /// The state that is looked at, for whoever needs nothing else.
    pub(crate) fn into_tx(self) -> Tx {
        self.tx
    }
}
