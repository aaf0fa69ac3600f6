//! Limits per address: which address a caller is counted by (R-ENUM-05).

use crate::house::House;

/// Posts to the registration page `count` times with these headers, each round with the next one, and says
/// how many were let through.
async fn let_through(house: &House, count: usize, header: impl Fn(usize) -> String) -> usize {
    let mut browser = house.browser("acme");
    let form = browser.get("register").await;
    let csrf = form.field("csrf").unwrap();
    let fields = [
        ("csrf", csrf.as_str()),
        ("identifier", "nobody"),
        ("password", "x"),
    ];
    let mut passed = 0;
    for round in 0..count {
        let said = header(round);
        let headers = [("x-forwarded-for", said.as_str())];
        let page = browser.post_with("register", &headers, &fields).await;
        match page.status {
            400 => passed += 1,
            429 => assert!(page.header("retry-after").is_some()),
            other => panic!("{other}: {}", page.body),
        }
    }
    passed
}

const LIMIT: usize = 60;

#[tokio::test]
async fn a_forged_header_changes_nothing_r_enum_05() {
    let house = House::open().await;
    let forged = |round| format!("198.51.100.{round}");
    assert_eq!(let_through(&house, LIMIT + 5, forged).await, LIMIT);
}

#[tokio::test]
async fn behind_a_listed_proxy_each_caller_has_a_limit_r_enum_05() {
    let house = House::open_behind(&["127.0.0.0/8", "10.0.0.0/8"]).await;
    let forged = |round| format!("10.1.1.{round}, 198.51.100.{round}, 203.0.113.7, 10.0.0.2");
    assert_eq!(let_through(&house, LIMIT + 5, forged).await, LIMIT);
    let another = |_| "203.0.113.8".to_owned();
    assert_eq!(let_through(&house, 3, another).await, 3);
    let one_prefix = |round| format!("2001:db8:0:1::{round:x}");
    assert_eq!(
        let_through(&house, LIMIT + 5, one_prefix).await,
        LIMIT,
        "IPv6 by /64"
    );
    let next_prefix = |_| "[2001:db8:0:2::1]:4711".to_owned();
    assert_eq!(let_through(&house, 3, next_prefix).await, 3);
}
