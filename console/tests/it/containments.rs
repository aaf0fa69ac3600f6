//! Containing something from a page, watching it, lifting it; who may, who sees it, and what the room shows.

use actix_web::http::{StatusCode, header};
use contract::{receipt::Receipt, role::Role};

use crate::{
    harness::{Answer, Browser, World, assert_sound},
    lane,
    nodes::{between, read, send},
};

const BASE: &str = "/t/acme/production/containments";
const BEGIN: &str = "/cmd/t/acme/production/containments/begin";
const USER: &str = "usr_01h00000000000000000000000";
/// An hour for a user, waiting for nodes.
const HOUR: [(&str, &str); 6] = [
    ("kind", "user"),
    ("id", USER),
    ("reason", "Taken over <today>"),
    ("length", "60"),
    ("existing", "stays_ended"),
    ("wait", "reachable"),
];

fn but<'a>(form: &[(&'a str, &'a str)], changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let kept = form
        .iter()
        .filter(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    kept.chain(changes).copied().collect()
}

/// Contains the user and answers the path of the containment's page.
pub(crate) async fn contained(world: &World, browser: &Browser) -> String {
    let answer = send(world, browser, BEGIN, &HOUR).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.html);
    answer.location
}

fn told(html: &str, all: &[&str]) {
    for text in all {
        assert!(html.contains(text), "{text:?} is missing:\n{html}");
    }
}

fn problem(answer: &Answer, field: &str) {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
    let error = format!("href=\"#{field}\"");
    assert!(answer.html.contains(&error), "{field}: {}", answer.html);
}

#[actix_web::test]
async fn a_user_is_contained_watched_and_let_go_again_t32() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    lane::obedient(&world, 1).await;
    let admin = world.member(&acme, Role::SecurityAdmin).await;
    let none = read(&world, &admin, BASE).await;
    told(&none, &["Nothing is contained", "Contain…"]);
    assert!(!none.contains("contained-bar"));

    let which = read(&world, &admin, &format!("{BASE}/review?kind=user")).await;
    told(&which, &["User ID", "See the consequences"]);
    assert!(
        !which.contains("error-summary"),
        "the first step asks only for the kind"
    );
    let review = read(
        &world,
        &admin,
        &format!("{BASE}/review?kind=user&id={USER}"),
    )
    .await;
    told(
        &review,
        &[
            "Contain the user",
            "Nobody could count what this hits",
            "Contain now",
        ],
    );

    let page = contained(&world, &admin).await;
    let shown = read(&world, &admin, &page).await;
    told(
        &shown,
        &[
            "Containment of a user",
            "Taken over &lt;today&gt;",
            "Effective on 1 of 1 node, ",
            "Every node has confirmed.",
            "request 1",
            "Access tokens from before go on working",
            "bailiwick verify receipt-",
            "Lift…",
            "In force",
        ],
    );
    let home = read(&world, &admin, "/t/acme/production/home").await;
    told(
        &home,
        &["contained-bar", "Contained: ", "See the containment", &page],
    );
    let list = read(&world, &admin, BASE).await;
    told(&list, &["1 containment now", "1 of 1", &page]);

    let twice = send(&world, &admin, BEGIN, &HOUR).await;
    problem(&twice, "id");
    told(&twice.html, &["It is contained already"]);

    let version = between(&shown, "name=\"version\" value=\"", "\"").to_owned();
    let id = page.rsplit('/').next().unwrap();
    let extend = format!("/cmd{BASE}/{id}/extend");
    let wrong = [
        ("length", "other"),
        ("minutes", ""),
        ("version", version.as_str()),
    ];
    problem(&send(&world, &admin, &extend, &wrong).await, "minutes");
    let later = [("length", "240"), ("version", version.as_str())];
    assert_eq!(send(&world, &admin, &extend, &later).await.location, page);
    told(
        &read(&world, &admin, &page).await,
        &["It ends at 2 Jan 2026, 07:04 UTC now."],
    );

    let lift = format!("/cmd{BASE}/{id}/lift");
    let question = read(&world, &admin, &format!("{page}/lift")).await;
    told(
        &question,
        &["Lift the containment of a user?", "stay ended", "Lift now"],
    );
    let newer = between(&question, "name=\"version\" value=\"", "\"").to_owned();
    let without = [("reason", " "), ("version", newer.as_str())];
    problem(&send(&world, &admin, &lift, &without).await, "reason");
    let stale = [("reason", "Reset"), ("version", version.as_str())];
    let stale = send(&world, &admin, &lift, &stale).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "{}", stale.html);
    let good = [("reason", "Reset"), ("version", newer.as_str())];
    assert_eq!(send(&world, &admin, &lift, &good).await.location, page);
    let over = read(&world, &admin, &page).await;
    told(
        &over,
        &[
            "Lifted",
            "Lifted because",
            "Nothing is contained any more",
            "Receipt of its beginning",
        ],
    );
    assert!(
        !over.contains("Lift…") && !over.contains("contained-bar"),
        "{over}"
    );
    told(
        &read(&world, &admin, &format!("{page}/lift")).await,
        &["It is over already"],
    );
    let list = read(&world, &admin, BASE).await;
    told(
        &list,
        &["Nothing is contained", "1 containment over", &page],
    );
}

