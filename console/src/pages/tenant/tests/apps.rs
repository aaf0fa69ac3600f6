//! T8, T9, T10: applications.

use contract::role::Role;

use super::harness::{Answer, Person, World};

const WEB: &[(&str, &str)] = &[
    ("kind", "web"),
    ("name", "Shop"),
    ("redirect_uris", "https://shop.example/cb"),
    ("post_logout_redirect_uris", ""),
    ("scopes", "openid"),
    ("signing_algorithm", "ES256"),
];

/// The id of the first application that a page links to.
fn id_in(answer: &Answer) -> String {
    let at = answer.body.find("app_").expect("an application's id");
    answer.body[at..at + 30].to_owned()
}

/// Registers the shop and gives its id.
pub(super) async fn shop(world: &World, owner: &Person) -> String {
    let made = world.post(owner, "apps/create", WEB).await;
    made.is(200);
    id_in(&world.get(owner, "apps").await)
}

#[actix_web::test]
async fn an_empty_list_says_what_comes_next_and_only_to_whom_it_may() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let vendor = world.person("Vic", Role::PlatformOperator).await;
    let page = world.get(&owner, "apps").await;
    page.is(200).shows(&[
        "<title>Applications · Acme · Bailiwick</title>",
        "No applications yet",
        "/t/acme/production/apps/new",
    ]);
    let page = world.get(&vendor, "apps").await;
    page.is(200)
        .shows(&["No applications yet"])
        .hides(&["apps/new"]);
    let page = world.get(&vendor, "apps/new").await;
    page.is(403).shows(&[
        "applications.registration",
        "tenant.applications.edit",
        "customer",
    ]);
    world
        .get(&owner, "apps?q=nothing")
        .await
        .is(200)
        .shows(&["No application matches"]);
}

#[actix_web::test]
async fn a_secret_is_shown_once_in_the_answer_that_made_it() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    world.get(&owner, "apps/new").await.is(200).shows(&[
        "What sort of program is it?",
        "choice-card",
        "method=\"get\"",
    ]);
    let form = world.get(&owner, "apps/new?kind=web").await;
    form.is(200).shows(&[
        "name=\"redirect_uris\"",
        "name=\"scopes\" value=\"openid\" checked",
        "shown once",
    ]);
    let made = world.post(&owner, "apps/create", WEB).await;
    made.is(200).shows(&[
        "secret-value",
        "OIDC_ISSUER=http://127.0.0.1:7100/t/acme",
        "Shop is ready",
    ]);
    let secret_at = made.body.find("id=\"secret-value\">").unwrap() + "id=\"secret-value\">".len();
    let secret = &made.body[secret_at..secret_at + 20];
    let page = world.get(&owner, &format!("apps/{}", id_in(&made))).await;
    page.is(200)
        .hides(&[secret])
        .shows(&["name=\"version\" value=\"1\"", "Discovery"]);
    world
        .get(&owner, "audit")
        .await
        .is(200)
        .hides(&[secret])
        .shows(&["Created application"]);
}

#[actix_web::test]
async fn public_kinds_have_no_secret_and_a_reload_makes_no_second_one() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let mut members = WEB.to_vec();
    members[0].1 = "spa";
    let made = world.post(&owner, "apps/create", &members).await;
    made.is(303);
    let page = world.get_at(&owner, &made.location).await;
    page.is(200)
        .shows(&["Created Shop.", "Browser application"])
        .hides(&["secret-value"]);
    let credentials = made.location.clone() + "/credentials";
    world
        .get_at(&owner, &credentials)
        .await
        .is(200)
        .shows(&["No secret, on purpose"])
        .hides(&["Make secret"]);
}

#[actix_web::test]
async fn a_bad_line_is_named_and_what_was_typed_stays() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let mut members = WEB.to_vec();
    members[2].1 = "https://shop.example/cb\r\nhttp://shop.example/cb\r\n<script>";
    let answer = world.post(&owner, "apps/create", &members).await;
    answer.is(422).shows(&[
        "2 things need your attention",
        "Line 2 (http://shop.example/cb) must use https",
        "Line 3 (&lt;script&gt;)",
        "value=\"Shop\"",
        "https://shop.example/cb\r\nhttp://shop.example/cb",
        "aria-invalid=\"true\"",
    ]);
    answer.hides(&["(<script>)"]);
    world
        .get(&owner, "apps")
        .await
        .shows(&["No applications yet"]);
    let mut members = WEB.to_vec();
    members[1].1 = "";
    world
        .post(&owner, "apps/create", &members)
        .await
        .is(422)
        .shows(&["Name must not be empty."]);
}

