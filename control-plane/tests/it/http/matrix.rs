//! Role × route (R-ADM-01): every operation that exists, called by every role there is.
//!
//! The operations come from the served document and the expectation from roles and default matrix alone, so
//! a new route is tested the moment it exists and a route that asks for the wrong permission fails.

use std::collections::BTreeMap;

use contract::{
    duty::DutyKey,
    ids::{RolloutId, TypedId},
    permission::Permission,
    policies::{PasswordPolicy, Policy},
    responsibility::Responsibility,
    role::{Party, Role},
};
use control_plane::{
    At, HeldRole, Mode, PageRequest, Scope, Wait,
    apis::NewApi,
    applications::NewApplication,
    client_grants::NewClientGrant,
    nodes::{NewNode, Ring},
    releases::Serving,
    tenants::{NewTenant, Tenant, TenantChanges},
};
use reqwest::{Method, Response};
use serde_json::Value;

use super::{Api, documents::operations};
use crate::{
    containments::{hour, user},
    harness::{FakeNode, invitee, new_tenant},
    rollouts::{make_canary, until},
};

/// Ids in the documents' examples, and what stands in their place here.
pub struct Stage {
    pub names: BTreeMap<String, String>,
    examples: Vec<(&'static str, String)>,
    /// With it, a release of the tenant is on its way.
    _canary: FakeNode,
}

impl Stage {
    pub fn path(&self, path: &str) -> String {
        self.names.iter().fold(path.to_owned(), |path, (name, id)| {
            path.replace(&format!("{{{name}}}"), id)
        })
    }

    pub fn body(&self, example: &Value) -> String {
        self.examples
            .iter()
            .fold(example.to_string(), |body, (example, id)| {
                body.replace(example, id)
            })
    }
}

#[tokio::test]
async fn without_a_token_nothing_answers() {
    let api = Api::serve().await;
    let stage = set(&api).await;
    for (method, path, _) in operations(&api).await {
        let answer = api
            .anonymous(method.clone(), &stage.path(&path))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401, "{method} {path}");
    }
}

#[tokio::test]
async fn every_role_gets_exactly_its_routes() {
    let api = Api::serve().await;
    let stage = set(&api).await;
    let system = api.world.cp.system_caller();
    let acme = stage.names["tenant"].parse().unwrap();
    let acme = api.world.cp.get_tenant(&system, acme).await.unwrap();
    let operations = operations(&api).await;
    let mut table: BTreeMap<String, String> = BTreeMap::new();
    for role in Role::ALL {
        let caller = match role.party() {
            Party::Vendor => api.world.staff(role).await,
            Party::Customer => api.world.member(&acme, role).await,
        };
        let token = api.token(&caller);
        for (method, path, operation) in &operations {
            let wanted = may(role, operation);
            let answer = call(&api, &stage, &token, (method, path, operation)).await;
            let status = answer.status().as_u16();
            assert!(
                !operation["responses"][status.to_string()].is_null(),
                "{method} {path} gave {status}, which is not documented"
            );
            let done = (200..300).contains(&status);
            assert!(
                done == wanted && (done || status == 403),
                "{role}: {method} {path} gave {status}"
            );
            let row = format!("{method} {path}");
            let cell = if done { "+" } else { "." };
            *table.entry(row).or_default() += &format!(" {cell}");
        }
    }
    insta::assert_snapshot!(drawn(&table));
}

#[tokio::test]
async fn the_owner_of_another_tenant_gets_nothing_of_this_one() {
    let api = Api::serve().await;
    let stage = set(&api).await;
    let globex = api.world.tenant("globex-2").await;
    let token = api.token(&api.world.member(&globex, Role::TenantOwner).await);
    for (method, path, operation) in operations(&api).await {
        if !path.starts_with("/v1/tenants/{tenant}") {
            continue;
        }
        let answer = call(&api, &stage, &token, (&method, &path, &operation)).await;
        let status = answer.status().as_u16();
        assert_eq!(status, 404, "{method} {path}");
    }
}

