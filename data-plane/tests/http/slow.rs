//! Callers that are slow on purpose, at the server that production uses (R-INJ-06).
//!
//! These wait for real time, since the server's timers know no other; so patience is short here.

use std::{net::TcpListener, time::Duration};

use actix_web::{HttpResponse, web};
use data_plane::{
    http::TrustedProxies,
    process::server::{Patience, Surface},
};
use host::{Clock, Entropy, Health, Observe, Telemetry, TelemetryConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

/// A listener that echoes the length of bodies, and its address.
fn listen(patience: Patience) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let telemetry = Telemetry::start(&TelemetryConfig {
        filter: "warn".into(),
        ..TelemetryConfig::new("data-plane-tests")
    })
    .unwrap();
    let surface = Surface {
        observe: Observe::new(telemetry.http_metrics(), Clock::system(), Entropy::system()),
        health: Health::new(),
        telemetry,
        tls: None,
        https: false,
        proxies: TrustedProxies::default(),
        patience,
    };
    async fn echo(body: Result<web::Bytes, actix_web::Error>) -> HttpResponse {
        match body {
            Ok(body) => HttpResponse::Ok().body(body.len().to_string()),
            Err(error) => HttpResponse::RequestTimeout().body(error.to_string()),
        }
    }
    let server = surface.serve(listener, |routes| {
        routes.route("/", web::post().to(echo));
    });
    tokio::spawn(server.unwrap());
    address
}

async fn connect(address: &str, sent: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(sent.as_bytes()).await.unwrap();
    socket
}

/// Everything until the server hangs up.
async fn to_the_end(socket: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = timeout(LONG, socket.read_to_end(&mut text)).await;
    // A reset is an end as well: the server need not read what we still had to say.
    let _ = read.expect("the server hangs up by itself");
    String::from_utf8_lossy(&text).into_owned()
}

fn long() -> Patience {
    Patience {
        head: LONG,
        body_idle: LONG,
        keep_alive: LONG,
    }
}

#[tokio::test]
async fn half_a_head_is_not_waited_for_r_inj_06() {
    let address = listen(Patience {
        head: SHORT,
        ..long()
    });
    for sent in ["", "POST / HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
        let mut socket = connect(&address, sent).await;
        let answer = to_the_end(&mut socket).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{sent:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_body_that_pauses_is_not_waited_for_r_inj_06() {
    let address = listen(Patience {
        body_idle: SHORT,
        ..long()
    });
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n";
    let mut steady = connect(&address, &format!("{head}Connection: close\r\n\r\n")).await;
    for part in ["01234", "56789"] {
        tokio::time::sleep(SHORT / 3).await;
        steady.write_all(part.as_bytes()).await.unwrap();
    }
    let answer = to_the_end(&mut steady).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("10"),
        "{answer}"
    );
    let mut slow = connect(&address, &format!("{head}\r\n01234")).await;
    let answer = to_the_end(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn an_idle_connection_is_closed_r_inj_06() {
    let address = listen(Patience {
        keep_alive: SHORT,
        ..long()
    });
    let request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx";
    let mut socket = connect(&address, request).await;
    let answer = to_the_end(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn production_waits_as_required_r_inj_06() {
    let patience = Patience::default();
    let seconds = [patience.head, patience.body_idle, patience.keep_alive];
    assert_eq!(seconds.map(|wait| wait.as_secs()), [5, 10, 60]);
}
