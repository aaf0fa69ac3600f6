//! A control plane that holds the signing key and sends what no node may serve (F-07), too late (F-12), over the wire.

use contract::{
    frames::{Down, Outcome, Up},
    section::{ContentHash, SectionName},
};
use data_plane::Node;

use crate::{
    fabric::{Fabric, Session},
    harness::{ControlPlane, Draft, Machine, tenant},
};

/// What is done to a release before it is signed.
type Poison = (&'static str, fn(&mut Draft));

/// Replaces a section, and names it truly: only its content is wrong.
fn put(draft: &mut Draft, name: SectionName, body: String) {
    let hash = ContentHash::of(body.as_bytes());
    draft.manifest.sections.insert(name, hash);
    draft.sections.insert(name, body);
}

/// The same section with one text in it replaced.
fn edit(draft: &mut Draft, name: SectionName, (from, to): (&str, &str)) {
    let body = draft.sections[&name].clone();
    assert!(body.contains(from), "{body}");
    put(draft, name, body.replacen(from, to, 1));
}

const POISONS: &[Poison] = &[
    ("truncated", |draft| {
        let body = draft.sections[&SectionName::Policies].clone();
        put(draft, SectionName::Policies, body[..body.len() / 2].into());
    }),
    ("ten times too large", |draft| {
        let blanks = " ".repeat(10 * 1024 * 1024);
        put(draft, SectionName::Apis, format!("[{blanks}]"));
    }),
    ("empty", |draft| {
        put(draft, SectionName::Policies, String::new());
    }),
    ("an empty object", |draft| {
        put(draft, SectionName::Tenant, "{}".into());
    }),
    ("no section at all", |draft| {
        draft.manifest.sections.clear();
        draft.sections.clear();
    }),
    ("a blank name", |draft| {
        edit(draft, SectionName::Tenant, ("Acme Orders", ""));
    }),
    ("a blank issuer", |draft| {
        let issuer = "http://127.0.0.1:7100/t/acme";
        edit(draft, SectionName::Tenant, (issuer, ""));
    }),
    ("another tenant's profile", |draft| {
        let (ours, theirs) = (tenant(1).to_string(), tenant(2).to_string());
        edit(draft, SectionName::Tenant, (&ours, &theirs));
    }),
    ("tokens that live for years", |draft| {
        let lives = (
            "\"access_token_seconds\":302",
            "\"access_token_seconds\":99999999",
        );
        edit(draft, SectionName::Policies, lives);
    }),
    ("text that is no JSON", |draft| {
        put(draft, SectionName::Policies, "\u{0}\u{ffff}".into());
    }),
];

async fn serving(machine: &Machine, fabric: &mut Fabric) -> (Node, Session) {
    let (node, _) = machine.connect(fabric).await;
    let mut session = fabric.session().await;
    let good = ControlPlane::new().draft(tenant(1), "acme", 1);
    session.release(&good).await;
    (node, session)
}

/// Sends it signed and whole; what the node did with it.
async fn send(session: &mut Session, draft: &Draft) -> Outcome {
    for (name, body) in &draft.sections {
        let hash = draft.manifest.sections[name].clone();
        let body = body.clone();
        session.tell(&Down::Section { hash, body }).await;
    }
    let (tenant, manifest) = (draft.manifest.tenant, ControlPlane::new().sign(draft));
    session.tell(&Down::Release { tenant, manifest }).await;
    let acked = |up| match up {
        Up::Ack { outcome, .. } => Some(outcome),
        _ => None,
    };
    session.hear_until(acked).await
}

#[tokio::test]
async fn f_07_what_is_signed_and_poisonous_is_refused_before_the_swap() {
    let machine = Machine::new();
    let mut fabric = Fabric::open(&machine.clock).await;
    let (node, mut session) = serving(&machine, &mut fabric).await;
    let control = ControlPlane::new();
    for (what, poison) in POISONS {
        let mut draft = control.draft(tenant(1), "acme", 2);
        poison(&mut draft);
        let outcome = send(&mut session, &draft).await;
        assert!(matches!(outcome, Outcome::Rejected { .. }), "{what}");
        let served = node.tenant_by_slug("acme").expect("still served");
        assert_eq!(served.version(), 1, "{what}");
        assert_eq!(served.policies().token.access_token_seconds, 301, "{what}");
    }
    // None of it poisons what comes next.
    let next = control.draft(tenant(1), "acme", 2);
    assert_eq!(send(&mut session, &next).await, Outcome::Applied);
}

#[tokio::test]
async fn f_12_what_comes_too_late_or_is_empty_is_never_active() {
    let machine = Machine::new();
    let mut fabric = Fabric::open(&machine.clock).await;
    let (node, mut session) = serving(&machine, &mut fabric).await;
    let control = ControlPlane::new();
    for version in 2..=5 {
        let draft = control.draft(tenant(1), "acme", version);
        assert_eq!(send(&mut session, &draft).await, Outcome::Applied);
    }
    for late in [2, 3, 4] {
        let draft = control.draft(tenant(1), "acme", late);
        let outcome = send(&mut session, &draft).await;
        let Outcome::Rejected { reason } = outcome else {
            panic!("version {late} after 5");
        };
        assert!(reason.contains("is not newer than 5"), "{reason}");
        // The cleaner finds nothing of what is active.
        node.tidy().await.unwrap();
        assert_eq!(node.tenant_by_slug("acme").unwrap().version(), 5);
    }
    let mut empty = control.draft(tenant(1), "acme", 6);
    empty.manifest.sections.clear();
    empty.sections.clear();
    let outcome = send(&mut session, &empty).await;
    assert!(matches!(outcome, Outcome::Rejected { .. }));
    assert_eq!(node.tenant_by_slug("acme").unwrap().version(), 5);
}
