//! T1 and what holds on every page.

use contract::role::Role;

use super::harness::World;
use crate::routes;

#[actix_web::test]
async fn the_checklist_ticks_itself() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let page = world.get(&owner, "home").await;
    page.is(200).shows(&[
        "Set up this tenant",
        "0 of 5 steps done",
        "Register an application",
        "http://127.0.0.1:7100/t/acme/.well-known/openid-configuration",
        "href=\"http://127.0.0.1:7100/t/acme/\"",
        "Created the tenant",
    ]);
    world.person("Ada", Role::TenantAuditor).await;
    let machine = [
        ("kind", "machine"),
        ("name", "Robot"),
        ("signing_algorithm", "ES256"),
    ];
    world
        .post(&owner, "apps/create", &machine)
        .await
        .is(200)
        .shows(&["client_credentials"]);
    world
        .get(&owner, "home")
        .await
        .shows(&["2 of 5 steps done"]);
}

#[actix_web::test]
async fn the_command_line_is_not_counted_as_a_person() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let alone = [
        "0 of 5 steps done",
        "People who administer it</dt><dd><a href=\"/t/acme/production/roles\">1</a></dd>",
    ];
    world.get(&owner, "home").await.shows(&alone);
    let scope = control_plane::Scope::Tenant(world.acme.id);
    let stand_in = world
        .control_plane
        .local_operator(Role::TenantAuditor, scope);
    stand_in.await.unwrap();
    world.get(&owner, "home").await.shows(&alone);
}

#[actix_web::test]
async fn every_page_of_the_navigation_is_complete_and_named_after_its_scope() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    for screen in super::super::SCREENS
        .iter()
        .filter(|screen| screen.nav.is_some())
    {
        let page = world.get(&owner, screen.path).await;
        page.is(200)
            .shows(&["· Acme · Bailiwick</title>", "</html>"])
            .hides(&[" style=\"", "<script>"]);
        assert_eq!(page.body.matches("<h1>").count(), 1, "{}", screen.path);
    }
    let patterns: Vec<String> = routes::screens().map(routes::Screen::pattern).collect();
    for (position, pattern) in patterns.iter().enumerate() {
        assert!(!patterns[..position].contains(pattern), "{pattern} twice");
    }
}
