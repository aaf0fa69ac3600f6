//! Role assignments: who holds which role where, and who may decide it.
//!
//! Nobody gives what they lack, and the last owner of a scope stays (R-ADM-02). Vendor roles count on the
//! platform and are for the vendor's people; tenant roles count in one tenant and are for the customer's.

use chrono::{DateTime, Utc};
use contract::{
    ids::{AssignmentId, OperatorId},
    permission::Permission,
    role::{Party, Role},
};
use serde::Serialize;

use crate::{
    Caller, ControlPlane, Denial, HeldRole, Mode, Refusal, Scope,
    audit::Event,
    change::{Change, Done},
    operators::{Operator, OperatorKind},
    refusal::Why,
};

/// One role that one operator holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assignment {
    /// Its id.
    pub id: AssignmentId,
    /// Who holds it.
    pub operator: OperatorId,
    /// What they hold.
    pub role: Role,
    /// Where.
    #[serde(skip)]
    pub scope: Scope,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Who gave it.
    pub created_by: String,
}

/// An operator with the roles they hold in the scope that was asked about.
#[derive(Debug, Clone)]
pub struct Member {
    /// The operator.
    pub operator: Operator,
    /// Their roles there.
    pub roles: Vec<Assignment>,
}

impl Member {
    /// A person who holds an owner's role.
    pub(crate) fn is_owner(&self) -> bool {
        self.operator.kind == OperatorKind::Person
            && self.roles.iter().any(|held| held.role.is_owner())
    }

    /// An owner who came, which is what keeps a scope from being locked: whoever is only invited may never
    /// find the letter.
    pub(crate) fn is_standing_owner(&self) -> bool {
        self.is_owner() && !self.operator.is_invited()
    }
}

impl ControlPlane {
    /// Lists who holds a role in `scope`, by name.
    ///
    /// # Errors
    /// Needs `tenant.roles.view`, on the platform `platform.staff.view`.
    pub async fn list_members(
        &self,
        caller: &Caller,
        scope: Scope,
    ) -> Result<Vec<Member>, Refusal> {
        let permission = match scope {
            Scope::Platform => Permission::StaffView,
            Scope::Tenant(_) => Permission::RolesView,
        };
        let view = self.view(caller, scope, permission).await?;
        Ok(view.tx().list_members(scope).await?)
    }

    /// Gives a role to someone who is an operator already.
    ///
    /// # Errors
    /// Needs `tenant.roles.manage`, on the platform `platform.staff.manage`, and everything the role
    /// brings. [`Refusal::NotFound`]; [`Refusal::Conflict`] for a role they hold (`role_held`) and for the
    /// data directory's stand-in (`stand_in`).
    pub async fn assign_role(
        &self,
        caller: &Caller,
        wanted: HeldRole,
        operator: OperatorId,
        mode: Mode,
    ) -> Result<Assignment, Refusal> {
        let HeldRole { role, scope } = wanted;
        let change = self.change_roles(caller, scope, mode).await?;
        check_fit(role, scope)?;
        let change = self.check_may_give(change, role).await?;
        // Only people who hold something here can be named by id: ids of others tell nothing.
        let members = change.tx().list_members(scope).await?;
        let operator = members
            .into_iter()
            .map(|member| member.operator)
            .find(|member| member.id == operator)
            .ok_or(Refusal::NotFound { what: "operator" })?;
        if operator.kind != OperatorKind::Person {
            return Err(Refusal::conflict(
                "stand_in",
                format!(
                    "{} stands for whoever can read it and holds exactly one role. Give roles to people.",
                    operator.name
                ),
            ));
        }
        let given = self.give(&change, &operator, wanted).await?;
        let event = told_given(&operator, &given);
        change.finish(Done::new(given, event)).await
    }

