//! Sizes that no listener accepts, console and admin API included (R-INJ-05).

use crate::{browser::client, harness::Place};

#[tokio::test]
async fn every_listener_refuses_what_is_too_large_r_inj_05() {
    let place = Place::new().await;
    let _running = place.start().await;
    for base in [
        format!("{}/login", place.console),
        format!("{}/v1/tenants", place.console),
        format!("{}/t/platform/login", place.auth),
    ] {
        let plain = client().get(&base).send().await.unwrap();
        assert!(plain.status().as_u16() < 500, "{base}: {}", plain.status());
        let long = format!("{base}?x={}", "a".repeat(8 * 1024));
        let long = client().get(long).send().await.unwrap();
        assert_eq!(long.status(), 414, "{base}");
        let large = client().get(&base).header("x-large", "b".repeat(16 * 1024));
        let large = large.send().await.unwrap();
        assert_eq!(large.status(), 431, "{base}");
        for refused in [long, large] {
            for (name, value) in host::headers::ALWAYS {
                let sent = refused.headers().get(name).unwrap();
                assert_eq!(sent, value, "{base} {name}");
            }
            assert!(refused.headers().contains_key("x-request-id"), "{base}");
        }
        let one = client().get(&base).header("x-large", "b".repeat(16 * 1024));
        let problem = one.send().await.unwrap().text().await.unwrap();
        assert!(problem.contains("16 KiB"), "{base}: {problem}");
    }
}
