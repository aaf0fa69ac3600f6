//! Starting, being ready, being asked how one is, stopping.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::{
    browser::{Browser, client},
    harness::Place,
};

#[tokio::test]
async fn a_first_start_tells_where_to_go_and_an_ordered_stop_ends_with_zero() {
    let place = Place::new().await;
    let running = place.run(place.up()).await;
    for expected in [
        "Bailiwick is ready.", &place.console, "/setup?token=", "/mailbox", "Ctrl-C",
    ] {
        assert!(
            running.banner.contains(expected),
            "{expected} in:\n{}",
            running.banner
        );
    }
    assert!(!running.banner.contains("Demo tenant"));

    let mut browser = Browser::new();
    let setup = running
        .banner
        .split_whitespace()
        .find(|word| word.contains("/setup?token="))
        .unwrap();
    let page = browser.get(setup).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(
        browser
            .get(format!("{}/mailbox", place.console))
            .await
            .status,
        200
    );
    let token = setup.split_once("token=").unwrap().1;
    assert!(
        !running.logged().contains(token),
        "the setup link is for the terminal only"
    );
    assert_eq!(running.stop().await.code(), Some(0));
}

#[tokio::test]
async fn a_lost_setup_link_comes_back_with_a_restart() {
    let place = Place::new().await;
    let running = place.run(place.up()).await;
    let first = setup_link(&running.banner);
    assert_eq!(running.stop().await.code(), Some(0));

    let again = place.run(place.up()).await;
    let second = setup_link(&again.banner);
    assert_ne!(first, second);
    let mut browser = Browser::new();
    assert_eq!(
        browser.get(&first).await.status,
        404,
        "the new one voids the old"
    );
    let page = browser.get(&second).await;
    assert_eq!(page.status, 200, "{}", page.body);
}

pub fn setup_link(banner: &str) -> String {
    let word = banner
        .split_whitespace()
        .find(|word| word.contains("/setup?token="));
    word.unwrap_or_else(|| panic!("no setup link in:\n{banner}"))
        .to_owned()
}

#[tokio::test]
async fn every_file_is_private_in_a_directory_that_is_not() {
    let place = Place::new().await;
    std::fs::create_dir(place.dir()).unwrap();
    let open = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(place.dir(), open(0o755)).unwrap();
    let running = place.start().await;
    let names = check_private(&place.dir());
    for name in ["kek", "trust.json", "demo.json", "demo.sealed", "node-id"] {
        assert!(names.contains(&name.to_owned()), "{name} in {names:?}");
    }
    assert_eq!(running.stop().await.code(), Some(0));

    for name in names.iter().filter(|name| *name != "kek") {
        let path = place.dir().join(name);
        if path.is_file() {
            std::fs::set_permissions(path, open(0o644)).unwrap();
        }
    }
    let again = place.start().await;
    check_private(&place.dir());
    assert!(again.logged().contains("it is private now"));
}

/// The names of the files, none of which anybody else may touch.
fn check_private(dir: &std::path::Path) -> Vec<String> {
    let files = std::fs::read_dir(dir)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().is_file());
    files
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
            name
        })
        .collect()
}

#[tokio::test]
async fn operational_endpoints_answer_on_both_addresses() {
    let place = Place::new().await;
    let _running = place.start().await;
    for origin in [&place.console, &place.auth] {
        let get = |path: &str| client().get(format!("{origin}{path}")).send();
        assert_eq!(
            get("/healthz").await.unwrap().text().await.unwrap(),
            "alive\n"
        );
        let ready = get("/readyz").await.unwrap();
        assert_eq!(ready.status(), 200);
        let report: Value = ready.json().await.unwrap();
        assert_eq!(report["status"], "ready", "{report}");
        let metrics = get("/metrics").await.unwrap().text().await.unwrap();
        assert!(
            metrics.contains("http_server_request_duration"),
            "{metrics}"
        );
        let icon = get("/favicon.ico").await.unwrap();
        assert_eq!(icon.status(), 302);
        let icon = get(icon.headers()["location"].to_str().unwrap()).await;
        assert_eq!(icon.unwrap().headers()["content-type"], "image/svg+xml");
        let lost = get("/nowhere").await.unwrap();
        assert_eq!(lost.status(), 404);
        assert!(lost.headers().contains_key("x-request-id"));
        assert!(lost.headers().contains_key("x-content-type-options"));
    }
}

