//! Nodes as vendor staff make, join, revoke and delete them, and the authorities that sign for them.

use actix_web::http::StatusCode;
use chrono::TimeDelta;
use contract::{
    enrolment::{Der, EnrolRequest, JoinToken},
    role::Role,
};
use rcgen::{CertificateParams, KeyPair};

use crate::{
    harness::{Answer, Browser, World, assert_sound},
    post::postman,
};

/// Sends a form with the browser's token.
pub(crate) async fn send(
    world: &World,
    browser: &Browser,
    path: &str,
    form: &[(&str, &str)],
) -> Answer {
    let token = world.token(browser).await;
    let form = [form, &[("form_token", token.as_str())]].concat();
    let answer = world.post(Some(browser), path, &form).await;
    if answer.status != StatusCode::SEE_OTHER {
        assert_sound(path, &answer);
    }
    answer
}

/// Reads a page that must be there.
pub(crate) async fn read(world: &World, browser: &Browser, path: &str) -> String {
    let answer = world.get(Some(browser), path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.html);
    assert_sound(path, &answer);
    answer.html
}

/// Makes the node `eu-1` and answers the path of its page.
async fn made(world: &World, staff: &Browser) -> String {
    let new = [("name", "eu-1"), ("region", "local")];
    let answer = send(world, staff, "/cmd/p/nodes/create", &new).await;
    let page = answer.location.strip_suffix("/join");
    page.unwrap_or_else(|| panic!("{}: {}", answer.status, answer.html))
        .to_owned()
}

pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before}: {text}"));
    rest.split_once(after).unwrap().0
}

/// Takes the token that the page shows to a machine and joins with it.
async fn join(world: &World, shown: &str) {
    let text = between(shown, "<code id=\"secret-value\">", "<");
    let token: JoinToken = text.parse().unwrap();
    let key = KeyPair::generate().unwrap();
    let csr = CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    let request = EnrolRequest {
        name: token.name,
        region: token.region,
        secret: token.secret,
        csr: Der::new(csr.der().to_vec()).unwrap(),
    };
    world.control_plane.enrol(request).await.unwrap();
}

/// The node, joined.
async fn joined(world: &World, staff: &Browser) -> String {
    let page = made(world, staff).await;
    let answer = send(world, staff, &format!("/cmd{page}/join-token"), &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.html);
    join(world, &answer.html).await;
    page
}

#[actix_web::test]
async fn a_node_is_made_and_its_join_token_shown_once() {
    let world = World::new().await;
    let staff = world.staff(Role::PlatformOwner).await;
    let none = read(&world, &staff, "/p/nodes").await;
    assert!(
        none.contains("No node yet") && none.contains("Add the first node"),
        "{none}"
    );

    let wrong = [("name", "EU 1"), ("region", "local")];
    let refused = send(&world, &staff, "/cmd/p/nodes/create", &wrong).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.html.contains("id=\"name-error\"") && refused.html.contains("value=\"EU 1\""));

    let page = made(&world, &staff).await;
    let join_page = read(&world, &staff, &format!("{page}/join")).await;
    assert!(
        join_page.contains("Made eu-1.") && join_page.contains("Make join token"),
        "{join_page}"
    );
    let taken = [("name", "eu-1"), ("region", "local")];
    let taken = send(&world, &staff, "/cmd/p/nodes/create", &taken).await;
    assert_eq!(
        taken.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        taken.html
    );
    assert!(taken.html.contains("id=\"name-error\""), "{}", taken.html);

    let shown = send(&world, &staff, &format!("/cmd{page}/join-token"), &[])
        .await
        .html;
    for told in [
        "bwj_",
        "bailiwick-node --join-token-file join-token",
        "in 15 min",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    let awaiting = read(&world, &staff, &page).await;
    assert!(!awaiting.contains("bwj_"), "shown once");
    assert!(
        awaiting.contains("Nothing has joined as this node yet"),
        "{awaiting}"
    );
    assert!(awaiting.contains("Delete node") && !awaiting.contains("Revoke node"));
    let list = read(&world, &staff, "/p/nodes").await;
    assert!(
        list.contains(">Awaiting<") && list.contains(&format!("href=\"{page}\"")),
        "{list}"
    );
}