#[actix_web::test]
async fn the_list_warns_about_loopback_in_production() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let mut members = WEB.to_vec();
    members[2].1 = "http://127.0.0.1/cb";
    world.post(&owner, "apps/create", &members).await.is(200);
    let list = world.get(&owner, "apps").await;
    list.is(200).shows(&[
        "Loopback redirect in production",
        "row-link",
        "Web application",
        "newest made",
        "1 application",
    ]);
    world.get(&owner, "apps?q=sho").await.shows(&["row-link"]);
}

#[actix_web::test]
async fn settings_are_saved_with_the_version_that_was_read() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let id = shop(&world, &owner).await;
    let basics = |version: &'static str| {
        [
            ("version", version),
            ("name", "Big shop"),
            ("signing_algorithm", "RS256"),
            ("auth_methods", "client_secret_post"),
            ("scopes", "openid"),
        ]
    };
    let update = format!("apps/{id}/update");
    let saved = world.post(&owner, &update, &basics("1")).await;
    saved.is(303);
    world
        .get_at(&owner, &saved.location)
        .await
        .shows(&["Saved Big shop as version 2.", "value=\"Big shop\""]);
    let stale = world.post(&owner, &update, &basics("1")).await;
    stale
        .is(409)
        .shows(&["Someone else changed this", "Big shop"]);
    world.post(&owner, &update, &basics("")).await.is(409);
    let redirects = [
        ("version", "2"),
        ("redirect_uris", "https://shop.example/new\nnonsense"),
        ("post_logout_redirect_uris", ""),
    ];
    let answer = world
        .post(&owner, &format!("apps/{id}/redirects"), &redirects)
        .await;
    answer
        .is(422)
        .shows(&["Line 2 (nonsense) must be an absolute URI."]);
    let redirects = [
        ("version", "2"),
        ("redirect_uris", "https://shop.example/new"),
        ("post_logout_redirect_uris", ""),
    ];
    world
        .post(&owner, &format!("apps/{id}/redirects"), &redirects)
        .await
        .is(303);
    world
        .get(&owner, &format!("apps/{id}/redirects"))
        .await
        .is(200)
        .shows(&["https://shop.example/new"]);
}

#[actix_web::test]
async fn secrets_rotate_with_an_overlap() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let id = shop(&world, &owner).await;
    let page = world.get(&owner, &format!("apps/{id}/credentials")).await;
    page.is(200)
        .shows(&["You revoke it", "Make secret", "Revoke"]);
    let create = format!("apps/{id}/credentials/create");
    let made = world
        .post(
            &owner,
            &create,
            &[("version", "1"), ("overlap_seconds", "3600")],
        )
        .await;
    made.is(200)
        .shows(&["secret-value", "The older secret works until"]);
    let page = world.get(&owner, &format!("apps/{id}/credentials")).await;
    page.shows(&["Two secrets work now", "in 1 h"])
        .hides(&["secret-value"]);
    world
        .post(
            &owner,
            &create,
            &[("version", "2"), ("overlap_seconds", "0")],
        )
        .await
        .is(422)
        .shows(&["Two secrets work already"]);
    let at = page.body.find("/credentials/crd_").unwrap() + "/credentials/".len();
    let secret = page.body[at..at + 30].to_owned();
    let confirm = world
        .get(&owner, &format!("apps/{id}/credentials/{secret}"))
        .await;
    confirm
        .is(200)
        .shows(&["Revoke this secret", "The other secret keeps working"]);
    let revoke = format!("apps/{id}/credentials/{secret}/revoke");
    world
        .post(&owner, &revoke, &[("version", "2")])
        .await
        .is(303);
    world
        .get(&owner, &format!("apps/{id}/credentials"))
        .await
        .shows(&["Revoked a secret of Shop.", "Make secret"]);
    world.time.advance(chrono::Duration::hours(2));
}

