//! People and oversight over HTTP: what the console can do, a program can do too.

use contract::role::Role;
use control_plane::{Mode, tenants::NewTenant};
use serde_json::json;

use super::{Api, json as body_of, problem};
use crate::harness::{invitee, new_tenant};

#[tokio::test]
async fn a_role_is_where_its_location_says() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let vendor = api.token(&api.world.staff(Role::PlatformOwner).await);
    for (base, token, role) in [
        ("/v1/tenants/acme", &token, "tenant_auditor"),
        ("/v1", &vendor, "support_engineer"),
    ] {
        let kim = json!({"name": "Kim New", "email": format!("{role}@example.com"), "role": role});
        let invited = api.post(&format!("{base}/operators"), token, &kim).await;
        assert_eq!(invited.status(), 201, "{base}");
        let place = invited.headers()["location"].to_str().unwrap().to_owned();
        let invited = body_of(invited).await;
        assert_eq!(invited["invitation"], "sent");
        assert!(invited["operator"]["accepted_at"].is_null());
        let found = api.get(&place, token).await;
        assert_eq!(found.status(), 200, "{place}");
        assert_eq!(body_of(found).await, invited["assignment"]);
        let operator = invited["operator"]["id"].as_str().unwrap();
        let again = format!("{base}/operators/{operator}/invitation");
        let sent = api.post(&again, token, &json!({})).await;
        assert_eq!(sent.status(), 200, "{again}");
        assert_eq!(body_of(sent).await, json!({"invitation": "sent"}));
        for nobody in ["x", "ras_01h00000000000000000000000"] {
            let nobody = format!("{base}/role-assignments/{nobody}");
            assert_eq!(api.get(&nobody, token).await.status(), 404, "{nobody}");
        }
    }
    // A role of the one scope does not exist in the other.
    let staff = body_of(api.get("/v1/operators", &vendor).await).await;
    let role = staff["items"][0]["roles"][0]["id"].as_str().unwrap();
    let foreign = format!("/v1/tenants/acme/role-assignments/{role}");
    assert_eq!(api.get(&foreign, &token).await.status(), 404);
}

#[tokio::test]
async fn the_first_owner_is_invited_again_until_an_owner_comes() {
    let api = Api::serve().await;
    let vendor = api.token(&api.world.staff(Role::PlatformOperator).await);
    let system = api.world.cp.system_caller();
    let new = NewTenant {
        first_admin: Some(invitee("Ada")),
        ..new_tenant("acme")
    };
    let acme = api.world.cp.create_tenant(&system, new, Mode::Commit).await;
    let acme = acme.unwrap().tenant;
    let path = "/v1/tenants/acme/owner-invitation";
    let governed = || async {
        let seen = api.get("/v1/tenants/acme/oversight", &vendor).await;
        assert_eq!(seen.status(), 200);
        body_of(seen).await["first_owner"]["state"].clone()
    };
    assert_eq!(governed().await, "invited");
    for body in [json!({}), json!({"email": "ada.right@example.com"})] {
        let sent = api.post(path, &vendor, &body).await;
        assert_eq!(sent.status(), 200, "{body}");
        assert_eq!(body_of(sent).await, json!({"invitation": "sent"}));
    }
    let bad = api.post(path, &vendor, &json!({"email": "nobody"})).await;
    assert_eq!(problem(bad).await["code"], "invalid");
    api.world.member(&acme, Role::TenantOwner).await;
    assert_eq!(governed().await, "accepted");
    let late = api.post(path, &vendor, &json!({})).await;
    assert_eq!(problem(late).await["code"], "owner_accepted");
}

#[tokio::test]
async fn a_program_sees_which_node_serves_what_and_whether_the_log_is_whole() {
    let api = Api::serve().await;
    let token = api.acme(Role::TenantOwner).await;
    let system = api.world.cp.system_caller();
    let acme = "acme".parse().unwrap();
    let acme = api.world.cp.get_tenant_by_slug(&system, &acme).await;
    let acme = acme.unwrap();
    let limit = std::time::Duration::from_secs(5);
    api.world.cp.wait_applied(acme.id, 1, limit).await.unwrap();
    let reach = body_of(api.get("/v1/tenants/acme/effectiveness", &token).await).await;
    let node = json!({
        "node": api.node.id, "ring": "wide", "wanted": 1, "connected": true, "applied": 1, "rejected": null,
    });
    let reached = json!({"version": 1, "applied": 1, "nodes": [node], "ahead": null});
    assert_eq!(reach, reached);

    let shop = json!({"name": "Job", "kind": "machine"});
    let made = api.post("/v1/tenants/acme/applications", &token, &shop);
    assert_eq!(made.await.status(), 201);
    let chain = "/v1/tenants/acme/audit-chain";
    let whole = body_of(api.get(chain, &token).await).await;
    assert!(whole["broken_at"].is_null() && whole["events"].as_u64() > Some(0));
    let last = &api.world.audit(acme.id).await[0];
    assert_eq!(whole["head"], last.hash.to_string());
    let cut = format!(
        "DELETE FROM audit_events WHERE tenant_id = '{}' AND seq = 1",
        acme.id
    );
    api.world.tamper(&cut).await;
    let broken = body_of(api.get(chain, &token).await).await;
    assert_eq!(
        (&broken["events"], &broken["broken_at"]),
        (&json!(0), &json!(1))
    );
}
