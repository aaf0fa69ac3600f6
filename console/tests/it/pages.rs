//! What people see and do on the pages of the platform and on everyone's own.

use actix_web::http::StatusCode;
use contract::role::Role;

use crate::harness::{World, assert_sound, example};

#[actix_web::test]
async fn every_page_of_the_navigation_is_complete_html() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let staff = world.staff(Role::PlatformOwner).await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    for screen in console::routes::screens().filter(|screen| screen.nav.is_some()) {
        let path = example(&screen.pattern());
        let browser = if path.starts_with("/p/") {
            &staff
        } else {
            &owner
        };
        let answer = world.get(Some(browser), &path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.html);
        assert_sound(&path, &answer);
        assert!(
            answer.html.contains("aria-current=\"page\""),
            "{path} is marked in the navigation"
        );
    }
    for path in [
        "/me", "/search", "/search?q=acme", "/search?q=zzz", "/p/tenants/new", "/p/tenants/acme",
        "/p/tenants?q=zzz",
    ] {
        let answer = world.get(Some(&staff), path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_sound(path, &answer);
    }
}

#[actix_web::test]
async fn the_navigation_has_what_the_person_may_use_and_nothing_else() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let auditor = world.staff(Role::SupportEngineer).await;
    let page = world.get(Some(&auditor), "/p/tenants").await.html;
    assert!(page.contains("href=\"/p/nodes\"") && !page.contains("href=\"/p/audit\""));
    assert!(
        !page.contains("href=\"/p/tenants/new\""),
        "no button for what is refused"
    );
    let support = world.member(&acme, Role::UserSupport).await;
    let page = world
        .get(Some(&support), "/t/acme/production/home")
        .await
        .html;
    assert!(
        page.contains("/t/acme/production/apps\"") && !page.contains("/t/acme/production/audit\"")
    );
}

#[actix_web::test]
async fn a_refused_form_keeps_what_was_typed_and_says_what_is_wrong() {
    let world = World::new().await;
    world.tenant("acme").await;
    let staff = world.staff(Role::PlatformOwner).await;
    let token = world.token(&staff).await;
    let form = [
        ("form_token", token.as_str()),
        ("name", "Second <Acme>"),
        ("slug", "Not A Slug"),
        ("environment", "production"),
        ("region", "local"),
        ("admin_name", "Ada"),
        ("admin_email", "ada@example.com"),
    ];
    let answer = world
        .post(Some(&staff), "/cmd/p/tenants/create", &form)
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_sound("/cmd/p/tenants/create", &answer);
    assert!(answer.html.contains("id=\"slug-error\"") && answer.html.contains("href=\"#slug\""));
    assert!(answer.html.contains("Short name may contain only") && !answer.html.contains(">Slug "));
    assert!(
        answer.html.contains("value=\"Not A Slug\"") && answer.html.contains("Second &lt;Acme&gt;")
    );
}

#[actix_web::test]
async fn suspending_needs_the_name_and_the_version() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let staff = world.staff(Role::PlatformOwner).await;
    let token = world.token(&staff).await;
    let version = acme.version.to_string();
    let send = async |confirm: &str, version: &str| {
        let form = [
            ("form_token", token.as_str()),
            ("status", "suspended"),
            ("confirm", confirm),
            ("version", version),
        ];
        world
            .post(Some(&staff), "/cmd/p/tenants/acme/status", &form)
            .await
    };
    assert_eq!(
        send("acne", &version).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let stale = send("acme", "77").await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    assert!(stale.html.contains("Someone else changed this"));
    let done = send("acme", &version).await;
    assert_eq!(done.location, "/p/tenants/acme");
    let page = world.get(Some(&staff), &done.location).await.html;
    assert!(page.contains("Suspended ACME") && page.contains("Resume tenant"));
}

#[actix_web::test]
async fn a_refused_command_is_written_down() {
    let world = World::new().await;
    world.tenant("acme").await;
    let support = world.staff(Role::SupportEngineer).await;
    let token = world.token(&support).await;
    let form = [
        ("form_token", token.as_str()),
        ("status", "suspended"),
        ("confirm", "acme"),
        ("version", "1"),
    ];
    let answer = world
        .post(Some(&support), "/cmd/p/tenants/acme/status", &form)
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let owner = world.staff(Role::PlatformOwner).await;
    let log = world.get(Some(&owner), "/p/audit").await.html;
    assert!(log.contains("Mara Lind"), "the attempt is in the log");
}

#[actix_web::test]
async fn search_finds_pages_and_tenants_and_only_ones_own() {
    let world = World::new().await;
    let (acme, _globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let staff = world.staff(Role::PlatformOwner).await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let nodes = world.get(Some(&staff), "/search.json?q=nodes").await.html;
    assert!(nodes.contains("\"href\":\"/p/nodes\""), "{nodes}");
    let own = world
        .get(Some(&owner), "/search.json?q=&in=/t/acme/production/home")
        .await
        .html;
    assert!(
        own.contains("/t/acme/production/policies")
            && !own.contains("globex")
            && !own.contains("/p/nodes"),
        "{own}"
    );
    let foreign = world
        .get(
            Some(&owner),
            "/search.json?q=globex&in=/t/globex/production/home",
        )
        .await
        .html;
    assert_eq!(foreign, "[]");
    let policy = world
        .get(
            Some(&owner),
            "/search.json?q=passw&in=/t/acme/production/home",
        )
        .await
        .html;
    assert!(
        policy.contains("\"href\":\"/t/acme/production/policies/password\""),
        "{policy}"
    );
    let switch = world
        .get(Some(&staff), "/search.json?kind=tenants&q=glo")
        .await
        .html;
    assert!(
        switch.contains("/t/globex/production/home") && !switch.contains("/p/"),
        "{switch}"
    );
}