#[actix_web::test]
async fn deleting_asks_for_the_name() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let id = shop(&world, &owner).await;
    let danger = format!("apps/{id}/danger");
    world
        .get(&owner, &danger)
        .await
        .is(200)
        .shows(&["Type Shop to confirm", "Disable application"]);
    world
        .post(
            &owner,
            &format!("apps/{id}/status"),
            &[("version", "1"), ("status", "disabled")],
        )
        .await
        .is(303);
    world
        .get(&owner, "apps")
        .await
        .shows(&["Disabled", "linked off"]);
    world
        .get(&owner, &danger)
        .await
        .shows(&["Enable application"]);
    let delete = format!("apps/{id}/delete");
    world
        .post(&owner, &delete, &[("version", "2"), ("confirm", "shop")])
        .await
        .is(422)
        .shows(&["Type Shop exactly"]);
    let gone = world
        .post(&owner, &delete, &[("version", "2"), ("confirm", "Shop")])
        .await;
    gone.is(303);
    world
        .get_at(&owner, &gone.location)
        .await
        .shows(&["Deleted Shop.", "No applications yet"]);
    world.get(&owner, &danger).await.is(404);
}

#[actix_web::test]
async fn a_vendor_reads_and_another_tenants_people_find_nothing() {
    let world = World::new().await;
    let owner = world.person("Mara", Role::TenantOwner).await;
    let vendor = world.person("Vic", Role::PlatformOwner).await;
    let id = shop(&world, &owner).await;
    let page = world.get(&vendor, &format!("apps/{id}")).await;
    page.is(200)
        .shows(&["client secret basic", "grant-bar"])
        .hides(&["save-bar", "Danger zone"]);
    world
        .get(&vendor, &format!("apps/{id}/danger"))
        .await
        .is(403);
    world
        .post(
            &vendor,
            &format!("apps/{id}/update"),
            &[
                ("version", "1"),
                ("name", "Mine"),
                ("signing_algorithm", "ES256"),
                ("auth_methods", "client_secret_post"),
            ],
        )
        .await
        .is(403);
    world
        .post(
            &vendor,
            &format!("apps/{id}/redirects"),
            &[("version", "1"), ("redirect_uris", "nonsense")],
        )
        .await
        .is(403);
    let page = world.get(&vendor, &format!("apps/{id}/credentials")).await;
    page.is(200)
        .shows(&[
            "You can look at this, but not change it",
            "Application secrets",
        ])
        .hides(&["Make secret"]);
    let other = world.other_tenant().await;
    let stranger = world
        .person_in(
            "Sam",
            Role::TenantOwner,
            control_plane::Scope::Tenant(other.id),
        )
        .await;
    world
        .get(&stranger, &format!("apps/{id}"))
        .await
        .is(404)
        .hides(&["Shop"]);
    world
        .get_at(&stranger, &format!("/t/globex/production/apps/{id}"))
        .await
        .is(404);
}

#[actix_web::test]
async fn what_is_built_in_is_shown_and_not_offered_for_change() {
    let world = World::new().await;
    let owner = world.person("Vera", Role::PlatformOwner).await;
    let platform = "/t/platform/production";
    let console = id_in(&world.get_at(&owner, &format!("{platform}/apps")).await);
    for tab in ["", "/redirects", "/credentials", "/access"] {
        let page = world
            .get_at(&owner, &format!("{platform}/apps/{console}{tab}"))
            .await;
        page.is(200)
            .shows(&["Built in", "lock everybody out"])
            .hides(&[
                &format!("/cmd/t/platform/production/apps/{console}"),
                "Danger zone",
            ]);
    }
    let apis = world.get_at(&owner, &format!("{platform}/apis")).await;
    let at = apis.body.find("api_").expect("an API's id");
    let page = world
        .get_at(
            &owner,
            &format!("{platform}/apis/{}", &apis.body[at..at + 30]),
        )
        .await;
    page.is(200)
        .shows(&["urn:bailiwick:admin"])
        .hides(&["/cmd/t/platform/production/apis"]);
}
