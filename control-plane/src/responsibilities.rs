//! The responsibility matrix of a tenant: who answers for what, and who may act.
//!
//! The matrix is the authorization policy, so changing it is the most consequential edit there is: besides
//! the permission it takes belonging to the party that is accountable for the row now. Nobody can take a
//! duty from the other side. Each change is in the audit log with the row before and after, which is the
//! row's history.

use chrono::{DateTime, Utc};
use contract::{
    duty::DutyKey, ids::TenantId, permission::Permission, responsibility::Responsibility,
};

use crate::{
    At, Caller, ControlPlane, Denial, Mode, Refusal,
    audit::Event,
    authz::Ground,
    change::{Done, check_version},
    refusal::Why,
    tenants::Tenant,
};

/// A row of the matrix, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixRow {
    /// What it says.
    pub responsibility: Responsibility,
    /// For `If-Match`; 0 for a duty that is younger than the tenant and stands at its default.
    pub version: i64,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// By whom.
    pub updated_by: String,
}

impl MatrixRow {
    fn unset(duty: DutyKey, tenant: &Tenant) -> Self {
        Self {
            responsibility: Ground::of(tenant).row(duty),
            version: 0,
            updated_at: DateTime::UNIX_EPOCH,
            updated_by: String::new(),
        }
    }
}

impl ControlPlane {
    /// Lists the whole matrix, in the catalogue's order.
    ///
    /// # Errors
    /// Needs `tenant.responsibilities.view`.
    pub async fn list_responsibilities(
        &self,
        caller: &Caller,
        tenant: TenantId,
    ) -> Result<Vec<MatrixRow>, Refusal> {
        let view = self
            .view(caller, tenant, Permission::ResponsibilitiesView)
            .await?;
        let mut stored = view.tx().list_responsibilities(tenant).await?;
        Ok(DutyKey::all()
            .map(|duty| {
                let at = stored
                    .iter()
                    .position(|row| row.responsibility.duty == duty);
                at.map_or_else(
                    || MatrixRow::unset(duty, view.tenant()),
                    |at| stored.swap_remove(at),
                )
            })
            .collect())
    }

    /// Reads one row.
    ///
    /// # Errors
    /// Needs `tenant.responsibilities.view`.
    pub async fn get_responsibility(
        &self,
        caller: &Caller,
        tenant: TenantId,
        duty: DutyKey,
    ) -> Result<MatrixRow, Refusal> {
        let view = self
            .view(caller, tenant, Permission::ResponsibilitiesView)
            .await?;
        let found = view.tx().find_responsibility(tenant, duty).await?;
        Ok(found.unwrap_or_else(|| MatrixRow::unset(duty, view.tenant())))
    }

    /// Changes one row.
    ///
    /// # Errors
    /// Needs `tenant.responsibilities.edit` and belonging to the party now accountable. [`Refusal::Stale`];
    /// [`Refusal::Invalid`] for a row that contradicts itself; [`Refusal::Conflict`] on the platform itself.
    pub async fn update_responsibility(
        &self,
        caller: &Caller,
        at: At,
        wanted: Responsibility,
        mode: Mode,
    ) -> Result<MatrixRow, Refusal> {
        let At { tenant, expected } = at;
        let change = self
            .change(caller, tenant, Permission::ResponsibilitiesEdit, mode)
            .await?;
        let duty = wanted.duty;
        let found = change.tx().find_responsibility(tenant, duty).await?;
        let before = found.unwrap_or_else(|| MatrixRow::unset(duty, change.tenant()));
        let accountable = before.responsibility.accountable;
        if caller.party() != accountable && !caller.is_system() {
            let denial = Denial {
                permission: change.permission(),
                why: Why::NotAccountable { duty, accountable },
            };
            return Err(change.refuse(denial).await);
        }
        wanted.check()?;
        if change.tenant().is_platform() {
            return Err(Refusal::conflict(
                "platform_tenant",
                "On the platform itself the vendor is both sides; there is nothing to share.",
            ));
        }
        check_version(expected, before.version)?;
        let after = MatrixRow {
            responsibility: wanted,
            version: before.version + 1,
            updated_at: change.at(),
            updated_by: caller.name().to_owned(),
        };
        change.tx().put_responsibility(tenant, &after).await?;
        let mut owner = change.tenant().clone();
        owner.matrix_version += 1;
        change.tx().update_tenant(&owner).await?;
        let event = Event::new(
            "responsibilities.update",
            format!(
                "Changed who is responsible for \u{201c}{}\u{201d}.",
                duty.duty().title
            ),
        )
        .object("duty", duty, duty.duty().title)
        .before(&before.responsibility)
        .after(&after.responsibility);
        change.finish(Done::new(after, event)).await
    }
}
