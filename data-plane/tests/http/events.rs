//! What a person's own events tell: each thing once, and renewals not at all.

use contract::ids::{TenantId, TypedId};
use uuid::Uuid;

use crate::{
    browser::Browser,
    house::{App, House},
};

/// The kinds of the person's events, sorted: events of one moment have no order.
async fn told(house: &House) -> Vec<String> {
    let tenant = TenantId::from_uuid(Uuid::from_u128(1));
    let identity = house.node.identity();
    let events = identity.latest_events(tenant, House::user(1), 50).await;
    let mut kinds: Vec<String> = events.unwrap().into_iter().map(|(_, kind)| kind).collect();
    kinds.sort();
    kinds
}

async fn sign_out(browser: &mut Browser) {
    let form = browser.get("oauth2/logout").await;
    let done = browser.submit(&form, &[]).await;
    assert_eq!(done.location(), "/t/acme/signed-out");
}

#[tokio::test]
async fn each_thing_is_told_once() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let code = browser.code(App::Shop, "openid offline_access").await;
    let tokens = browser.redeem(App::Shop, &code).await.json();
    let so_far = ["consented", "signed_in", "tokens_issued"];
    assert_eq!(told(&house).await, so_far);

    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(browser.refresh(App::Shop, refresh).await.status, 200);
    let machine = [
        ("grant_type", "client_credentials"),
        ("scope", "orders:read"),
    ];
    assert_eq!(browser.token(App::Machine, &machine).await.status, 200);
    assert_eq!(told(&house).await, so_far, "renewals and machines are not");

    assert_eq!(browser.redeem(App::Shop, &code).await.status, 400);
    sign_out(&mut browser).await;
    let all = [
        "consented", "replay_detected", "signed_in", "signed_out", "tokens_issued",
    ];
    assert_eq!(told(&house).await, all);
    let again = browser.get("oauth2/logout").await;
    assert_eq!(again.location(), "/t/acme/signed-out");
    assert_eq!(told(&house).await, all, "nobody was signed in");
}

#[tokio::test]
async fn an_application_may_sign_its_person_out() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let tokens = browser.tokens(App::Shop, "openid").await;
    let hint = tokens["id_token"].as_str().unwrap();
    browser
        .get(&format!("oauth2/logout?id_token_hint={hint}"))
        .await;
    assert!(told(&house).await.contains(&"signed_out".to_owned()));
}

#[tokio::test]
async fn a_code_that_ran_out_is_no_replay() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let code = browser.code(App::Own, "openid").await;
    house.advance(chrono::Duration::seconds(61));
    assert_eq!(browser.redeem(App::Own, &code).await.status, 400);
    assert_eq!(told(&house).await, ["signed_in"]);
}
