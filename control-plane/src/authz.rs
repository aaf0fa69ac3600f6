//! Authorization: roles give permissions, the responsibility matrix takes them from the wrong party.
//!
//! Both are compiled to Cedar policies per tenant: a `permit` for each role and a `forbid` for each duty
//! that one party may not act in. Cedar's rule that a forbid always wins is exactly what "responsibility
//! is executable" needs, and its diagnostics name the policy that decided, which becomes the words of the
//! refusal. A tenant nobody gave the caller a role in is not found, so that ids tell nothing.
//!
//! Nothing here looks at the request's content: rules about content belong to the resource.

mod compile;
mod strangers;

use std::sync::Arc;

use cedar_policy::{Authorizer as Engine, Context, Decision, Entities, Entity, PolicySet, Request};
use contract::{
    duty::DutyKey,
    ids::TenantId,
    permission::Permission,
    responsibility::Responsibility,
    role::{Party, Role},
};
use moka::future::Cache;

use self::compile::{action, brings, principal, resource, role_entity};
pub(crate) use self::{
    compile::Ground,
    strangers::{Attempt, Strangers},
};
use crate::{Caller, ControlPlane, Denial, Refusal, refusal::Why, store::Tx, tenants::Tenant};

/// Tenants whose compiled policies stay in memory; about 40 kB each.
const CACHED_TENANTS: u64 = 2_000;

/// Decides, and keeps what deciding needs.
pub(crate) struct Authorizer {
    engine: Engine,
    cache: Cache<(TenantId, i64), Arc<Rules>>,
}

/// One tenant's matrix, ready to decide with.
pub(crate) struct Rules {
    ground: Ground,
    policies: PolicySet,
    matrix: Vec<Responsibility>,
}

/// Who asks, reduced to what decides.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    /// A name for diagnostics.
    pub(crate) id: String,
    /// Whose people they belong to.
    pub(crate) party: Party,
    /// The roles that count in the tenant asked about.
    pub(crate) roles: Vec<Role>,
}

impl Principal {
    /// What of a caller decides in `tenant`.
    fn of(caller: &Caller, tenant: TenantId) -> Self {
        Self {
            id: caller.operator().to_string(),
            party: caller.party(),
            roles: caller.roles_in(tenant).collect(),
        }
    }
}

impl Default for Authorizer {
    fn default() -> Self {
        Self {
            engine: Engine::new(),
            cache: Cache::new(CACHED_TENANTS),
        }
    }
}

impl Rules {
    /// Compiles a matrix.
    pub(crate) fn compile(ground: Ground, matrix: Vec<Responsibility>) -> Self {
        Self {
            ground,
            policies: compile::policies(ground, &matrix),
            matrix,
        }
    }

    fn row(&self, duty: DutyKey) -> Responsibility {
        self.matrix
            .iter()
            .find(|row| row.duty == duty)
            .cloned()
            .unwrap_or_else(|| self.ground.row(duty))
    }
}

impl Authorizer {
    /// Decides one question.
    pub(crate) fn decide(
        &self,
        rules: &Rules,
        who: &Principal,
        permission: Permission,
        tenant: TenantId,
    ) -> Result<(), Refusal> {
        let person = principal(&who.id);
        let parents = who.roles.iter().map(|role| role_entity(*role)).collect();
        let attributes = [("party".to_owned(), compile::text(who.party.as_str()))].into();
        let entity = Entity::new(person.clone(), attributes, parents).map_err(Refusal::internal)?;
        let entities = Entities::from_entities([entity], None).map_err(Refusal::internal)?;
        let request = Request::new(
            person,
            action(permission),
            resource(tenant),
            Context::empty(),
            None,
        )
        .map_err(Refusal::internal)?;
        let answer = self
            .engine
            .is_authorized(&request, &rules.policies, &entities);
        if answer.decision() == Decision::Allow {
            return Ok(());
        }
        let forbidden_by = answer
            .diagnostics()
            .reason()
            .find_map(|id| compile::duty_of(id.as_ref()));
        Err(Denial {
            permission,
            why: explain(rules, permission, who, forbidden_by),
        }
        .into())
    }

    async fn rules(&self, tx: &Tx, tenant: &Tenant) -> Result<Arc<Rules>, Refusal> {
        let key = (tenant.id, tenant.matrix_version);
        if let Some(rules) = self.cache.get(&key).await {
            return Ok(rules);
        }
        let matrix = tx.list_responsibilities(tenant.id).await?;
        let matrix = matrix.into_iter().map(|row| row.responsibility).collect();
        let rules = Arc::new(Rules::compile(Ground::of(tenant), matrix));
        self.cache.insert(key, rules.clone()).await;
        Ok(rules)
    }
}

