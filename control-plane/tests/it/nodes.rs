//! Nodes from their making to their end: who may become one, once, and who is none any more.

use chrono::TimeDelta;
use contract::{
    canonical::sha256_hex,
    enrolment::{Authorities, Der, EnrolAnswer, EnrolRequest, JOIN_LIFE, JoinToken},
    ids::NodeId,
    role::Role,
    secret::format_secret,
};
use control_plane::{
    Caller, Mode, Refusal,
    audit::Outcome,
    nodes::{NewNode, NodeAt, NodeStanding, Ring},
};
use rcgen::{CertificateParams, KeyPair};

use crate::harness::{World, code, start};

const REFUSED: &str = "join_token_refused";

fn new_node(name: &str, region: &str) -> NewNode {
    NewNode {
        name: name.parse().unwrap(),
        region: region.parse().unwrap(),
        ring: Ring::default(),
    }
}

fn csr() -> Der {
    csr_of(&KeyPair::generate().unwrap())
}

fn csr_of(key: &KeyPair) -> Der {
    let csr = CertificateParams::default().serialize_request(key).unwrap();
    Der::new(csr.der().to_vec()).unwrap()
}

fn asking(token: &JoinToken) -> EnrolRequest {
    EnrolRequest {
        name: token.name.clone(),
        region: token.region.clone(),
        secret: token.secret.clone(),
        csr: csr(),
    }
}

/// A node with this name, made by somebody who may.
async fn made(world: &World, by: &Caller, name: &str) -> NodeId {
    let new = new_node(name, "local");
    let made = world.cp.create_node(by, new, Mode::Commit).await;
    made.unwrap().node.id
}

async fn token(world: &World, by: &Caller, node: NodeId) -> JoinToken {
    let made = world.cp.make_join_token(by, node, Mode::Commit).await;
    made.unwrap().text.expose().parse().unwrap()
}

fn any(id: NodeId) -> NodeAt {
    NodeAt { id, expected: None }
}

fn seen(id: NodeId, version: i64) -> NodeAt {
    NodeAt {
        id,
        expected: Some(version),
    }
}

async fn standing(world: &World, node: NodeId) -> NodeStanding {
    let system = world.cp.system_caller();
    let state = world.cp.get_node(&system, node).await.unwrap();
    state.node.standing
}

/// What the platform's log says of this action, newest first: sentence and outcome.
async fn told(world: &World, action: &str) -> Vec<(String, Outcome)> {
    let platform = world.cp.ensure_platform_tenant().await.unwrap();
    let log = world.audit(platform.id).await;
    log.into_iter()
        .filter(|one| one.event.action == action)
        .map(|one| (one.event.sentence, one.event.outcome))
        .collect()
}

#[tokio::test]
async fn a_process_with_a_token_becomes_the_node_it_is_for_r_node_01() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let new = new_node("eu-1", "elsewhere");
    let state = world.cp.create_node(&owner, new, Mode::Commit).await;
    let node = state.unwrap().node;
    assert_eq!((node.standing, node.version), (NodeStanding::Awaiting, 1));
    let token = token(&world, &owner, node.id).await;
    assert_eq!(token.address, "127.0.0.1:7200");
    assert_eq!(
        (token.name.as_str(), token.region.as_str()),
        ("eu-1", "elsewhere")
    );
    // Neither the secret nor its text rests anywhere; the hash of it does.
    let rows = world.rows("SELECT * FROM nodes").await.join("\n");
    assert!(!rows.contains(&token.secret[4..]));
    assert!(rows.contains(&sha256_hex(token.secret.as_bytes())));

    let answer: EnrolAnswer = world.cp.enrol(asking(&token)).await.unwrap();
    assert_eq!(answer.node, node.id);
    assert_eq!(answer.trust, world.cp.trust_root());
    let list = Authorities::verify(&answer.authorities, &answer.trust).unwrap();
    assert_eq!(list.certificates, token.authorities);
    let state = world.cp.get_node(&owner, node.id).await.unwrap();
    assert_eq!(state.node.standing, NodeStanding::Enrolled);
    let life = state.node.certificate_ends_at.unwrap() - start();
    assert!(life > TimeDelta::hours(23) && life <= TimeDelta::hours(24));
    assert!(!state.connected && state.node.last_seen_at.is_none());

    let log = told(&world, "nodes.enrol").await;
    assert_eq!(log, [("The node eu-1 enrolled.".to_owned(), Outcome::Done)]);
    for action in ["nodes.create", "nodes.join_token"] {
        assert_eq!(told(&world, action).await.len(), 1, "{action}");
    }
}

