//! The stream of a containment's page: what it says, when it ends, and for whom.

use std::{future::poll_fn, pin::Pin, time::Duration};

use actix_web::{
    App,
    body::{BoxBody, MessageBody},
    http::{StatusCode, header},
    test,
};
use contract::role::Role;

use crate::{
    containments::contained,
    harness::{Browser, World},
    lane,
    nodes::send,
};

/// A stream that is read piece by piece.
struct Stream(BoxBody);

impl Stream {
    /// The next piece; `None` at its end.
    async fn next(&mut self) -> Option<String> {
        let piece = poll_fn(|context| Pin::new(&mut self.0).poll_next(context));
        let piece = tokio::time::timeout(Duration::from_secs(10), piece);
        let bytes = piece.await.expect("a piece within the time")?;
        Some(String::from_utf8(bytes.unwrap().to_vec()).unwrap())
    }

    /// The state that the next piece says.
    async fn state(&mut self) -> serde_json::Value {
        let text = self.next().await.expect("a piece");
        let data = text.strip_prefix("data: ").expect("a state");
        serde_json::from_str(data.trim_end()).unwrap()
    }

    async fn ends(&mut self) {
        assert_eq!(self.next().await.unwrap(), "event: end\ndata: over\n\n");
        assert_eq!(self.next().await, None);
    }
}

async fn open(world: &World, browser: &Browser, page: &str) -> Stream {
    let app = App::new().configure(console::configure(world.console.clone()));
    let app = test::init_service(app).await;
    let request = test::TestRequest::get()
        .uri(&format!("{page}/events"))
        .insert_header((header::COOKIE, browser.cookie.clone()))
        .to_request();
    let answer = test::call_service(&app, request).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let headers = answer.headers();
    let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(said("content-type"), Some("text/event-stream"));
    assert_eq!(said("cache-control"), Some("no-store, no-transform"));
    assert_eq!(said("x-accel-buffering"), Some("no"));
    assert_eq!(said("content-encoding"), None);
    Stream(answer.into_body())
}

/// Contains without waiting, since nobody confirms yet.
async fn contained_soon(world: &World, browser: &Browser) -> String {
    let form = [
        ("kind", "user"),
        ("id", "usr_01h00000000000000000000000"),
        ("reason", "Drill"),
        ("length", "15"),
        ("existing", "comes_back"),
    ];
    let begin = "/cmd/t/acme/production/containments/begin";
    let answer = send(world, browser, begin, &form).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.html);
    answer.location
}

#[actix_web::test]
async fn a_stream_says_what_is_so_then_what_changed_and_ends_p10() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let go = lane::hesitant(&world, 1).await;
    let admin = world.member(&acme, Role::SecurityAdmin).await;
    let page = contained_soon(&world, &admin).await;
    let shown = world.get(Some(&admin), &page).await.html;
    assert!(shown.contains("Reload to see more"), "{shown}");
    let mut stream = open(&world, &admin, &page).await;
    let first = stream.state().await;
    assert_eq!(first["words"], "Effective on 0 of 1 node");
    assert_eq!(
        (&first["confirmed"], &first["complete"]),
        (&0.into(), &false.into())
    );
    assert_eq!(first["lines"][0]["state"], "Waiting");
    go.ahead();
    let second = stream.state().await;
    let words = second["words"].as_str().unwrap();
    assert!(words.starts_with("Effective on 1 of 1 node, "), "{words}");
    assert_eq!(second["lines"][0]["state"], "Confirmed");
    stream.ends().await;
}

#[actix_web::test]
async fn a_stream_of_what_is_complete_says_so_and_ends() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    lane::obedient(&world, 1).await;
    let admin = world.member(&acme, Role::SecurityAdmin).await;
    let page = contained(&world, &admin).await;
    let mut stream = open(&world, &admin, &page).await;
    assert_eq!(stream.state().await["complete"], true);
    stream.ends().await;
    // It took no message from the page.
    let shown = world.get(Some(&admin), &page).await.html;
    assert!(shown.contains("Contained a user."), "{shown}");
}

#[actix_web::test]
async fn a_stream_ends_with_the_session_and_at_the_end_of_the_process() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let go = lane::hesitant(&world, 1).await;
    let admin = world.member(&acme, Role::SecurityAdmin).await;
    let page = contained_soon(&world, &admin).await;
    let mut stream = open(&world, &admin, &page).await;
    stream.state().await;
    let token = admin.cookie.strip_prefix("bw_console=").unwrap();
    world
        .control_plane
        .end_console_session(token, "req_test")
        .await
        .unwrap();
    go.ahead();
    stream.ends().await;

    let other = world.member(&acme, Role::TenantAuditor).await;
    let second = lane::hesitant(&world, 2).await;
    let mut stream = open(&world, &other, &page).await;
    stream.state().await;
    world.console.close_streams();
    stream.ends().await;
    let refused = world.get(Some(&other), &format!("{page}/events")).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    drop(second);
}