/// The table as an auditor reads it: a column per role, a row per operation.
fn drawn(table: &BTreeMap<String, String>) -> String {
    let columns = Role::ALL.iter().zip(1..);
    let legend: String = columns
        .clone()
        .map(|(role, column)| format!("{column} {role}\n"))
        .collect();
    let header: String = columns.map(|(_, column)| format!(" {column}")).collect();
    let rows: Vec<String> = table
        .iter()
        .map(|(operation, cells)| format!("{operation:76}{cells}"))
        .collect();
    format!("{legend}\n{:76}{header}\n{}", "", rows.join("\n"))
}

/// What roles and the default matrix say.
fn may(role: Role, operation: &Value) -> bool {
    let key = operation["x-bailiwick-permission"].as_str().unwrap();
    if key == "operator" {
        return true;
    }
    let permission: Permission = key.replace("{kind}", "password").parse().unwrap();
    let row = Responsibility::default_for(DutyKey::covering(permission));
    // The row the stage changes belongs to the customer, and only the accountable party changes a row.
    let accountable =
        operation["operationId"] != "updateResponsibility" || role.party() == Party::Customer;
    role.grants(permission) && row.actors.contains(&role.party()) && accountable
}

/// Calls an operation as its documents say, and keeps nothing of it.
pub async fn call(
    api: &Api,
    stage: &Stage,
    token: &str,
    (method, path, operation): (&Method, &str, &Value),
) -> Response {
    let query = if *method == Method::GET {
        ""
    } else {
        "?dry_run=true"
    };
    let path = format!("{}{query}", stage.path(path));
    let mut request = api
        .request(method.clone(), &path, token)
        .header("If-Match", "*");
    let example = &operation["requestBody"]["content"]["application/json"]["example"];
    if !example.is_null() {
        request = request
            .header("Content-Type", "application/json")
            .body(stage.body(example));
    }
    request.send().await.unwrap()
}

/// One of everything in the tenant `acme`.
pub async fn set(api: &Api) -> Stage {
    let (cp, system) = (&api.world.cp, &api.world.cp.system_caller());
    let stay = Mode::Commit;
    let acme = NewTenant {
        first_admin: Some(invitee("First")),
        ..new_tenant("acme")
    };
    let acme = cp.create_tenant(system, acme, stay).await.unwrap().tenant;
    let invited = |name: &'static str, role: Role, scope: Scope| async move {
        let held = HeldRole { role, scope };
        let invited = cp.invite_operator(system, held, invitee(name), stay).await;
        invited.unwrap().operator.id.to_string()
    };
    let waiting = invited("Waiting", Role::UserSupport, Scope::Tenant(acme.id)).await;
    let waiting_staff = invited("Staffed", Role::SupportEngineer, Scope::Platform).await;
    let machine = NewApplication::of_kind("Job", contract::application::ApplicationKind::Machine);
    let application = cp
        .create_application(system, acme.id, machine, stay)
        .await
        .unwrap()
        .record;
    let new_api = |name: &str| NewApi {
        name: name.to_owned(),
        audience: format!("https://{name}.test").parse().unwrap(),
        scopes: serde_json::from_value(
            serde_json::json!([{"scope": "orders:read", "description": "See"}]),
        )
        .unwrap(),
    };
    let used = cp
        .create_api(system, acme.id, new_api("used"), stay)
        .await
        .unwrap()
        .api
        .id;
    let free = cp
        .create_api(system, acme.id, new_api("free"), stay)
        .await
        .unwrap()
        .api
        .id;
    let grant = NewClientGrant {
        application: application.application.id,
        api: used,
        scopes: ["orders:read".parse().unwrap()].into(),
    };
    let grant = cp
        .create_client_grant(system, acme.id, grant, stay)
        .await
        .unwrap()
        .grant
        .id;
    let at = At {
        tenant: acme.id,
        expected: None,
    };
    let draft = Policy::Password(PasswordPolicy {
        min_length: 20,
        ..Default::default()
    });
    cp.save_policy_draft(system, at, draft, stay).await.unwrap();
    let containment = cp
        .contain(system, acme.id, hour(user(7)), (Wait::No, stay))
        .await
        .unwrap()
        .containment
        .id;
    let (member, member_role) = holder(api, Scope::Tenant(acme.id)).await;
    let (staff, staff_role) = holder(api, Scope::Platform).await;
    let event = api.world.audit(acme.id).await[0].event.id;
    let node = NewNode {
        name: "waiting".parse().unwrap(),
        region: "local".parse().unwrap(),
        ring: Ring::Wide,
    };
    let node = cp.create_node(system, node, stay).await.unwrap();
    // As if the database had been restored: there is something to recover.
    let ahead = format!(
        "INSERT INTO fleet_ahead (tenant_id, node_id, version, accepted, at) \
         VALUES ('{}', '{}', 1000, false, '2026-01-02 03:04:05+00:00')",
        acme.id, node.node.id
    );
    api.world.tamper(&ahead).await;
    let (canary, rollout) = rollout(api, &acme).await;
    let names = [
        ("tenant", acme.id.to_string()),
        ("kind", "password".to_owned()),
        ("application", application.application.id.to_string()),
        ("secret", application.secrets[0].id.to_string()),
        ("api", free.to_string()),
        ("client_grant", grant.to_string()),
        ("duty", "policy.sign_in".to_owned()),
        ("operator", waiting),
        ("staff", waiting_staff),
        ("assignment", member_role),
        ("staff_assignment", staff_role),
        ("version", "1".to_owned()),
        ("event", event.to_string()),
        ("node", node.node.id.to_string()),
        ("containment", containment.to_string()),
        ("rollout", rollout.to_string()),
    ];
    Stage {
        names: names.map(|(name, id)| (name.to_owned(), id)).into(),
        examples: vec![
            (
                "app_01h00000000000000000000000",
                application.application.id.to_string(),
            ),
            ("api_01h00000000000000000000000", free.to_string()),
            ("opr_01h00000000000000000000000", member),
            ("opr_01h00000000000000000000001", staff),
        ],
        _canary: canary,
    }
}