fn explain(rules: &Rules, permission: Permission, who: &Principal, duty: Option<DutyKey>) -> Why {
    let ground = rules.ground;
    let lacks_role = !who
        .roles
        .iter()
        .any(|role| brings(*role, permission, ground));
    match duty {
        // Whoever lacks the permission anyway would learn nothing they could use from the matrix,
        // except when the matrix is why their side has nobody who could give it.
        Some(duty) if !(lacks_role && who.party == Party::Customer) => {
            let row = rules.row(duty);
            Why::Duty {
                duty,
                accountable: row.accountable,
                actors: row.actors.into_iter().collect(),
            }
        }
        _ => missing(permission, ground),
    }
}

fn missing(permission: Permission, ground: Ground) -> Why {
    let of_vendor = permission.is_platform() || ground == Ground::Platform;
    let managing = if of_vendor {
        Permission::StaffManage
    } else {
        Permission::RolesManage
    };
    let of_tenant = |role: &Role| of_vendor || role.party() == Party::Customer;
    let with = |wanted: Permission| {
        Role::ALL
            .into_iter()
            .filter(of_tenant)
            .filter(|role| brings(*role, wanted, ground))
            .collect()
    };
    Why::MissingPermission {
        held_by: with(permission),
        given_by: with(managing),
    }
}

impl ControlPlane {
    /// Whether `caller` may use `permission` in `tenant`.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for a tenant the caller has no role in, [`Refusal::Forbidden`] otherwise.
    pub(crate) async fn authorize(
        &self,
        tx: &Tx,
        caller: &Caller,
        permission: Permission,
        tenant: &Tenant,
    ) -> Result<(), Refusal> {
        if caller.is_system() {
            return Ok(());
        }
        let who = Principal::of(caller, tenant.id);
        if !caller.knows(tenant.id) && !permission.is_platform() {
            return Err(Refusal::NotFound { what: "tenant" });
        }
        let authorizer = &self.inner.authorizer;
        let rules = authorizer.rules(tx, tenant).await?;
        authorizer.decide(&rules, &who, permission, tenant.id)
    }

    /// What of `role` the caller lacks in `tenant`: what no role of theirs grants, and what the matrix lets
    /// its holder do and not them. The holder's party is the role's, so a power that a duty keeps from the
    /// caller's party cannot be had by making somebody of the other one.
    pub(crate) async fn lacking(
        &self,
        tx: &Tx,
        caller: &Caller,
        role: Role,
        tenant: &Tenant,
    ) -> Result<Vec<Permission>, Refusal> {
        if caller.is_system() {
            return Ok(Vec::new());
        }
        let giver = Principal::of(caller, tenant.id);
        let holder = Principal {
            id: "holder".to_owned(),
            party: role.party(),
            roles: vec![role],
        };
        let authorizer = &self.inner.authorizer;
        let rules = authorizer.rules(tx, tenant).await?;
        let may = |who: &Principal, permission| match authorizer
            .decide(&rules, who, permission, tenant.id)
        {
            Ok(()) => Ok(true),
            Err(Refusal::Forbidden(_)) => Ok(false),
            Err(other) => Err(other),
        };
        let mut lacking = Vec::new();
        for permission in role.permissions() {
            // What the matrix lets neither of them do now it may let the holder do later.
            let is_granted = giver.roles.iter().any(|own| own.grants(permission));
            // Of the other party's rows only its own people may change any, whatever this permission says.
            let is_theirs =
                permission == Permission::ResponsibilitiesEdit && giver.party != holder.party;
            if !is_granted || is_theirs || (may(&holder, permission)? && !may(&giver, permission)?)
            {
                lacking.push(permission);
            }
        }
        Ok(lacking)
    }

