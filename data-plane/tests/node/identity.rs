//! The identity store, on every database: isolation, uniqueness, races, secrecy.

use contract::ids::{ApplicationId, TypedId};
use data_plane::identity::{
    Allowance, AuthEvent, AuthEventKind, IdentityStore, NewUser, UserStatus,
};
use futures::future::join_all;
use host::{Entropy, Kek};
use uuid::Uuid;

use crate::harness::{ControlPlane, Link, Machine, tenant, user};

async fn open(machine: &Machine) -> IdentityStore {
    let kek = Kek::from_bytes(machine.kek);
    IdentityStore::open(
        &machine.identity_url,
        &kek,
        machine.clock.clone(),
        Entropy::system(),
    )
    .await
    .expect("the database opens")
}

fn ada(id: u128) -> NewUser<'static> {
    NewUser {
        id: user(id),
        email: "Ada@Example.com",
        email_verified: false,
        name: Some("Ada"),
        phc: "$argon2id$x",
    }
}

#[tokio::test]
async fn users_belong_to_their_tenant() {
    for machine in Machine::on_every_database().await {
        let store = open(&machine).await;
        let made = store.create_user(tenant(1), ada(1)).await.unwrap().unwrap();
        assert_eq!(
            (made.email.as_str(), made.status),
            ("Ada@Example.com", UserStatus::Active)
        );
        assert_eq!(made.created_at, machine.clock.now());
        // However it is written, an address has one account per tenant.
        let double = NewUser {
            email: "ADA@example.COM",
            ..ada(2)
        };
        assert_eq!(store.create_user(tenant(1), double).await.unwrap(), None);
        assert_eq!(
            store
                .create_user(
                    tenant(1),
                    NewUser {
                        email: "b@example.com",
                        ..ada(1)
                    }
                )
                .await
                .unwrap(),
            None
        );
        assert!(
            store
                .create_user(tenant(2), ada(1))
                .await
                .unwrap()
                .is_some()
        );

        let find = |n, email| store.find_user_by_identifier(tenant(n), email);
        assert_eq!(find(1, " ada@example.com ").await.unwrap().unwrap(), made);
        assert_eq!(find(3, "ada@example.com").await.unwrap(), None);
        assert_eq!(
            store.find_user(tenant(1), user(1)).await.unwrap().unwrap(),
            made
        );
        assert_eq!(store.find_user(tenant(3), user(1)).await.unwrap(), None);
        assert_eq!(store.password(tenant(3), user(1)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn changes_stay_with_their_tenant() {
    for machine in Machine::on_every_database().await {
        let store = open(&machine).await;
        for n in [1, 2] {
            let made = store.create_user(tenant(n), ada(1)).await.unwrap();
            assert!(made.is_some());
        }
        for (old, new) in [("$argon2id$x", "new"), ("stale", "lost")] {
            let whose = (tenant(1), user(1));
            store.upgrade_password(whose, old, new).await.unwrap();
        }
        assert_eq!(
            store.password(tenant(1), user(1)).await.unwrap().unwrap(),
            "new"
        );
        assert_eq!(
            store.password(tenant(2), user(1)).await.unwrap().unwrap(),
            "$argon2id$x"
        );
        assert!(
            store
                .set_status(tenant(1), user(1), UserStatus::Blocked)
                .await
                .unwrap()
        );
        assert!(
            !store
                .set_status(tenant(3), user(1), UserStatus::Blocked)
                .await
                .unwrap()
        );
        let found = store.find_user(tenant(2), user(1)).await.unwrap().unwrap();
        assert_eq!(found.status, UserStatus::Active);
    }
}

#[tokio::test]
async fn of_many_registrations_of_one_address_one_wins() {
    for machine in Machine::on_every_database().await {
        let stores = [open(&machine).await, open(&machine).await];
        let tries = (0..20).map(|n| stores[n % 2].create_user(tenant(1), ada(n as u128)));
        let made = join_all(tries).await.into_iter().map(Result::unwrap);
        assert_eq!(made.flatten().count(), 1);
    }
}

#[tokio::test]
async fn consents_grow_by_audience_and_are_withdrawn_r_cons_01_r_cons_02() {
    for machine in Machine::on_every_database().await {
        let store = open(&machine).await;
        let app = |number| ApplicationId::from_uuid(Uuid::from_u128(number));
        let allowance = |audience: Option<&str>, names: &[&str]| Allowance {
            audience: audience.map(|audience| audience.parse().unwrap()),
            scopes: names.iter().map(|name| name.parse().unwrap()).collect(),
        };
        assert!(store.consents(tenant(1), user(1)).await.unwrap().is_empty());
        for (number, allowed) in [
            (3, allowance(None, &["openid"])),
            (3, allowance(None, &["email"])),
            (3, allowance(Some("urn:orders"), &["read"])),
            (4, allowance(Some("urn:mail"), &[])),
        ] {
            store
                .record_consent(tenant(1), (user(1), app(number)), &[allowed])
                .await
                .unwrap();
            machine.time.advance(chrono::Duration::seconds(1));
        }
        let known = store.consents_to(tenant(1), user(1), app(3)).await.unwrap();
        let known: Vec<_> = known
            .into_iter()
            .map(|consent| (consent.allowed, consent.version))
            .collect();
        let here = (allowance(None, &["email", "openid"]), 2);
        let there = (allowance(Some("urn:orders"), &["read"]), 1);
        assert_eq!(known, [here, there]);
        assert!(store.consents(tenant(2), user(1)).await.unwrap().is_empty());
        assert!(store.consents(tenant(1), user(2)).await.unwrap().is_empty());
        let withdraw = |whose, who| store.withdraw_consent(tenant(whose), user(who), app(3));
        assert!(!withdraw(2, 1).await.unwrap() && !withdraw(1, 2).await.unwrap());
        assert!(withdraw(1, 1).await.unwrap() && !withdraw(1, 1).await.unwrap());
        let left = store.consents(tenant(1), user(1)).await.unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].application, app(4));
    }
}

#[tokio::test]
async fn consents_given_at_once_are_all_kept_r_cons_01() {
    for machine in Machine::on_every_database().await {
        let stores = [open(&machine).await, open(&machine).await];
        let whose = (user(1), ApplicationId::from_uuid(Uuid::from_u128(3)));
        let allowed: Vec<_> = (0..12)
            .map(|n| Allowance {
                audience: Some("urn:orders".parse().unwrap()),
                scopes: [format!("s{n}").parse().unwrap()].into(),
            })
            .collect();
        let tabs = allowed.iter().enumerate().map(|(n, one)| {
            stores[n % 2].record_consent(tenant(1), whose, std::slice::from_ref(one))
        });
        for done in join_all(tabs).await {
            done.unwrap();
        }
        let known = stores[0].consents_to(tenant(1), whose.0, whose.1).await;
        let known = known.unwrap();
        assert_eq!(known.len(), 1);
        assert_eq!((known[0].allowed.scopes.len(), known[0].version), (12, 12));
    }
}

#[tokio::test]
async fn a_withdrawn_scope_does_not_come_back_with_another_r_cons_02() {
    for machine in Machine::on_every_database().await {
        let stores = [open(&machine).await, open(&machine).await];
        let whose = (user(1), ApplicationId::from_uuid(Uuid::from_u128(3)));
        let scope = |name: &str| Allowance {
            audience: Some("urn:orders".parse().unwrap()),
            scopes: [name.parse().unwrap()].into(),
        };
        let (old, new) = ([scope("old")], [scope("new")]);
        for round in 0..25 {
            let given = stores[0].record_consent(tenant(1), whose, &old);
            given.await.unwrap();
            let (given, withdrawn) = futures::join!(
                stores[0].record_consent(tenant(1), whose, &new),
                stores[1].withdraw_consent(tenant(1), whose.0, whose.1),
            );
            given.unwrap();
            assert!(withdrawn.unwrap());
            let known = stores[0].consents_to(tenant(1), whose.0, whose.1).await;
            for left in known.unwrap() {
                assert_eq!(left.allowed, new[0], "round {round}");
            }
            let again = stores[0].withdraw_consent(tenant(1), whose.0, whose.1);
            again.await.unwrap();
        }
    }
}

#[tokio::test]
async fn events_are_listed_newest_first() {
    for machine in Machine::on_every_database().await {
        let store = open(&machine).await;
        for kind in [AuthEventKind::Registered, AuthEventKind::SignedIn] {
            let event = AuthEvent {
                kind,
                user: Some(user(1)),
                application: None,
            };
            store.record_event(tenant(1), event).await.unwrap();
            machine.time.advance(chrono::Duration::seconds(1));
        }
        let kinds =
            |events: Vec<(_, String)>| events.into_iter().map(|(_, kind)| kind).collect::<Vec<_>>();
        let found = store.latest_events(tenant(1), user(1), 10).await.unwrap();
        assert_eq!(kinds(found), ["signed_in", "registered"]);
        assert!(
            store
                .latest_events(tenant(2), user(1), 10)
                .await
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn nodes_that_race_make_the_same_keys_r_key_03() {
    for machine in Machine::on_every_database().await {
        let control = ControlPlane::new();
        let names = ["a", "b", "c"];
        let nodes = join_all(names.iter().map(|name| machine.try_start(name))).await;
        let nodes: Vec<_> = nodes.into_iter().map(Result::unwrap).collect();
        let draft = control.draft(tenant(1), "acme", 1);
        join_all(nodes.iter().map(|node| async {
            let mut link = Link::connect(node).await;
            link.release(&control, &draft).await;
        }))
        .await;
        let jwks: Vec<_> = nodes
            .iter()
            .map(|node| node.tenant(tenant(1)).expect("held").keys().jwks().unwrap())
            .collect();
        assert!(jwks.iter().all(|keys| *keys == jwks[0]));
        let store = open(&machine).await;
        assert_eq!(store.signing_keys(tenant(1)).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn sealed_values_open_only_where_they_belong_r_sec_01() {
    use sea_orm::{ConnectionTrait, Database, DbBackend};
    for machine in Machine::on_every_database().await {
        let (control, node) = (ControlPlane::new(), machine.start().await);
        let mut link = Link::connect(&node).await;
        for (n, slug) in [(1, "acme"), (2, "other")] {
            link.release(&control, &control.draft(tenant(n), slug, 1))
                .await;
        }
        let store = open(&machine).await;
        let db = Database::connect(&machine.identity_url).await.unwrap();
        if db.get_database_backend() == DbBackend::Postgres {
            // Owners of a database can lift what binds them, though no node starts on it then.
            db.execute_unprepared("ALTER TABLE signing_keys NO FORCE ROW LEVEL SECURITY")
                .await
                .unwrap();
        }
        // One tenant's private key, copied over another's by somebody with the database in hand.
        let copied = db
            .execute_unprepared(&format!(
                "UPDATE signing_keys SET private = (SELECT k.private FROM signing_keys k WHERE k.tenant = '{}' \
                 AND k.algorithm = 'ES256') WHERE tenant = '{}' AND algorithm = 'ES256'",
                tenant(1),
                tenant(2)
            ))
            .await
            .unwrap();
        assert_eq!(copied.rows_affected(), 1);
        assert!(store.signing_keys(tenant(1)).await.is_ok());
        assert!(store.signing_keys(tenant(2)).await.is_err());
    }
}
