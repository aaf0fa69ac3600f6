//! What a rollout is judged by is counted where it happens, per version (R-NODE-06).

use contract::tenant::TenantStatus;

use crate::house::{EMAIL, House};

#[tokio::test]
async fn requests_failures_and_sign_ins_count_for_the_release_that_answered_r_node_06() {
    let mut house = House::open().await;
    let acme = house.node.tenant_by_slug("acme").unwrap();
    let other = house.node.tenant_by_slug("globex").unwrap();
    let mut browser = house.browser("acme");
    let form = browser.get("login").await;
    let page = browser
        .submit(&form, &[("identifier", EMAIL), ("password", "wrong")])
        .await;
    assert_eq!(page.status, 400);
    let counted = acme.counts().read();
    assert_eq!((counted.requests, counted.failures), (2, 0));
    assert_eq!(counted.latency.iter().sum::<u64>(), 2);
    assert_eq!((counted.sign_ins, counted.sign_ins_failed), (0, 1));
    browser.sign_in().await;
    let counted = acme.counts().read();
    assert_eq!((counted.sign_ins, counted.sign_ins_failed), (1, 1));
    assert_eq!(other.counts().read().requests, 0);

    // Another version counts anew, and what it refuses to serve is a failure.
    let content = house.content(1, "acme");
    house.publish(content, TenantStatus::Suspended).await;
    let next = house.node.tenant_by_slug("acme").unwrap();
    assert!(next.version() > acme.version());
    let requests = acme.counts().read().requests;
    let page = browser.get("login").await;
    assert_eq!(page.status, 503);
    let counted = next.counts().read();
    assert_eq!((counted.requests, counted.failures), (1, 1));
    assert_eq!(acme.counts().read().requests, requests);
    // No tenant, nothing to count.
    let nowhere = house.browser("nowhere").get("login").await;
    assert_eq!(nowhere.status, 404);
    assert_eq!(next.counts().read().requests, 1);
}