    /// Which of `permissions` the caller may use in `tenant`, in one go: for pages that show what is
    /// possible. Says nothing about a tenant the caller has no role in.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for such a tenant.
    pub async fn allowed(
        &self,
        caller: &Caller,
        tenant: TenantId,
        permissions: &[Permission],
    ) -> Result<Vec<Permission>, Refusal> {
        let tx = self.store().begin_read().await?;
        let tenant = tx
            .find_tenant(tenant)
            .await?
            .ok_or(Refusal::NotFound { what: "tenant" })?;
        let mut allowed = Vec::new();
        for permission in permissions {
            match self.authorize(&tx, caller, *permission, &tenant).await {
                Ok(()) => allowed.push(*permission),
                Err(Refusal::Forbidden(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(allowed)
    }
}

#[cfg(test)]
mod tests {
    use contract::ids::TypedId;

    use super::*;

    fn tenant() -> TenantId {
        TenantId::from_uuid(uuid::Uuid::from_u128(1))
    }

    fn cell(rules: &Rules, role: Role, party: Party, permission: Permission) -> String {
        let who = Principal {
            id: "opr_test".to_owned(),
            party,
            roles: vec![role],
        };
        match Authorizer::default().decide(rules, &who, permission, tenant()) {
            Ok(()) => "yes".to_owned(),
            Err(Refusal::Forbidden(denial)) => match denial.why {
                Why::Duty { duty, .. } => format!("duty:{duty}"),
                _ => "-".to_owned(),
            },
            Err(other) => panic!("{other}"),
        }
    }

    fn table(rules: &Rules, in_scope: impl Fn(Role, Party) -> bool) -> String {
        let mut lines = Vec::new();
        for role in Role::ALL {
            for party in Party::ALL
                .into_iter()
                .filter(|party| in_scope(role, *party))
            {
                lines.push(format!("{role} of the {party}"));
                for permission in Permission::all() {
                    let verdict = cell(rules, role, party, *permission);
                    if verdict != "-" {
                        lines.push(format!("  {:<42} {verdict}", permission.key()));
                    }
                }
            }
        }
        lines.join("\n")
    }

    /// Every cell of role × permission for a new tenant and for the platform's own (R-ADM-01). A line that
    /// is not there is "no".
    #[test]
    fn the_matrix_is_reviewed() {
        let default = DutyKey::all().map(Responsibility::default_for).collect();
        let rules = Rules::compile(Ground::Customer, default);
        insta::assert_snapshot!(
            "new_tenant",
            table(&rules, |role, party| role.party() == party)
        );
        let own = DutyKey::all().map(Responsibility::platform).collect();
        let rules = Rules::compile(Ground::Platform, own);
        insta::assert_snapshot!(
            "platform_tenant",
            table(&rules, |role, party| role.party() == party)
        );
    }

    #[test]
    fn a_party_that_may_not_act_is_kept_out_whatever_the_role() {
        let rules = Rules::compile(
            Ground::Customer,
            DutyKey::all().map(Responsibility::default_for).collect(),
        );
        for role in Role::ALL {
            for permission in Permission::all() {
                for party in Party::ALL {
                    let row = rules.row(DutyKey::covering(*permission));
                    if cell(&rules, role, party, *permission) == "yes" {
                        assert!(row.actors.contains(&party) && role.grants(*permission));
                    }
                }
            }
        }
    }

    /// An application of the platform's own tenant could collect the tokens of every operator, and its
    /// policies decide who becomes one: an operator who may not give roles may not get there another way.
    #[test]
    fn only_owners_change_the_platforms_own_tenant_r_adm_02() {
        let own = DutyKey::all().map(Responsibility::platform).collect();
        let rules = Rules::compile(Ground::Platform, own);
        for permission in Permission::all() {
            let verdict = |role| cell(&rules, role, Party::Vendor, *permission);
            assert_eq!(verdict(Role::PlatformOwner), "yes", "{permission}");
            if !permission.is_platform() && !permission.is_view() {
                for role in [
                    Role::PlatformOperator,
                    Role::SupportEngineer,
                    Role::PlatformAuditor,
                ] {
                    assert_eq!(verdict(role), "-", "{role} {permission}");
                }
            }
        }
    }

    /// A duty that a later version of the catalogue adds locks nobody out of the platform's own tenant.
    #[test]
    fn a_duty_younger_than_the_matrix_stands_where_a_new_one_would() {
        for ground in [Ground::Customer, Ground::Platform] {
            let young = Rules::compile(ground, Vec::new());
            let full = Rules::compile(
                ground,
                DutyKey::all().map(|duty| ground.row(duty)).collect(),
            );
            let cells = |rules| table(rules, |role, party| role.party() == party);
            assert_eq!(cells(&young), cells(&full));
        }
    }

    #[test]
    fn a_refusal_names_the_duty_and_what_would_be_needed() {
        let rules = Rules::compile(Ground::Customer, Vec::new());
        let who = Principal {
            id: "opr_test".to_owned(),
            party: Party::Vendor,
            roles: vec![Role::PlatformOperator],
        };
        let permission = Permission::PolicyPublish(contract::policies::PolicyKind::Password);
        let refused = Authorizer::default().decide(&rules, &who, permission, tenant());
        let Err(Refusal::Forbidden(denial)) = refused else {
            panic!("the vendor may not publish a customer's policy");
        };
        assert_eq!(denial.duty().unwrap().as_str(), "policy.sign_in");
        assert_eq!(denial.accountable(), Some(Party::Customer));
        insta::assert_snapshot!(
            "vendor_publish_refused",
            format!(
                "{}\n{}\n{}",
                denial.code(),
                denial.detail(),
                denial.needed()
            )
        );
    }
}