#[tokio::test]
async fn a_token_that_does_not_fit_is_refused_and_outside_nobody_learns_why_r_node_01() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let first = made(&world, &owner, "eu-1").await;
    let second = made(&world, &owner, "eu-2").await;
    let elsewhere = new_node("us-1", "elsewhere");
    let elsewhere = world.cp.create_node(&owner, elsewhere, Mode::Commit).await;
    let elsewhere = elsewhere.unwrap().node.id;

    let replaced = token(&world, &owner, first).await;
    let spent = token(&world, &owner, first).await;
    world.cp.enrol(asking(&spent)).await.unwrap();
    let for_second = token(&world, &owner, second).await;
    let for_elsewhere = token(&world, &owner, elsewhere).await;
    let gone = made(&world, &owner, "gone").await;
    let revoked = token(&world, &owner, gone).await;
    let why = "never came".to_owned();
    let state = world.cp.revoke_node(&owner, any(gone), why, Mode::Commit);
    assert_eq!(state.await.unwrap().node.standing, NodeStanding::Revoked);

    let mut unknown = asking(&for_second);
    unknown.secret = format_secret(&[9; 32]);
    let mut misspelt = asking(&for_second);
    misspelt.secret = "bwk_no".to_owned();
    let mut other_name = asking(&for_second);
    other_name.name = "eu-1".parse().unwrap();
    let mut other_region = asking(&for_second);
    other_region.region = "elsewhere".parse().unwrap();
    let mut borrowed = asking(&for_elsewhere);
    (borrowed.name, borrowed.region) = (for_second.name.clone(), for_second.region.clone());
    let table = [
        (unknown, "nobody made, or that a newer one replaced"),
        (misspelt, "nobody made, or that a newer one replaced"),
        (
            asking(&replaced),
            "nobody made, or that a newer one replaced",
        ),
        (asking(&spent), "was used before"),
        (asking(&revoked), "is for a revoked node"),
        (other_name, "is for a node of another name"),
        (other_region, "is for another region"),
        (borrowed, "is for a node of another name"),
    ];
    let mut answers = std::collections::BTreeSet::new();
    for (request, phrase) in table {
        world.clock.advance(TimeDelta::seconds(1));
        let refused = world.cp.enrol(request).await.unwrap_err();
        answers.insert(refused.to_string());
        assert_eq!(code::<()>(Err(refused)), REFUSED, "{phrase}");
        let log = told(&world, "nodes.enrol").await;
        let sentence = format!("Somebody tried to enrol with a join token that {phrase}.");
        assert!(log.contains(&(sentence, Outcome::Refused)), "{phrase}");
    }
    assert_eq!(answers.len(), 1, "the same words for all: {answers:?}");
    // All that did not use the good one up.
    world.cp.enrol(asking(&for_second)).await.unwrap();
    assert_eq!(standing(&world, elsewhere).await, NodeStanding::Awaiting);
}

#[tokio::test]
async fn a_token_ends_after_a_quarter_of_an_hour_r_node_01() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let node = made(&world, &owner, "eu-1").await;
    let late = token(&world, &owner, node).await;
    assert!(JOIN_LIFE <= TimeDelta::minutes(15));
    world.clock.advance(JOIN_LIFE);
    assert_eq!(code(world.cp.enrol(asking(&late)).await), REFUSED);
    let log = told(&world, "nodes.enrol").await;
    assert!(log[0].0.ends_with("is too old."), "{log:?}");
    let fresh = token(&world, &owner, node).await;
    world.clock.advance(JOIN_LIFE - TimeDelta::milliseconds(1));
    world.cp.enrol(asking(&fresh)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_race_with_one_token_one_becomes_the_node_r_node_01() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let node = made(&world, &owner, "eu-1").await;
    let token = token(&world, &owner, node).await;
    let racing = (0..8).map(|_| {
        let (cp, request) = (world.cp.clone(), asking(&token));
        tokio::spawn(async move { cp.enrol(request).await })
    });
    let racing: Vec<_> = racing.collect();
    let mut won = 0;
    for runner in racing {
        match runner.await.unwrap() {
            Ok(answer) => {
                assert_eq!(answer.node, node);
                won += 1;
            }
            refused => assert_eq!(code(refused), REFUSED),
        }
    }
    assert_eq!(won, 1);
    let issued = world
        .rows("SELECT fingerprint FROM node_certificates")
        .await;
    assert_eq!(issued.len(), 1);
}