#[actix_web::test]
async fn the_receipt_is_a_file_that_holds() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    lane::obedient(&world, 1).await;
    let admin = world.member(&acme, Role::SecurityAdmin).await;
    let page = contained(&world, &admin).await;
    let id = page.rsplit('/').next().unwrap();
    let answer = world.get(Some(&admin), &format!("{page}/receipt")).await;
    assert_eq!(answer.status, StatusCode::OK);
    let header = |name: header::HeaderName| answer.headers.get(name).unwrap().to_str().unwrap();
    let file = format!("attachment; filename=\"receipt-{id}.jws\"");
    assert_eq!(header(header::CONTENT_DISPOSITION), file);
    assert_eq!(header(header::CONTENT_TYPE), "application/jose");
    assert_eq!(header(header::CACHE_CONTROL), "no-store");
    let trust = world.control_plane.trust_root();
    let (receipt, document) = Receipt::verify(&answer.html, &trust).unwrap();
    assert_eq!(receipt.figures.confirmed, 1);
    assert_eq!(document.id.to_string(), id);
    // A message that waits is for the next page, not for a file.
    told(&read(&world, &admin, &page).await, &["Contained a user."]);
    for nothing in ["?revision=2", "?revision=x"] {
        let answer = world
            .get(Some(&admin), &format!("{page}/receipt{nothing}"))
            .await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{nothing}");
    }
}

#[actix_web::test]
async fn what_is_wrong_with_the_form_stands_at_its_field() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    for (changes, field) in [
        (&[("kind", "planet")][..], "kind"),
        (&[("id", "")], "id"),
        (&[("id", "app_01h00000000000000000000000")], "id"),
        (&[("reason", "")], "reason"),
        (&[("length", "61")], "length"),
        (&[("length", "other"), ("minutes", "0")], "minutes"),
        (&[("existing", "")], "existing"),
        (
            &[
                ("kind", "application"),
                ("id", "app_01h00000000000000000000000"),
            ],
            "id",
        ),
        (&[("kind", "signing_key"), ("id", "nothing")], "id"),
        (&[("kind", "tenant"), ("id", "")], "confirm"),
        (
            &[("kind", "tenant"), ("id", ""), ("confirm", "acne")],
            "confirm",
        ),
    ] {
        let answer = send(&world, &owner, BEGIN, &but(&HOUR, changes)).await;
        problem(&answer, field);
    }
    let bad = world
        .get(Some(&owner), &format!("{BASE}/review?kind=user&id=x"))
        .await;
    problem(&bad, "id");
    assert_sound("review", &bad);
    told(&bad.html, &["value=\"x\""]);
    let open = world.control_plane.system_caller();
    let open = world.control_plane.contained(&open, acme.id).await.unwrap();
    assert!(open.is_empty(), "nothing of this contained anything");
}

