//! Row-level security of the identity store (R-TEN-04): what PostgreSQL hides, asked of PostgreSQL itself.
//!
//! These tests connect beside the store, as the role that nodes run as, and write the queries that a
//! forgotten filter would be. They need PostgreSQL; SQLite has nothing of the kind.

use data_plane::identity::{AuthEvent, AuthEventKind, IdentityStore, NewUser};
use host::{Entropy, Kek};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement,
};

use crate::harness::{Machine, on_postgres, tenant, user};

/// A store with a user and an event in each of two tenants, and one plain connection beside it.
async fn two_tenants(machine: &Machine) -> DatabaseConnection {
    let kek = Kek::from_bytes(machine.kek);
    let store = IdentityStore::open(
        &machine.identity_url,
        &kek,
        machine.clock.clone(),
        Entropy::system(),
    )
    .await
    .expect("the database opens");
    for n in [1, 2] {
        let person = NewUser {
            id: user(n),
            email: "ada@example.com",
            email_verified: true,
            name: None,
            phc: "$argon2id$x",
        };
        store.create_user(tenant(n), person).await.unwrap().unwrap();
        let event = AuthEvent {
            kind: AuthEventKind::Registered,
            user: Some(user(n)),
            application: None,
        };
        store.record_event(tenant(n), event).await.unwrap();
    }
    let mut one = ConnectOptions::new(&machine.identity_url);
    one.max_connections(1);
    Database::connect(one).await.unwrap()
}

async fn act_as(db: &DatabaseConnection, n: u128) {
    let sql = format!(
        "SELECT set_config('bailiwick.tenant', '{}', false)",
        tenant(n)
    );
    db.query_one_raw(Statement::from_string(DbBackend::Postgres, sql))
        .await
        .unwrap();
}

async fn count(db: &DatabaseConnection, sql: impl Into<String>) -> i64 {
    let asked = Statement::from_string(DbBackend::Postgres, sql.into());
    let row = db.query_one_raw(asked).await.unwrap().expect("a count");
    row.try_get_by_index(0).unwrap()
}

#[tokio::test]
async fn a_query_without_a_filter_sees_one_tenant_r_ten_04() {
    let Some(machine) = on_postgres().await else {
        return;
    };
    let db = two_tenants(&machine).await;
    for table in ["users", "passwords", "auth_events"] {
        let all = format!("SELECT count(*) FROM {table}");
        let of_two = format!("{all} WHERE tenant = '{}'", tenant(2));
        assert_eq!(count(&db, &all).await, 0, "{table}: nobody named a tenant");
        act_as(&db, 1).await;
        assert_eq!(count(&db, &all).await, 1, "{table}");
        assert_eq!(count(&db, &of_two).await, 0, "{table}");
        act_as(&db, 2).await;
        assert_eq!(count(&db, &of_two).await, 1, "{table}");
        db.execute_unprepared("RESET bailiwick.tenant")
            .await
            .unwrap();
        assert_eq!(count(&db, &all).await, 0, "{table}: the name is gone");
    }
}

