//! APIs.

use contract::role::Role;

use super::harness::World;

#[actix_web::test]
async fn an_api_is_made_changed_and_read() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let vendor = world.person("Vic", Role::SupportEngineer).await;
    world
        .get(&owner, "apis")
        .await
        .is(200)
        .shows(&["No APIs yet", "apis/new", "aria-current=\"page\""]);
    world
        .get(&owner, "apis/new")
        .await
        .is(200)
        .shows(&["name=\"audience\""]);
    let bad = [
        ("name", "Orders"),
        ("audience", "orders"),
        ("scopes", "orders:read"),
    ];
    let answer = world.post(&owner, "apis/create", &bad).await;
    answer.is(422).shows(&[
        "Audience must be an absolute URI",
        "Line 1: say in a few words",
        "value=\"Orders\"",
    ]);
    let good = [
        ("name", "Orders"),
        ("audience", "https://orders.example"),
        ("scopes", "orders:read See orders"),
    ];
    let made = world.post(&owner, "apis/create", &good).await;
    made.is(303);
    world
        .post(&owner, "apis/create", &good)
        .await
        .is(422)
        .shows(&["has this audience already"]);
    let page = made
        .location
        .trim_start_matches("/t/acme/production/")
        .to_owned();
    world
        .get(&owner, &page)
        .await
        .is(200)
        .shows(&["orders:read See orders", "Based on version 1", "Delete API"]);
    let change = [
        ("version", "1"),
        ("name", "Orders 2"),
        ("scopes", "orders:read See them all"),
    ];
    world
        .post(&owner, &format!("{page}/update"), &change)
        .await
        .is(303);
    world
        .post(&owner, &format!("{page}/update"), &change)
        .await
        .is(409);
    world
        .get(&vendor, &page)
        .await
        .is(200)
        .shows(&["See them all"])
        .hides(&["save-bar", "Delete API"]);
    world
        .get(&vendor, "apis")
        .await
        .is(200)
        .shows(&["Orders 2"])
        .hides(&["apis/new"]);
}
