//! Taking back what was allowed: nothing outlives it, and it ends nothing else (R-CONS-02).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use chrono::Duration;
use contract::ids::{TenantId, TypedId};
use data_plane::state::{
    Admission, Kind, Pace, StateError, StateKey, StateStore, memory::MemoryState,
};
use host::ManualClock;
use uuid::Uuid;

use crate::{
    browser::Browser,
    house::{App, House},
    tokens::{refused, text},
};

/// Presses "Withdraw" for an application.
async fn withdraw(browser: &mut Browser, app: App) {
    let csrf = browser.get("").await.field("csrf").unwrap();
    let id = app.id();
    let fields = [("csrf", csrf.as_str()), ("application", id.as_str())];
    let done = browser.post("consents", &fields).await;
    assert_eq!(done.status, 303, "{done:?}");
}

#[tokio::test]
async fn an_application_that_nobody_was_asked_about_has_a_button_too_r_cons_02() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let brief = browser.tokens(App::Own, "openid").await;
    assert!(text(&brief, "access_token").len() > 10);
    let page = browser.get("consents").await;
    assert!(
        !page.body.contains("Own portal"),
        "nothing that lasts, nothing to end"
    );
    let scope = "openid email offline_access";
    let tokens = browser.tokens(App::Own, scope).await;
    let more = browser.tokens(App::Own, "openid offline_access").await;
    let page = browser.get("consents").await;
    for words in [
        "Own portal",
        "See your e-mail address",
        "while you are away",
    ] {
        assert_eq!(
            page.body.matches(words).count(),
            1 + usize::from(words == "Own portal"),
            "{words}"
        );
    }
    withdraw(&mut browser, App::Own).await;
    for tokens in [&tokens, &more] {
        let renewed = browser
            .refresh(App::Own, text(tokens, "refresh_token"))
            .await;
        assert_eq!(refused(&renewed), (400, "invalid_grant".into()));
    }
    let page = browser.get("consents").await;
    assert!(page.body.contains("Nothing at the moment."));
}

#[tokio::test]
async fn what_ran_out_is_not_listed() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    browser.tokens(App::Own, "openid offline_access").await;
    house.advance(Duration::days(14));
    let mut later = house.browser("acme");
    later.sign_in().await;
    let page = later.get("consents").await;
    assert!(
        page.body.contains("Nothing at the moment."),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn a_press_with_nothing_to_end_ends_nothing() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    browser.sign_in().await;
    withdraw(&mut browser, App::Spa).await;
    let tokens = browser.tokens(App::Spa, "openid").await;
    let known = browser.userinfo(text(&tokens, "access_token")).await;
    assert_eq!(known.status, 200, "no mark was written");
    let latest = house.node.identity().latest_events(
        TypedId::from_uuid(Uuid::from_u128(1)),
        House::user(1),
        99,
    );
    let mut kinds = latest.await.unwrap().into_iter().map(|(_, kind)| kind);
    assert!(!kinds.any(|kind| kind == "consent_withdrawn"));
}

/// Memory that takes ten seconds to spend an attempt, once it is told to.
struct Slow {
    memory: MemoryState,
    clock: ManualClock,
    armed: Arc<AtomicBool>,
}

#[async_trait]
impl StateStore for Slow {
    async fn put(&self, key: StateKey<'_>, value: &[u8], life: Duration) -> Result<(), StateError> {
        self.memory.put(key, value, life).await
    }
    async fn replace(
        &self,
        key: StateKey<'_>,
        value: &[u8],
        life: Duration,
    ) -> Result<bool, StateError> {
        self.memory.replace(key, value, life).await
    }
    async fn get(&self, key: StateKey<'_>) -> Result<Option<Vec<u8>>, StateError> {
        self.memory.get(key).await
    }
    async fn take(&self, key: StateKey<'_>) -> Result<Option<Vec<u8>>, StateError> {
        if key.kind == Kind::Request && self.armed.swap(false, Ordering::SeqCst) {
            self.clock.advance(Duration::seconds(10));
        }
        self.memory.take(key).await
    }
    async fn increment(&self, key: StateKey<'_>, life: Duration) -> Result<u64, StateError> {
        self.memory.increment(key, life).await
    }
    async fn decrement(&self, key: StateKey<'_>) -> Result<(), StateError> {
        self.memory.decrement(key).await
    }
    async fn admit(&self, key: StateKey<'_>, pace: &Pace) -> Result<Admission, StateError> {
        self.memory.admit(key, pace).await
    }
    async fn give_back(&self, key: StateKey<'_>, number: u64) -> Result<(), StateError> {
        self.memory.give_back(key, number).await
    }
    async fn values(
        &self,
        kind: Kind,
        tenant: TenantId,
        most: usize,
    ) -> Result<Vec<Vec<u8>>, StateError> {
        self.memory.values(kind, tenant, most).await
    }
    async fn delete(&self, key: StateKey<'_>) -> Result<(), StateError> {
        self.memory.delete(key).await
    }
    async fn ping(&self) -> Result<(), StateError> {
        self.memory.ping().await
    }
}

#[tokio::test]
async fn a_grant_under_way_does_not_outlive_the_withdrawal_r_cons_02() {
    let armed = Arc::new(AtomicBool::new(false));
    let house = House::open_around(|memory, clock| {
        let armed = Arc::clone(&armed);
        Arc::new(Slow {
            memory,
            clock,
            armed,
        })
    })
    .await;
    let mut person = house.browser("acme");
    person.walk(App::Shop, &[("scope", "openid")]).await;
    let mut other = house.browser("acme");
    let login = other.authorize(App::Shop, &[("scope", "openid")]).await;
    let before = house.now();
    armed.store(true, Ordering::SeqCst);
    let answer = other.sign_in_at(&login).await;
    let code = answer.param("code").expect("remembered, so not asked");
    assert_eq!(house.now() - before, Duration::seconds(10));
    // Two seconds after the consent was read, and eight before the code was made.
    house.advance(Duration::seconds(-8));
    withdraw(&mut person, App::Shop).await;
    let redeemed = other.redeem(App::Shop, &code).await;
    assert_eq!(refused(&redeemed), (400, "invalid_grant".into()));
}