#[tokio::test]
async fn a_node_that_lost_its_disk_comes_back_as_itself_r_node_01() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let node = made(&world, &owner, "eu-1").await;
    let before = token(&world, &owner, node).await;
    let before = world.cp.enrol(asking(&before)).await.unwrap();
    let again = token(&world, &owner, node).await;
    // The token alone changes nothing yet.
    assert_eq!(standing(&world, node).await, NodeStanding::Enrolled);
    let after = world.cp.enrol(asking(&again)).await.unwrap();
    assert_eq!(after.node, before.node);
    assert_ne!(after.certificate, before.certificate);
    for (certificate, is_good) in [(&before.certificate, false), (&after.certificate, true)] {
        let good = format!(
            "SELECT 1 FROM node_certificates WHERE revoked_at IS NULL AND fingerprint = '{}'",
            certificate.fingerprint()
        );
        assert_eq!(world.rows(&good).await.len() == 1, is_good);
    }
    let log = told(&world, "nodes.enrol").await;
    assert_eq!(
        log[0].0,
        "The node eu-1 enrolled again; its earlier certificates are void."
    );
}

#[tokio::test]
async fn a_bad_request_leaves_the_token_good_and_a_key_is_certified_once_r_node_01() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let node = made(&world, &owner, "eu-1").await;
    let first = token(&world, &owner, node).await;
    let bad = EnrolRequest {
        csr: Der::new(b"no request".to_vec()).unwrap(),
        ..asking(&first)
    };
    assert_eq!(code(world.cp.enrol(bad).await), "invalid: csr");
    let key = KeyPair::generate().unwrap();
    let good = EnrolRequest {
        csr: csr_of(&key),
        ..asking(&first)
    };
    world.cp.enrol(good).await.unwrap();
    let other = made(&world, &owner, "eu-2").await;
    let second = token(&world, &owner, other).await;
    let reused = EnrolRequest {
        csr: csr_of(&key),
        ..asking(&second)
    };
    assert_eq!(code(world.cp.enrol(reused).await), "invalid: csr");
    assert_eq!(standing(&world, other).await, NodeStanding::Awaiting);
    world.cp.enrol(asking(&second)).await.unwrap();
}

#[tokio::test]
async fn strangers_cannot_bury_the_log_with_tokens_r_aud_01() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let node = made(&world, &owner, "eu-1").await;
    let token = token(&world, &owner, node).await;
    let storm = async || {
        for number in 0..20 {
            let mut unknown = asking(&token);
            unknown.name = format!("n-{number}").parse().unwrap();
            unknown.secret = format_secret(&[number; 32]);
            assert_eq!(code(world.cp.enrol(unknown).await), REFUSED);
            let mut other = asking(&token);
            other.name = format!("n-{number}").parse().unwrap();
            assert_eq!(code(world.cp.enrol(other).await), REFUSED);
        }
    };
    storm().await;
    assert_eq!(told(&world, "nodes.enrol").await.len(), 2);
    world.clock.advance(TimeDelta::minutes(10));
    storm().await;
    assert_eq!(told(&world, "nodes.enrol").await.len(), 4);
}

#[tokio::test]
async fn who_may_not_manage_nodes_makes_revokes_and_deletes_none() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let node = made(&world, &owner, "eu-1").await;
    let auditor = world.staff(Role::PlatformAuditor).await;
    let acme = world.tenant("acme").await;
    let customer = world.member(&acme, Role::TenantOwner).await;
    let stay = Mode::Commit;
    for caller in [&auditor, &customer] {
        let cp = &world.cp;
        let why = || "no".to_owned();
        let answers = [
            code(
                cp.create_node(caller, new_node("eu-2", "local"), stay)
                    .await,
            ),
            code(cp.make_join_token(caller, node, stay).await),
            code(cp.revoke_node(caller, any(node), why(), stay).await),
            code(cp.delete_node(caller, any(node), stay).await),
            code(cp.rotate_authority(caller, stay).await),
        ];
        for answer in answers {
            assert!(
                ["missing_permission", "not found: tenant"].contains(&answer.as_str()),
                "{answer}"
            );
        }
    }
    assert_eq!(standing(&world, node).await, NodeStanding::Awaiting);
}

