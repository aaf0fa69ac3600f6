//! Invitations as the pages tell of them, with a node that takes the letters.

use actix_web::{http::StatusCode, rt};
use contract::{
    frames::{Command, CommandOutcome, Down, Outcome, Up},
    ids::{NodeId, TypedId},
    jws::TrustRoot,
    manifest::Manifest,
    role::Role,
};
use control_plane::NodeLink;

use crate::harness::{Browser, World, assert_sound};

/// Attaches a node that applies whatever it is sent and delivers every letter, except to `nowhere@…`.
pub(crate) async fn postman(world: &World) {
    node(world, 1).await;
    let platform = world.control_plane.ensure_platform_tenant().await.unwrap();
    world
        .control_plane
        .wait_applied(platform.id, 1, std::time::Duration::from_secs(10))
        .await
        .unwrap();
}

/// The same with a number of its own; it may not have applied anything yet.
pub(crate) async fn node(world: &World, number: u128) {
    let trust = world.control_plane.trust_root();
    let link = world.control_plane.attach_node();
    let node = NodeId::from_uuid(uuid::Uuid::from_u128(number));
    let hello = Up::Hello {
        node,
        region: "local".parse().unwrap(),
        version: "0.1.0".to_owned(),
        buckets: Default::default(),
    };
    say(&link, &hello).await;
    rt::spawn(deliver(link, trust));
}

async fn deliver(mut link: NodeLink, trust: TrustRoot) {
    while let Some(text) = link.to_node.recv().await {
        match serde_json::from_str(&text).unwrap() {
            Down::Release { tenant, manifest } => {
                let version = Manifest::verify(&manifest, &trust).unwrap().version;
                let outcome = Outcome::Applied;
                let ack = Up::Ack {
                    tenant,
                    version,
                    outcome,
                };
                say(&link, &ack).await;
            }
            Down::Command { id, command, .. } => {
                let outcome = match command {
                    Command::InviteUser { email, .. } if email.starts_with("nowhere@") => {
                        CommandOutcome::Failed {
                            reason: "the mail server refuses it.".to_owned(),
                        }
                    }
                    _ => CommandOutcome::Done,
                };
                say(&link, &Up::CommandResult { id, outcome }).await;
            }
            Down::Ping { nonce } => say(&link, &Up::Pong { nonce }).await,
            _ => {}
        }
    }
}

async fn say(link: &NodeLink, frame: &Up) {
    let text = serde_json::to_string(frame).unwrap();
    let _ = link.from_node.send(text.into()).await;
}

/// Sends a form with the browser's token and reads the page that follows.
async fn send(world: &World, browser: &Browser, path: &str, form: &[(&str, &str)]) -> String {
    let token = world.token(browser).await;
    let form = [form, &[("form_token", token.as_str())]].concat();
    let answer = world.post(Some(browser), path, &form).await;
    match answer.status {
        StatusCode::SEE_OTHER => world.get(Some(browser), &answer.location).await.html,
        _ => answer.html,
    }
}

/// The id behind the first "Send invitation again".
fn invited(page: &str) -> String {
    let (_, rest) = page
        .split_once("name=\"operator\" value=\"")
        .expect("somebody who was invited");
    rest.split('"').next().unwrap().to_owned()
}

/// A tenant whose first owner's address was mistyped.
const HOOLI: [(&str, &str); 6] = [
    ("name", "Hooli"),
    ("slug", "hooli"),
    ("environment", "production"),
    ("region", "local"),
    ("admin_name", "Gavin Ash"),
    ("admin_email", "nowhere@hooli.example"),
];

const AGAIN: &str = "Send the owner's invitation again";

