//! The stand-in for whoever may read the data directory: an operator that is nobody (`bailiwick token`).
//!
//! Reading the directory is having the key to everything sealed in it, so no password is asked. What the
//! stand-in may do is exactly the one role that was asked for: nobody can add to it, here or elsewhere.

use contract::{permission::Permission, role::Role};

use super::{Invitee, Operator, OperatorKind};
use crate::{
    ControlPlane, Mode, Refusal, Scope,
    assignments::check_fit,
    audit::Event,
    caller::HeldRole,
    change::{Change, Done},
};

impl ControlPlane {
    /// The stand-in with `role` in `scope` and nothing else; made when first asked for. Every use is
    /// audited, because the token that is made for it is not asked for again.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a role that cannot count in `scope`; [`Refusal::NotFound`] for the tenant.
    pub async fn local_operator(&self, role: Role, scope: Scope) -> Result<Operator, Refusal> {
        check_fit(role, scope)?;
        let caller = self.system_caller();
        let change = self
            .change(&caller, scope, Permission::RolesManage, Mode::Commit)
            .await?;
        let operator = self.find_or_make_stand_in(&change, role).await?;
        self.hold_exactly(&change, &operator, HeldRole { role, scope })
            .await?;
        let event = Event::new(
            "operators.local_access",
            format!(
                "Gave a token of the role {} to a reader of the data directory.",
                role.title()
            ),
        )
        .object("operator", operator.id, &operator.name);
        change.finish(Done::new(operator, event)).await
    }

    async fn find_or_make_stand_in(
        &self,
        change: &Change<'_>,
        role: Role,
    ) -> Result<Operator, Refusal> {
        let name = Invitee {
            name: format!("Data directory ({})", role.title()),
            // Not an address, so nobody can be invited under it.
            email: format!("data-dir:{role}:{}", change.tenant().slug),
        };
        let known = change.tx().find_operator_by_email(&name.email).await?;
        if let Some(operator) = known {
            return Ok(operator);
        }
        let mut operator = self.new_operator(self.new_id(), &name, role.party(), change.at());
        operator.kind = OperatorKind::DataDir;
        change.tx().insert_operator(&operator).await?;
        Ok(operator)
    }

    /// Takes from the stand-in what it should not hold, and gives it what it should.
    async fn hold_exactly(
        &self,
        change: &Change<'_>,
        operator: &Operator,
        wanted: HeldRole,
    ) -> Result<(), Refusal> {
        let held = change.tx().list_assignments_of(operator.id).await?;
        let (right, wrong): (Vec<_>, Vec<_>) = held
            .into_iter()
            .partition(|held| held.role == wanted.role && held.scope == wanted.scope);
        for surplus in wrong {
            change.tx().delete_assignment(surplus.id).await?;
        }
        if right.is_empty() {
            let given = self.new_assignment(change, operator.id, wanted);
            change.tx().insert_assignment(&given).await?;
        }
        Ok(())
    }
}