    /// Takes a role from its holder.
    ///
    /// # Errors
    /// Needs `tenant.roles.manage`, on the platform `platform.staff.manage`. [`Refusal::NotFound`];
    /// [`Refusal::Conflict`] for the last owner who came. Whoever holds nothing any more is signed out.
    pub async fn remove_role(
        &self,
        caller: &Caller,
        scope: Scope,
        assignment: AssignmentId,
        mode: Mode,
    ) -> Result<(), Refusal> {
        let change = self.change_roles(caller, scope, mode).await?;
        let members = change.tx().list_members(scope).await?;
        let (holder, held) = members
            .iter()
            .find_map(|member| {
                let held = member.roles.iter().find(|held| held.id == assignment)?;
                Some((member, held))
            })
            .ok_or(Refusal::NotFound {
                what: "role assignment",
            })?;
        if held.role.is_owner() && is_last_owner(holder, &members) {
            return Err(Refusal::conflict(
                "last_owner",
                format!(
                    "{} is the last {} here; someone else has to accept that role first.",
                    holder.operator.name,
                    held.role.title()
                ),
            ));
        }
        change.tx().delete_assignment(assignment).await?;
        let left = change.tx().list_assignments_of(holder.operator.id).await?;
        if left.is_empty() {
            // Nothing is left to be signed in for.
            change
                .tx()
                .delete_console_sessions_of(holder.operator.id)
                .await?;
        }
        let event = Event::new(
            "roles.remove",
            format!(
                "Took the role {} from {}.",
                held.role.title(),
                holder.operator.name
            ),
        )
        .object("operator", holder.operator.id, &holder.operator.name)
        .before(held);
        change.finish(Done::new((), event)).await
    }

    pub(crate) async fn change_roles<'a>(
        &'a self,
        caller: &'a Caller,
        scope: Scope,
        mode: Mode,
    ) -> Result<Change<'a>, Refusal> {
        let permission = match scope {
            Scope::Platform => Permission::StaffManage,
            Scope::Tenant(_) => Permission::RolesManage,
        };
        self.change(caller, scope, permission, mode).await
    }

    /// Lets the change go on only if the caller may themselves do all that `role` would let its holder do
    /// here, by the matrix and not only by roles (R-ADM-02).
    pub(crate) async fn check_may_give<'a>(
        &self,
        change: Change<'a>,
        role: Role,
    ) -> Result<Change<'a>, Refusal> {
        let lacking = self
            .lacking(change.tx(), change.caller(), role, change.tenant())
            .await?;
        if lacking.is_empty() {
            return Ok(change);
        }
        let denial = Denial {
            permission: change.permission(),
            why: Why::GrantsMoreThanHeld { role, lacking },
        };
        Err(change.refuse(denial).await)
    }

    pub(crate) async fn give(
        &self,
        change: &Change<'_>,
        operator: &Operator,
        wanted: HeldRole,
    ) -> Result<Assignment, Refusal> {
        let HeldRole { role, scope } = wanted;
        let held = change.tx().list_assignments_of(operator.id).await?;
        if held
            .iter()
            .any(|held| held.role == role && held.scope == scope)
        {
            return Err(Refusal::conflict(
                "role_held",
                format!("{} holds the role {} already.", operator.name, role.title()),
            ));
        }
        let given = self.new_assignment(change, operator.id, wanted);
        change.tx().insert_assignment(&given).await?;
        Ok(given)
    }

    pub(crate) fn new_assignment(
        &self,
        change: &Change<'_>,
        operator: OperatorId,
        wanted: HeldRole,
    ) -> Assignment {
        Assignment {
            id: self.new_id(),
            operator,
            role: wanted.role,
            scope: wanted.scope,
            created_at: change.at(),
            created_by: change.caller().name().to_owned(),
        }
    }
}

/// What the log of the scope says of a role that somebody was given there, whatever it came with.
pub(crate) fn told_given(operator: &Operator, given: &Assignment) -> Event {
    Event::new(
        "roles.assign",
        format!("Gave {} the role {}.", operator.name, given.role.title()),
    )
    .object("operator", operator.id, &operator.name)
    .after(given)
}

/// Whether the scope would be locked without this owner: nobody else came, or nobody else was even invited.
fn is_last_owner(holder: &Member, members: &[Member]) -> bool {
    let others = || {
        members
            .iter()
            .filter(|member| member.operator.id != holder.operator.id)
    };
    holder.is_owner()
        && match holder.is_standing_owner() {
            true => !others().any(Member::is_standing_owner),
            false => !others().any(Member::is_owner),
        }
}

/// Refuses a role where it cannot count.
pub(crate) fn check_fit(role: Role, scope: Scope) -> Result<(), Refusal> {
    match (role.party(), scope) {
        (Party::Vendor, Scope::Platform) | (Party::Customer, Scope::Tenant(_)) => Ok(()),
        (Party::Vendor, Scope::Tenant(_)) => Err(Refusal::invalid(
            "role",
            "is a role of the platform and cannot be given in one tenant",
        )),
        (Party::Customer, Scope::Platform) => Err(Refusal::invalid(
            "role",
            "is a role of one tenant and cannot be given on the platform",
        )),
    }
}