#[actix_web::test]
async fn only_people_who_have_not_come_are_invited_again() {
    let world = World::new().await;
    postman(&world).await;
    let acme = world.tenant("acme").await;
    let owner = world.member(&acme, Role::TenantOwner).await;
    let staff = world.staff(Role::PlatformOwner).await;
    let cases = [
        (&owner, "/t/acme/production/roles", "tenant_auditor"),
        (&staff, "/p/staff", "support_engineer"),
    ];
    for (browser, list, role) in cases {
        let page = world.get(Some(browser), list).await.html;
        assert!(
            page.contains(">Active<") && !page.contains("Send invitation again"),
            "{page}"
        );
        let email = format!("{role}@new.example");
        let new = [("name", "Nora"), ("email", email.as_str()), ("role", role)];
        let page = send(&world, browser, &format!("/cmd{list}/invite"), &new).await;
        for told in [
            "Nora is now",
            "Nora gets a mail with a link, unless they can sign in already.",
            ">Invited<",
            "Send invitation again",
        ] {
            assert!(page.contains(told), "{told}: {page}");
        }
        let whom = invited(&page);
        let again = [("operator", whom.as_str())];
        let page = send(&world, browser, &format!("/cmd{list}/resend"), &again).await;
        assert!(
            page.contains("The invitation to Nora is on its way again."),
            "{page}"
        );
    }
    let lost = [
        ("name", "Lou"),
        ("email", "nowhere@new.example"),
        ("role", "tenant_auditor"),
    ];
    let invite = "/cmd/t/acme/production/roles/invite";
    let page = send(&world, &owner, invite, &lost).await;
    let told = "did not go out: the mail server refuses it. Send it again from the list.";
    assert!(page.contains(told), "{page}");
}

#[actix_web::test]
async fn staff_bring_the_first_owner_in_whatever_the_customer_decided() {
    let world = World::new().await;
    postman(&world).await;
    let staff = world.staff(Role::PlatformOwner).await;
    let page = send(&world, &staff, "/cmd/p/tenants/create", &HOOLI).await;
    assert!(
        page.contains("Gavin Ash did not go out: the mail server refuses it."),
        "{page}"
    );
    assert!(
        page.contains("Owner invited") && page.contains(AGAIN),
        "{page}"
    );
    assert!(
        !page.contains("nowhere@hooli.example"),
        "no person of the tenant"
    );

    // The customer shuts the vendor out of its configuration; running the tenant is not part of that.
    let tenant = world
        .control_plane
        .list_tenants(
            &world.control_plane.system_caller(),
            Some("hooli"),
            &Default::default(),
        )
        .await
        .unwrap()
        .items
        .remove(0);
    let owner = world.member(&tenant, Role::TenantOwner).await;
    let row = [
        ("version", "1"),
        ("accountable", "customer"),
        ("actors", "customer"),
    ];
    let duty = "/cmd/t/hooli/production/responsibility/policy.oversight/save";
    send(&world, &owner, duty, &row).await;
    let home = world.get(Some(&staff), "/t/hooli/production/home").await;
    assert_eq!(home.status, StatusCode::FORBIDDEN);
    let seen = world.get(Some(&staff), "/p/tenants/hooli").await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.html);
    assert_sound("/p/tenants/hooli", &seen);
    assert!(seen.html.contains("Suspend tenant") && !seen.html.contains("Look into the tenant"));
    let version = seen.html.split("name=\"version\" value=\"").nth(1).unwrap();
    let version = version.split('"').next().unwrap();
    let suspend = [
        ("status", "suspended"),
        ("confirm", "hooli"),
        ("version", version),
    ];
    let page = send(&world, &staff, "/cmd/p/tenants/hooli/status", &suspend).await;
    assert!(page.contains("Resume tenant"), "{page}");
}

#[actix_web::test]
async fn a_corrected_address_reaches_the_first_owner() {
    let world = World::new().await;
    postman(&world).await;
    let staff = world.staff(Role::PlatformOwner).await;
    send(&world, &staff, "/cmd/p/tenants/create", &HOOLI).await;
    let again = "/cmd/p/tenants/hooli/owner-invitation";
    let page = send(&world, &staff, again, &[("email", "nonsense")]).await;
    assert!(
        page.contains("id=\"email-error\"") && page.contains("value=\"nonsense\""),
        "{page}"
    );
    let page = send(&world, &staff, again, &[("email", "")]).await;
    assert!(page.contains("did not go out"), "{page}");
    let page = send(&world, &staff, again, &[("email", "gavin@hooli.example")]).await;
    assert!(
        page.contains("The invitation to the first owner is on its way again."),
        "{page}"
    );
    let support = world.staff(Role::SupportEngineer).await;
    let page = world.get(Some(&support), "/p/tenants/hooli").await.html;
    assert!(
        page.contains("Owner invited") && !page.contains(AGAIN),
        "{page}"
    );
}
