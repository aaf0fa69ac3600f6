//! What is past its time goes, what can still be asked for stays, tenant by tenant.

use chrono::Duration;
use contract::policies::{PolicySet, TokenPolicy};
use data_plane::{
    grants::RefreshError,
    identity::{AuthEvent, AuthEventKind, Holder, InvitationRow},
};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};

use crate::{
    grants::{app, begin},
    harness::{ControlPlane, Link, Machine, tenant, user},
};

/// How many rows of tenant `n` a table holds.
async fn rows(db: &DatabaseConnection, n: u128, table: &str) -> i64 {
    let backend = db.get_database_backend();
    if backend == sea_orm::DbBackend::Postgres {
        let name = format!(
            "SELECT set_config('bailiwick.tenant', '{}', false)",
            tenant(n)
        );
        let named = Statement::from_string(backend, name);
        db.query_one_raw(named).await.unwrap();
    }
    let count = format!(
        "SELECT count(*) FROM {table} WHERE tenant = '{}'",
        tenant(n)
    );
    let asked = Statement::from_string(backend, count);
    let row = db.query_one_raw(asked).await.unwrap().expect("a count");
    row.try_get_by_index(0).unwrap()
}

/// One connection beside the store, which a session's setting stays on.
async fn beside(machine: &Machine) -> DatabaseConnection {
    let mut one = sea_orm::ConnectOptions::new(&machine.identity_url);
    one.max_connections(1);
    Database::connect(one).await.unwrap()
}

#[tokio::test]
async fn ended_families_go_with_their_tokens_and_live_ones_keep_theirs_r_rt_01() {
    for machine in Machine::on_every_database().await {
        let (node, _) = machine.serving(PolicySet::default()).await;
        let (db, policy) = (beside(&machine).await, TokenPolicy::default());
        let rotate = |token: String| {
            let node = node.clone();
            let policy = policy.clone();
            async move {
                let grants = node.grants();
                grants
                    .rotate_refresh(tenant(1), &token, app(1), &policy)
                    .await
            }
        };
        let (revoked, _) = begin(&node).await;
        node.grants().kill(tenant(1), revoked.grant).await.unwrap();
        let (_, expires) = begin(&node).await;
        rotate(expires).await.unwrap();
        machine.time.advance(Duration::days(7));
        node.tidy().await.unwrap();
        assert_eq!(rows(&db, 1, "refresh_families").await, 2, "not yet");
        machine.time.advance(Duration::seconds(1));
        node.tidy().await.unwrap();
        assert_eq!(rows(&db, 1, "refresh_families").await, 1, "revoked");
        assert_eq!(rows(&db, 1, "refresh_tokens").await, 2);

        machine.time.advance(Duration::days(80));
        let (_, stolen) = begin(&node).await;
        let next = rotate(stolen.clone()).await.unwrap();
        machine.time.advance(Duration::days(10));
        node.tidy().await.unwrap();
        assert_eq!(rows(&db, 1, "refresh_families").await, 1, "expired");
        assert_eq!(rows(&db, 1, "refresh_tokens").await, 2);
        // A spent token of a family that is still used is remembered for what its return means.
        let reuse = rotate(stolen).await;
        assert!(matches!(reuse, Err(RefreshError::Reused)), "{reuse:?}");
        let dead = rotate(next.token).await;
        assert!(matches!(dead, Err(RefreshError::Revoked)), "{dead:?}");
    }
}

#[tokio::test]
async fn f_05_a_node_that_is_out_of_service_removes_nothing() {
    let machine = Machine::new();
    let (node, _) = machine.serving(PolicySet::default()).await;
    let db = beside(&machine).await;
    begin(&node).await;
    machine.time.advance(Duration::days(1_000));
    node.stand_down();
    node.tidy().await.unwrap();
    assert_eq!(rows(&db, 1, "refresh_families").await, 1);
}

#[tokio::test]
async fn invitations_and_events_go_after_their_retention() {
    for machine in Machine::on_every_database().await {
        let (node, _) = machine.serving(PolicySet::default()).await;
        let (db, store) = (beside(&machine).await, node.identity());
        let event = AuthEvent {
            kind: AuthEventKind::SignedIn,
            user: Some(user(1)),
            application: None,
        };
        store.record_event(tenant(1), event).await.unwrap();
        let invitation = InvitationRow {
            user: user(1),
            email: "ada@example.com".into(),
            name: "Ada".into(),
            inviter: "Grace".into(),
            purpose: "an operator".into(),
            mailed: true,
            expires_at: machine.clock.now() + Duration::days(7),
        };
        let opened = store.open_invitation(tenant(1), &invitation, "token", Holder::Yields);
        opened.await.unwrap();
        let mut left = Vec::new();
        for days in [37, 1, 52, 1] {
            machine.time.advance(Duration::days(days));
            node.tidy().await.unwrap();
            left.push((
                rows(&db, 1, "invitations").await,
                rows(&db, 1, "auth_events").await,
            ));
        }
        assert_eq!(left, [(1, 1), (0, 1), (0, 1), (0, 0)]);
    }
}

#[tokio::test]
async fn a_backlog_goes_in_batches_and_each_tenant_has_its_own() {
    for machine in Machine::on_every_database().await {
        let (node, _) = machine.serving(PolicySet::default()).await;
        let db = beside(&machine).await;
        let at = machine.clock.now().timestamp_micros();
        for n in [1, 2] {
            // Names the tenant on the connection.
            assert_eq!(rows(&db, n, "auth_events").await, 0);
            let values: Vec<_> = (0..1201)
                .map(|row| format!("('{}', 'evt_{row}', 'signed_in', {at})", tenant(n)))
                .collect();
            let insert = format!(
                "INSERT INTO auth_events (tenant, id, kind, at) VALUES {}",
                values.join(",")
            );
            db.execute_unprepared(&insert).await.unwrap();
        }
        machine.time.advance(Duration::days(91));
        assert!(node.identity().purge(tenant(1)).await.unwrap(), "more");
        assert_eq!(rows(&db, 1, "auth_events").await, 701);
        node.tidy().await.unwrap();
        assert_eq!(rows(&db, 1, "auth_events").await, 0);
        // The node does not hold tenant 2, so it is not its to tidy.
        assert_eq!(rows(&db, 2, "auth_events").await, 1201);
        let control = ControlPlane::new();
        let mut link = Link::connect(&node).await;
        link.release(&control, &control.draft(tenant(2), "globex", 1))
            .await;
        node.tidy().await.unwrap();
        assert_eq!(rows(&db, 2, "auth_events").await, 0);
    }
}