#[actix_web::test]
async fn a_node_is_revoked_with_a_reason_and_then_deleted() {
    let world = World::new().await;
    let staff = world.staff(Role::PlatformOwner).await;
    let page = joined(&world, &staff).await;
    let shown = read(&world, &staff, &page).await;
    for told in [
        "Not connected", "It is not connected", "Revoke node", "Join again", "in 23 h",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    let version = between(&shown, "name=\"version\" value=\"", "\"").to_owned();
    let revoke = async |reason: &str, confirm: &str, version: &str| {
        let form = [
            ("reason", reason),
            ("confirm", confirm),
            ("version", version),
        ];
        send(&world, &staff, &format!("/cmd{page}/revoke"), &form).await
    };
    let empty = revoke("", "eu-2", &version).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    for told in [
        "id=\"reason-error\"",
        "id=\"confirm-error\"",
        "2 things need your attention",
    ] {
        assert!(empty.html.contains(told), "{told}: {}", empty.html);
    }
    let stale = revoke("Stolen.", "eu-1", "77").await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    assert!(stale.html.contains("Someone else changed this") && stale.html.contains("Stolen."));
    let done = revoke("The machine was <stolen>.", "eu-1", &version).await;
    assert_eq!(done.location, page, "{}", done.html);

    let shown = read(&world, &staff, &page).await;
    for told in [
        "Revoked eu-1.",
        "Reason: The machine was &lt;stolen&gt;.",
        "Delete node",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    assert!(
        !shown.contains("Join again") && !shown.contains("Revoke node"),
        "{shown}"
    );
    let join_page = read(&world, &staff, &format!("{page}/join")).await;
    assert!(
        join_page.contains("Nothing can join as this node")
            && !join_page.contains("Make join token")
    );
    let token = send(&world, &staff, &format!("/cmd{page}/join-token"), &[]).await;
    assert_eq!(token.status, StatusCode::CONFLICT);
    assert!(
        token.html.contains("No join token was made"),
        "{}",
        token.html
    );

    let id = page.rsplit('/').next().unwrap();
    let log = read(&world, &staff, &format!("/p/audit?object={id}")).await;
    assert!(
        log.contains(&format!("href=\"{page}\"")),
        "the log leads to the node: {log}"
    );
    let version = between(&shown, "name=\"version\" value=\"", "\"").to_owned();
    let form = [("confirm", "eu-1"), ("version", version.as_str())];
    let gone = send(&world, &staff, &format!("/cmd{page}/delete"), &form).await;
    assert_eq!(gone.location, "/p/nodes", "{}", gone.html);
    let list = read(&world, &staff, "/p/nodes").await;
    assert!(
        list.contains("Deleted eu-1.") && list.contains("No node yet"),
        "{list}"
    );
    let answer = world.get(Some(&staff), &page).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn a_node_that_was_away_for_too_long_is_told_to_join_again() {
    let world = World::new().await;
    let page = joined(&world, &world.staff(Role::PlatformOwner).await).await;
    world.clock.advance(TimeDelta::hours(25));
    let staff = world.staff(Role::PlatformOperator).await;
    let shown = read(&world, &staff, &page).await;
    for told in ["Locked out", "its certificate has ended", "Join again"] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    let list = read(&world, &staff, "/p/nodes").await;
    assert!(
        list.contains("Locked out") && list.contains("Ended "),
        "{list}"
    );
    let again = read(&world, &staff, &format!("{page}/join")).await;
    assert!(again.contains("eu-1 has joined before") && again.contains("Make join token"));
}

#[actix_web::test]
async fn the_node_of_this_process_is_shown_as_what_it_is() {
    let world = World::new().await;
    postman(&world).await;
    let staff = world.staff(Role::PlatformOwner).await;
    let list = read(&world, &staff, "/p/nodes").await;
    for told in [
        "in the control plane's process",
        "None needed",
        ">Connected<",
        "Up to date",
    ] {
        assert!(
            list.contains(told) || list.contains(&told.replace('\'', "&#x27;")),
            "{told}: {list}"
        );
    }
    let page = format!(
        "/p/nodes/nod_{}",
        between(&list, "href=\"/p/nodes/nod_", "\"")
    );
    let shown = read(&world, &staff, &page).await;
    assert!(shown.contains("It has none and needs none"), "{shown}");
    assert!(
        !shown.contains("Revoke node") && !shown.contains("Join again"),
        "{shown}"
    );
    let join_page = read(&world, &staff, &format!("{page}/join")).await;
    assert!(
        join_page.contains("Nothing can join as this node"),
        "{join_page}"
    );
}

#[actix_web::test]
async fn who_may_only_look_learns_which_duty_it_is() {
    let world = World::new().await;
    let page = made(&world, &world.staff(Role::PlatformOwner).await).await;
    let support = world.staff(Role::SupportEngineer).await;
    let list = read(&world, &support, "/p/nodes").await;
    assert!(
        !list.contains("New node"),
        "what is refused is not offered: {list}"
    );
    let shown = read(&world, &support, &page).await;
    assert!(
        shown.contains("You can look at this, but not change it"),
        "{shown}"
    );
    assert!(
        shown.contains("service.nodes") && !shown.contains("Delete node"),
        "{shown}"
    );
    let authorities = read(&world, &support, "/p/nodes/authorities").await;
    assert!(
        authorities.contains("service.nodes") && !authorities.contains("Make the next authority<")
    );

    for path in ["/p/nodes/new".to_owned(), format!("{page}/join")] {
        let answer = world.get(Some(&support), &path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    let commands = [
        (
            "/cmd/p/nodes/create".to_owned(),
            &[("name", "eu-2"), ("region", "local")][..],
        ),
        ("/cmd/p/nodes/create".to_owned(), &[("name", "EU 2")][..]),
        (format!("/cmd{page}/join-token"), &[]),
        (
            format!("/cmd{page}/revoke"),
            &[("reason", "x"), ("confirm", "eu-1"), ("version", "1")],
        ),
        (
            format!("/cmd{page}/delete"),
            &[("confirm", "eu-1"), ("version", "1")],
        ),
        (format!("/cmd{page}/delete"), &[]),
        (
            "/cmd/p/nodes/authorities/rotate".to_owned(),
            &[("step", "make")],
        ),
        ("/cmd/p/nodes/authorities/rotate".to_owned(), &[]),
    ];
    for (path, form) in commands {
        let answer = send(&world, &support, &path, form).await;
        assert_eq!(
            answer.status,
            StatusCode::FORBIDDEN,
            "{path} {form:?}: {}",
            answer.html
        );
        for told in ["platform.nodes.manage", "Node operation (service.nodes)"] {
            assert!(
                answer.html.contains(told),
                "{path}: {told}: {}",
                answer.html
            );
        }
    }
}

#[actix_web::test]
async fn an_authority_is_rotated_in_two_steps_and_never_by_mistake() {
    let world = World::new().await;
    let staff = world.staff(Role::PlatformOwner).await;
    let rotate = async |step: &str| {
        let path = "/cmd/p/nodes/authorities/rotate";
        let answer = send(&world, &staff, path, &[("step", step)]).await;
        assert_eq!(answer.location, "/p/nodes/authorities", "{}", answer.html);
        read(&world, &staff, &answer.location).await
    };
    let page = read(&world, &staff, "/p/nodes/authorities").await;
    assert!(
        page.contains(">Signing<") && page.contains("Make the next authority"),
        "{page}"
    );
    let early = rotate("sign").await;
    assert!(
        early.contains("Nothing was changed") && !early.contains(">Next<"),
        "{early}"
    );
    let page = rotate("make").await;
    assert!(
        page.contains(">Next<") && page.contains("Wait a moment"),
        "{page}"
    );
    let twice = rotate("make").await;
    assert!(twice.contains("Nothing was changed"), "{twice}");
    let too_early = rotate("sign").await;
    assert!(
        too_early.contains("flash bad") && too_early.contains(">Next<"),
        "{too_early}"
    );
    world.clock.advance(TimeDelta::seconds(61));
    let ready = read(&world, &staff, "/p/nodes/authorities").await;
    assert!(ready.contains("Let the next authority sign"), "{ready}");
    let page = rotate("sign").await;
    assert!(
        page.contains(">Retiring<") && page.contains(">Signing<") && !page.contains(">Next<"),
        "{page}"
    );
}

#[actix_web::test]
async fn search_leads_to_a_node_and_to_what_one_does_with_nodes() {
    let world = World::new().await;
    let staff = world.staff(Role::PlatformOwner).await;
    let page = made(&world, &staff).await;
    let id = page.rsplit('/').next().unwrap();
    for (text, href) in [
        (id, page.as_str()),
        ("authorities", "/p/nodes/authorities"),
        ("new%20node", "/p/nodes/new"),
    ] {
        let found = world
            .get(Some(&staff), &format!("/search.json?q={text}"))
            .await
            .html;
        assert!(
            found.contains(&format!("\"href\":\"{href}\"")),
            "{text}: {found}"
        );
    }
    let support = world.staff(Role::SupportEngineer).await;
    let found = world
        .get(Some(&support), "/search.json?q=new%20node")
        .await
        .html;
    assert!(!found.contains("/p/nodes/new"), "{found}");
}
