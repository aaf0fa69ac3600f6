//! T26 and the releases: what happened, and what it came to.

use contract::role::Role;

use super::harness::World;

#[actix_web::test]
async fn done_and_refused_are_told_with_their_place_in_the_chain() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let vendor = world.person("Vic", Role::PlatformOwner).await;
    let caller = world.caller(&vendor).await;
    let wanted = control_plane::apis::NewApi {
        name: "Mine".into(),
        audience: "https://mine.example".parse().unwrap(),
        scopes: vec![],
    };
    let tried = world
        .control_plane
        .create_api(&caller, world.acme.id, wanted, control_plane::Mode::Commit)
        .await;
    assert!(tried.is_err());
    let page = world.get(&owner, "audit").await;
    page.is(200).shows(&[
        "Tried to create, change and delete APIs, and was refused.",
        "Refused",
        "party vendor",
        "via the console",
        "req_test",
        "Position in the chain",
        "Hash of the event before",
        "Created the tenant",
        "21 Sep 2026",
        "UTC",
    ]);
    world
        .get(&owner, "audit?outcome=refused")
        .await
        .shows(&["Outcome: refused", "Clear all"])
        .hides(&["Created the tenant"]);
    world
        .get(&owner, "audit?action=apis.")
        .await
        .is(200)
        .shows(&["Action: APIs", "Tried to create, change and delete APIs"])
        .hides(&["Created the tenant", "Refused on the platform"]);
    world
        .get(&owner, "audit?action=client_grants.")
        .await
        .is(200)
        .shows(&["No event matches these filters", "Action: API access"]);
    world.get(&owner, "audit?q=founded").await.is(200);
    world
        .get(&owner, "audit?since=2026-09-22")
        .await
        .shows(&["No event matches these filters"]);
    world
        .get(&owner, "audit?until=2026-09-21")
        .await
        .shows(&["Created the tenant"]);
    world
        .get(&owner, "audit?verify=1")
        .await
        .shows(&["The chain is unbroken", "All 3 events hold."]);
    world.get(&owner, "audit?since=yesterday").await.is(400);
    world.get(&owner, "audit?actor=me").await.is(400);
}

#[actix_web::test]
async fn opening_a_page_is_no_attempt_at_what_it_is_for() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let auditor = world.person("Lucia", Role::TenantAuditor).await;
    world.get(&auditor, "apps/new").await.is(403);
    let asked =
        "Asked for a page for those who may create, change, disable and delete applications";
    let tried = "Tried to draft the passwords policy, and was refused.";
    world
        .get(&owner, "audit")
        .await
        .shows(&[asked])
        .hides(&["Tried to create"]);
    let (draft, refused) = (
        "policies/password/draft",
        "audit?action=policies.&outcome=refused",
    );
    world.get(&auditor, draft).await.is(403);
    world.get(&owner, refused).await.hides(&[tried]);
    world
        .post(&auditor, "policies/password/save", &[])
        .await
        .is(403);
    world
        .get(&owner, refused)
        .await
        .shows(&[tried])
        .hides(&[asked]);
}

#[actix_web::test]
async fn the_log_is_for_those_who_may_read_it() {
    let world = World::new().await;
    let support = world.person("Sue", Role::UserSupport).await;
    world
        .get(&support, "audit")
        .await
        .is(403)
        .shows(&["tenant.audit.view"]);
    world
        .get(&support, "home")
        .await
        .is(200)
        .hides(&["/t/acme/production/audit"])
        .shows(&["You can't see the audit log here"]);
}

#[actix_web::test]
async fn a_release_names_its_change() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    world.time.advance(chrono::Duration::minutes(5));
    let api = [
        ("name", "Orders"),
        ("audience", "https://orders.example"),
        ("scopes", ""),
    ];
    world.post(&owner, "apis/create", &api).await.is(303);
    let page = world.get(&owner, "releases").await;
    page.is(200).shows(&[
        "Version 2",
        "Version 1",
        "Created API",
        "Created the tenant",
        "No node of the region has reported yet",
        "Superseded",
    ]);
}