#[tokio::test]
async fn the_demo_is_the_same_at_every_start() {
    let place = Place::new().await;
    let running = place.start().await;
    assert!(running.banner.contains(&format!("{}/t/acme", place.auth)));
    assert!(
        !running.banner.contains("/setup?token="),
        "the demo has a platform owner"
    );
    let first = std::fs::read_to_string(place.dir().join("demo.json")).unwrap();
    check_demo(&place.demo(), &place);
    let token = place.token(&[]).await;
    let versions = release_versions(&place, &token).await;
    assert_eq!(running.stop().await.code(), Some(0));

    std::fs::remove_file(place.dir().join("demo.json")).unwrap();
    let again = place.start().await;
    let second = std::fs::read_to_string(place.dir().join("demo.json")).unwrap();
    assert_eq!(second, first);
    assert_eq!(
        release_versions(&place, &token).await,
        versions,
        "nothing was released again"
    );
    for secret in [
        &place.demo()["user"]["password"],
        &place.demo()["application"]["client_secret"],
    ] {
        assert!(!again.banner.contains(secret.as_str().unwrap()));
    }
}

fn check_demo(demo: &Value, place: &Place) {
    // In the order of the file, which is the order people read.
    let keys = |value: &Value| {
        let object = value.as_object().expect("an object");
        object.keys().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        keys(demo),
        "console_url issuer application machine user operators"
    );
    assert_eq!(
        keys(&demo["application"]),
        "client_id client_secret redirect_uris"
    );
    assert_eq!(keys(&demo["machine"]), "client_id client_secret scope");
    assert_eq!(keys(&demo["user"]), "email password");
    assert_eq!(demo["console_url"], place.console);
    assert_eq!(demo["issuer"], format!("{}/t/acme", place.auth));
    let operators: Vec<String> = demo["operators"]
        .as_array()
        .unwrap()
        .iter()
        .map(|operator| {
            assert_eq!(keys(operator), "role email password tenant");
            assert!(operator["password"].as_str().unwrap().len() >= 15);
            format!(
                "{} {}",
                operator["role"].as_str().unwrap(),
                operator["tenant"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        operators,
        [
            "platform_owner platform",
            "platform_operator platform",
            "tenant_owner acme",
            "application_developer acme",
            "tenant_auditor acme",
        ]
    );
    let mode = std::fs::metadata(place.dir().join("demo.json"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

async fn release_versions(place: &Place, token: &str) -> Vec<i64> {
    let mut versions = Vec::new();
    for tenant in ["platform", "acme"] {
        let url = format!("{}/v1/tenants/{tenant}/releases", place.console);
        let page: Value = client()
            .get(url)
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let newest = page["items"]
            .as_array()
            .unwrap_or_else(|| panic!("{page}"))
            .iter()
            .filter_map(|release| release["version"].as_i64())
            .max();
        versions.push(newest.unwrap());
    }
    versions
}

#[tokio::test]
async fn a_second_process_on_the_same_directory_is_refused() {
    let place = Place::new().await;
    let _running = place.run(place.up()).await;
    let mut second = crate::harness::bailiwick();
    second.arg("up").arg("--data-dir").arg(place.dir());
    second.args([
        "--console-addr", "127.0.0.1:0", "--auth-addr", "127.0.0.1:0",
    ]);
    let output = crate::harness::finish(second).await;
    assert_eq!(output.status.code(), Some(1));
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(
        line.contains("another process is already running on it"),
        "{line}"
    );
}