#[tokio::test]
async fn a_node_is_made_once_and_what_contradicts_is_said() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let (cp, stay) = (&world.cp, Mode::Commit);
    let tried = cp.create_node(&owner, new_node("eu-1", "local"), Mode::DryRun);
    assert_eq!(tried.await.unwrap().node.name.as_str(), "eu-1");
    let node = made(&world, &owner, "eu-1").await;
    let twice = cp.create_node(&owner, new_node("eu-1", "elsewhere"), stay);
    assert_eq!(code(twice.await), "node_name_taken");
    let nowhere = cp.create_node(&owner, new_node("eu-2", "nowhere"), stay);
    assert_eq!(code(nowhere.await), "invalid: region");

    // Tried is not done: the token of a dry run opens nothing, and voids none.
    let good = token(&world, &owner, node).await;
    let tried = cp.make_join_token(&owner, node, Mode::DryRun).await;
    let tried: JoinToken = tried.unwrap().text.expose().parse().unwrap();
    assert_eq!(code(cp.enrol(asking(&tried)).await), REFUSED);
    cp.enrol(asking(&good)).await.unwrap();

    assert_eq!(
        code(cp.delete_node(&owner, any(node), stay).await),
        "enrolled"
    );
    let revoke = |reason: &str, expected, mode| {
        let reason = reason.to_owned();
        cp.revoke_node(&owner, NodeAt { id: node, expected }, reason, mode)
    };
    assert_eq!(code(revoke("", None, stay).await), "invalid: reason");
    assert_eq!(code(revoke("a\nb", None, stay).await), "invalid: reason");
    assert_eq!(code(revoke("stolen", Some(1), stay).await), "stale: 2");
    revoke("stolen", Some(2), Mode::DryRun).await.unwrap();
    assert_eq!(standing(&world, node).await, NodeStanding::Enrolled);
    let revoked = revoke("stolen", Some(2), stay).await.unwrap().node;
    assert_eq!(revoked.revoked_reason.as_deref(), Some("stolen"));
    assert_eq!(revoked.version, 3);
    assert_eq!(code(revoke("again", None, stay).await), "revoked");
    let token = cp.make_join_token(&owner, node, stay).await;
    assert_eq!(code(token), "revoked");
    // The name is taken until the node is deleted.
    let twice = cp.create_node(&owner, new_node("eu-1", "local"), stay);
    assert_eq!(code(twice.await), "node_name_taken");
    assert_eq!(
        code(cp.delete_node(&owner, seen(node, 1), stay).await),
        "stale: 3"
    );
    cp.delete_node(&owner, seen(node, 3), stay).await.unwrap();
    assert_eq!(
        code(cp.get_node(&owner, node).await.map(drop)),
        "not found: node"
    );
    made(&world, &owner, "eu-1").await;
    for action in ["nodes.revoke", "nodes.delete"] {
        assert_eq!(told(&world, action).await.len(), 1, "{action}");
    }
}

#[tokio::test]
async fn an_authority_is_rotated_and_stays_after_a_restart_r_node_02() {
    let world = World::new().await;
    let owner = world.staff(Role::PlatformOwner).await;
    let node = made(&world, &owner, "eu-1").await;
    let before = token(&world, &owner, node).await;
    let rotate = async || -> Result<usize, Refusal> {
        let states = world.cp.rotate_authority(&owner, Mode::Commit).await?;
        Ok(states.len())
    };
    assert_eq!(rotate().await.unwrap(), 2);
    assert_eq!(code(rotate().await), "too_soon");
    world.clock.advance(TimeDelta::minutes(1));
    assert_eq!(rotate().await.unwrap(), 2);
    let answer = world.cp.enrol(asking(&before)).await.unwrap();
    let list = Authorities::verify(&answer.authorities, &answer.trust).unwrap();
    assert_eq!(list.certificates.len(), 2);
    assert!(list.certificates.contains(&before.authorities[0]));
    let restarted = world.reopened("http://127.0.0.1:7100").await;
    let states = restarted.list_authorities(&owner).await.unwrap();
    let now = world.cp.list_authorities(&owner).await.unwrap();
    assert_eq!(states, now);
    assert_eq!(told(&world, "authorities.create").await.len(), 1);
    assert_eq!(told(&world, "authorities.rotate").await.len(), 1);
    // A key rests sealed, and the former one's does not rest at all.
    let keys = "SELECT key_sealed FROM authorities WHERE key_sealed IS NOT NULL";
    assert_eq!(world.rows(keys).await.len(), 1);
}