#[tokio::test]
async fn a_row_of_another_tenant_can_neither_be_made_nor_moved_nor_removed_r_ten_04() {
    let Some(machine) = on_postgres().await else {
        return;
    };
    let db = two_tenants(&machine).await;
    act_as(&db, 1).await;
    let refused = |done: Result<_, DbErr>| {
        let error = done
            .map(|_: sea_orm::ExecResult| ())
            .unwrap_err()
            .to_string();
        assert!(error.contains("row-level security"), "{error}");
    };
    let insert = format!(
        "INSERT INTO passwords (tenant, user_id, phc, changed_at) VALUES ('{}', 'usr_x', 'x', 0)",
        tenant(2)
    );
    refused(db.execute_unprepared(&insert).await);
    let moved = format!("UPDATE users SET tenant = '{}'", tenant(3));
    refused(db.execute_unprepared(&moved).await);
    let removed = format!("DELETE FROM users WHERE tenant = '{}'", tenant(2));
    let removed = db.execute_unprepared(&removed).await.unwrap();
    assert_eq!(removed.rows_affected(), 0);
    act_as(&db, 2).await;
    assert_eq!(count(&db, "SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn every_table_is_guarded_r_ten_04() {
    let Some(machine) = on_postgres().await else {
        return;
    };
    let db = two_tenants(&machine).await;
    // `seaql_migrations` holds the names of the steps that were taken, and nobody's data.
    let tables = "FROM information_schema.tables t \
         JOIN pg_class c ON c.oid = format('%I.%I', t.table_schema, t.table_name)::regclass \
         WHERE t.table_schema = current_schema() AND t.table_name <> 'seaql_migrations'";
    let open = format!(
        "SELECT t.table_name::text {tables} AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS ( \
           SELECT 1 FROM pg_policies p WHERE p.schemaname = t.table_schema AND p.tablename = t.table_name \
           AND p.cmd = 'ALL' AND p.qual LIKE '%tenant%bailiwick.tenant%' AND p.with_check = p.qual))"
    );
    let open = |db: DatabaseConnection| {
        let asked = Statement::from_string(DbBackend::Postgres, open.clone());
        async move {
            let rows = db.query_all_raw(asked).await.unwrap();
            let name = |row: &sea_orm::QueryResult| row.try_get_by_index::<String>(0).unwrap();
            rows.iter().map(name).collect::<Vec<_>>()
        }
    };
    let all = count(&db, format!("SELECT count(*) {tables}")).await;
    assert!(all >= 9, "the query found {all} tables");
    assert_eq!(open(db.clone()).await, Vec::<String>::new());
    // The question can be answered with yes.
    db.execute_unprepared("CREATE TABLE forgotten (tenant text)")
        .await
        .unwrap();
    db.execute_unprepared("ALTER TABLE users NO FORCE ROW LEVEL SECURITY")
        .await
        .unwrap();
    let mut found = open(db.clone()).await;
    found.sort();
    assert_eq!(found, ["forgotten", "users"]);
}

#[tokio::test]
async fn a_table_without_the_guard_is_refused_at_start_r_ten_04() {
    let Some(machine) = on_postgres().await else {
        return;
    };
    let db = two_tenants(&machine).await;
    let open = || async {
        let kek = Kek::from_bytes(machine.kek);
        let (clock, entropy) = (machine.clock.clone(), Entropy::system());
        let opened = IdentityStore::open(&machine.identity_url, &kek, clock, entropy);
        opened.await.err().map(|error| error.to_string())
    };
    for (lift, restore, named) in [
        ("NO FORCE", "FORCE", "users"),
        ("DISABLE", "ENABLE", "refresh_tokens"),
    ] {
        let alter = |verb| format!("ALTER TABLE {named} {verb} ROW LEVEL SECURITY");
        db.execute_unprepared(&alter(lift)).await.unwrap();
        let line = open().await.expect("refused");
        assert!(
            line.contains(&format!("no forced row-level security on {named},"))
                && !line.contains('\n'),
            "{line}"
        );
        db.execute_unprepared(&alter(restore)).await.unwrap();
        assert_eq!(open().await, None);
    }
    // Somebody else's table in the same schema is none of our business.
    let foreign = "CREATE TABLE somebody_elses (tenant text)";
    db.execute_unprepared(foreign).await.unwrap();
    assert_eq!(open().await, None);
}

#[tokio::test]
async fn a_tenant_is_named_for_one_transaction() {
    let Some(machine) = on_postgres().await else {
        return;
    };
    let db = two_tenants(&machine).await;
    db.execute_unprepared("BEGIN").await.unwrap();
    let local = format!(
        "SELECT set_config('bailiwick.tenant', '{}', true)",
        tenant(1)
    );
    db.execute_unprepared(&local).await.unwrap();
    assert_eq!(count(&db, "SELECT count(*) FROM users").await, 1);
    db.execute_unprepared("COMMIT").await.unwrap();
    assert_eq!(count(&db, "SELECT count(*) FROM users").await, 0);
}

#[tokio::test]
async fn a_role_that_nothing_binds_is_refused_r_ten_04() {
    let Some(machine) = on_postgres().await else {
        return;
    };
    let mut url: url::Url = machine.identity_url.parse().unwrap();
    url.set_username("postgres").unwrap();
    if Database::connect(url.as_str()).await.is_err() {
        // Only the private server of `cargo xtask test` lets its superuser in without a password.
        return;
    }
    let kek = Kek::from_bytes(machine.kek);
    let (clock, entropy) = (machine.clock.clone(), Entropy::system());
    let refused = IdentityStore::open(url.as_str(), &kek, clock, entropy);
    let line = refused.await.err().expect("refused").to_string();
    assert!(
        line.contains("superuser") && line.contains("plain role"),
        "{line}"
    );
    let db = Database::connect(url.as_str()).await.unwrap();
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(
        count(&db, tables).await,
        0,
        "refused before anything was made"
    );
}