#[actix_web::test]
async fn the_whole_tenant_needs_its_name_and_is_told_in_red() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let review = read(&world, &owner, &format!("{BASE}/review?kind=tenant")).await;
    told(
        &review,
        &["Type acme to confirm", "Nobody signs in to the tenant"],
    );
    let whole = but(
        &HOUR,
        &[
            ("kind", "tenant"),
            ("id", ""),
            ("confirm", "acme"),
            ("wait", ""),
        ],
    );
    let answer = send(&world, &owner, BEGIN, &whole).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.html);
    let page = read(&world, &owner, &answer.location).await;
    told(
        &page,
        &[
            "contained-bar whole",
            "Containment of the whole tenant",
            "on no node",
        ],
    );
}

#[actix_web::test]
async fn who_may_not_contain_sees_why_and_is_refused() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let admin = world.member(&acme, Role::SecurityAdmin).await;
    let page = contained(&world, &admin).await;
    let auditor = world.member(&acme, Role::TenantAuditor).await;
    for path in [BASE, page.as_str()] {
        let shown = read(&world, &auditor, path).await;
        told(
            &shown,
            &[
                "You can look at this, but not change it",
                "incidents.containment",
            ],
        );
        assert!(
            !shown.contains("Lift…") && !shown.contains(">Contain…"),
            "{shown}"
        );
    }
    for path in ["/new", "/review?kind=tenant"] {
        let answer = world.get(Some(&auditor), &format!("{BASE}{path}")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    let id = page.rsplit('/').next().unwrap();
    for command in [
        BEGIN.to_owned(),
        format!("/cmd{BASE}/{id}/lift"),
        format!("/cmd{BASE}/{id}/extend"),
    ] {
        let answer = send(&world, &auditor, &command, &HOUR).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{command}");
        // Also with a form that would be refused for itself.
        let answer = send(&world, &auditor, &command, &[]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{command}");
    }
    let foreign = [("form_token", "x"), ("kind", "user")];
    let answer = world.post(Some(&admin), BEGIN, &foreign).await;
    assert_eq!(
        answer.status,
        StatusCode::FORBIDDEN,
        "a form of another session"
    );
}

#[actix_web::test]
async fn one_tenants_containment_is_nowhere_in_another() {
    let world = World::new().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let admin = world.member(&acme, Role::SecurityAdmin).await;
    let page = contained(&world, &admin).await;
    let other = world.member(&globex, Role::TenantOwner).await;
    let moved = page.replace("/acme/", "/globex/");
    for below in ["", "/lift", "/receipt", "/events"] {
        for path in [format!("{page}{below}"), format!("{moved}{below}")] {
            let answer = world.get(Some(&other), &path).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        }
    }
    let home = read(&world, &other, "/t/globex/production/home").await;
    assert!(!home.contains("contained-bar"));
}

#[actix_web::test]
async fn the_room_shows_all_tenants_and_counts_them_p10() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    world.tenant("globex").await;
    let staff = world.staff(Role::PlatformOperator).await;
    let none = read(&world, &staff, "/p/incidents").await;
    told(&none, &["Nothing is contained", "/p/incidents/contain"]);
    lane::obedient(&world, 1).await;
    let admin = world.member(&acme, Role::SecurityAdmin).await;
    let page = contained(&world, &admin).await;
    // Either side may act: the vendor's people contain in another tenant.
    let globex = BEGIN.replace("/acme/", "/globex/");
    let answer = send(&world, &staff, &globex, &HOUR).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.html);
    let room = read(&world, &staff, "/p/incidents").await;
    told(
        &room,
        &[
            "ACME",
            "GLOBEX",
            &page,
            "2 of 2",
            "1 of 1, ",
            "Taken over &lt;today&gt;",
        ],
    );
    let nodes = read(&world, &staff, "/p/nodes").await;
    told(
        &nodes,
        &["<span class=\"count hot\">2</span>", "Hears them"],
    );
    let choice = read(&world, &staff, "/p/incidents/contain?q=glob").await;
    told(&choice, &["/t/globex/production/containments/new"]);
    assert!(!choice.contains("/t/acme/production/containments/new"));
    let customer = world.get(Some(&admin), "/p/incidents").await;
    assert_eq!(customer.status, StatusCode::FORBIDDEN);
}
