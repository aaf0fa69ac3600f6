//! T10, API access.

use contract::role::Role;

use super::{apps::shop, harness::World};

#[actix_web::test]
async fn api_access_is_given_scope_by_scope() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let id = shop(&world, &owner).await;
    let access = format!("apps/{id}/access");
    world.get(&owner, &access).await.is(200).shows(&[
        "It may call no API",
        "The tenant has no APIs yet, so there is nothing to allow.",
    ]);
    let api = [
        ("name", "Orders"),
        ("audience", "https://orders.example"),
        (
            "scopes",
            "orders:read See orders\norders:write Place orders",
        ),
    ];
    let made = world.post(&owner, "apis/create", &api).await;
    made.is(303);
    let api = made.location.rsplit('/').next().unwrap().to_owned();
    world
        .get(&owner, &access)
        .await
        .shows(&["Allow another API", "Orders (https://orders.example)"]);
    world
        .get(&owner, &format!("{access}?api={api}"))
        .await
        .shows(&["Place orders", "orders:write"]);
    let allow = format!("{access}/allow");
    world
        .post(&owner, &allow, &[("version", "0"), ("api", &api)])
        .await
        .is(422)
        .shows(&["Choose at least one scope."]);
    world
        .post(
            &owner,
            &allow,
            &[("version", "0"), ("api", &api), ("scopes", "orders:read")],
        )
        .await
        .is(303);
    let page = world.get(&owner, &access).await;
    page.shows(&[
        "Shop may call Orders with orders:read, and nothing else there.",
        "No other API is left to allow",
        "<span class=\"tag\">orders:read</span>",
        "Change scopes",
    ]);
    page.hides(&["every API"]);
    let stale = [
        ("version", "7"),
        ("api", api.as_str()),
        ("scopes", "orders:write"),
    ];
    world.post(&owner, &allow, &stale).await.is(409);
    let in_use = [("version", "1"), ("confirm", "Orders")];
    world
        .post(&owner, &format!("apis/{api}/delete"), &in_use)
        .await
        .is(422)
        .shows(&["client grants allow applications"]);
    let at = page.body.find("/access/cgr_").unwrap() + "/access/".len();
    let grant = &page.body[at..at + 30];
    world
        .post(
            &owner,
            &format!("{access}/{grant}/remove"),
            &[("version", "1")],
        )
        .await
        .is(303);
    world
        .get(&owner, &access)
        .await
        .shows(&["It may call no API"]);
    world
        .post(&owner, &format!("apis/{api}/delete"), &in_use)
        .await
        .is(303);
}
