//! The canary (R-SEC-03): what people type and programs hold must not be in the logs, even at debug level.

use serde_json::Value;

use crate::{
    browser::Browser,
    harness::{Place, remember},
    journey::Shop,
};

#[tokio::test]
async fn no_secret_is_logged_at_debug_level() {
    let place = Place::new().await;
    let running = place.start().await;
    let shop = Shop::open(&place).await;
    let mut secrets = vec![place.token(&[]).await];
    let mut browser = Browser::new();
    let page = shop.sign_in(&mut browser).await;
    let code = shop.code(&page);
    let (status, tokens) = shop.redeem(&code).await;
    assert_eq!(status, 200, "{tokens}");
    let machine = [
        ("grant_type", "client_credentials"),
        ("resource", "https://orders.acme.example"),
    ];
    let (_, machine) = shop.token_as("/machine", &machine).await;
    shop.userinfo(tokens["access_token"].as_str().unwrap())
        .await;

    secrets.push(code);
    secrets.extend(browser.cookies().map(str::to_owned));
    for name in ["access_token", "refresh_token", "id_token"] {
        secrets.extend(tokens[name].as_str().map(str::to_owned));
        secrets.extend(machine[name].as_str().map(str::to_owned));
    }
    for pointer in [
        "/application/client_secret",
        "/machine/client_secret",
        "/user/password",
        "/user/email",
    ] {
        secrets.push(
            shop.demo
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap()
                .to_owned(),
        );
    }
    for operator in shop.demo["operators"].as_array().unwrap() {
        secrets
            .extend(["password", "email"].map(|name| operator[name].as_str().unwrap().to_owned()));
    }
    remember(secrets.iter().map(String::as_str));

    let log = running.logged();
    assert!(log.contains("DEBUG"), "the log is at debug level");
    for (index, secret) in secrets.iter().enumerate() {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        // The line is not printed: test output is a log too.
        assert!(
            line.is_none(),
            "secret number {index} ({} characters) is in the log",
            secret.len()
        );
    }
    assert!(!log.contains("$argon2id$") && !log.contains("PRIVATE KEY"));
    assert_eq!(running.stop().await.code(), Some(0));
}