/// A canary node, and a release of the tenant that only it is given.
async fn rollout(api: &Api, tenant: &Tenant) -> (FakeNode, RolloutId) {
    let (world, system) = (&api.world, api.world.cp.system_caller());
    make_canary(world, 2).await;
    let canary = FakeNode::greet(&world.cp, 2, Vec::new()).await.obey();
    let newest = world.released(tenant.id).await;
    until(async || {
        let reach = world.cp.effectiveness(&system, tenant.id).await.unwrap();
        let serves = |node: &Serving| node.node == canary.id && node.applied == newest;
        reach.serving.iter().any(serves)
    })
    .await;
    let at = At {
        tenant: tenant.id,
        expected: None,
    };
    let changes = TenantChanges {
        name: Some("Acme, renamed".parse().unwrap()),
        ..TenantChanges::default()
    };
    let renamed = world.cp.update_tenant(&system, at, changes, Mode::Commit);
    renamed.await.unwrap();
    let page = PageRequest::default();
    let rollouts = world.cp.list_rollouts_of(&system, tenant.id, &page).await;
    (canary, rollouts.unwrap().items[0].rollout.id)
}

/// Somebody with a small role in the scope: their id, and that of the role.
async fn holder(api: &Api, scope: Scope) -> (String, String) {
    let system = api.world.cp.system_caller();
    let caller = match scope {
        Scope::Platform => api.world.staff(Role::PlatformOperator).await,
        Scope::Tenant(tenant) => {
            let tenant = api.world.cp.get_tenant(&system, tenant).await.unwrap();
            api.world.member(&tenant, Role::UserSupport).await
        }
    };
    assert!(!caller.operator().uuid().is_nil());
    let members = api.world.cp.list_members(&system, scope).await.unwrap();
    let member = members
        .iter()
        .find(|member| member.operator.id == caller.operator())
        .unwrap();
    (
        member.operator.id.to_string(),
        member.roles[0].id.to_string(),
    )
}
