//! What is refused, with a listener that must stay silent, and what passes, with one that answers.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;

fn get(url: &str) -> http::Request<Vec<u8>> {
    http::Request::get(url).body(Vec::new()).unwrap()
}

/// A listener on every local address that records nothing but whether somebody came.
struct Silent(TcpListener);

impl Silent {
    fn new() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn assert_untouched(&self, url: &str) {
        let kind = self.0.accept().map(|_| ()).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::WouldBlock, "{url} made a connection");
    }
}

/// An egress whose guard is the real one, but for which `port` is as good as 443.
fn egress_for_port(port: u16, lookup: Lookup) -> Egress {
    Egress::with(EgressPolicy::default(), Box::leak(Box::new([port])), lookup).unwrap()
}

#[tokio::test]
async fn no_way_of_writing_a_private_address_makes_a_connection() {
    let listener = Silent::new();
    let egress = egress_for_port(listener.port(), system_lookup());
    let hosts = [
        "127.0.0.1", "127.1", "0x7f000001", "0x7f.1", "2130706433", "017700000001", "0", "0.0.0.0",
        "127.0.0.1.", "localhost", "LOCALHOST", "[::1]", "[::]", "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "10.0.0.1",
        "169.254.169.254", "100.64.0.1", "192.168.0.1", "[fe80::1]", "[fd00::1]", "１２７.0.0.1",
    ];
    for host in hosts {
        let text = format!("https://{host}:{}/", listener.port());
        let url = Url::parse(&text).unwrap();
        // Some of these are no http::Uri; the form that a Url gives them is what would be called.
        let error = egress.send(get(url.as_str())).await.unwrap_err();
        assert!(matches!(error, EgressError::Address), "{host}: {error:?}");
        listener.assert_untouched(&text);
    }
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_refused_at_the_moment_of_connecting() {
    let listener = Silent::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let answers: [&[&str]; 3] = [
        &["127.0.0.1:0"],
        &["93.184.215.14:0", "127.0.0.1:0"],
        &["[::ffff:127.0.0.1]:0"],
    ];
    let lookup: Lookup = Arc::new(move |_| {
        let turn = counter.fetch_add(1, Ordering::Relaxed);
        let addresses = answers[turn % answers.len()]
            .iter()
            .map(|a| a.parse().unwrap())
            .collect();
        Box::pin(async move { Ok(addresses) })
    });
    let egress = egress_for_port(listener.port(), lookup);
    let text = format!("https://rebind.example:{}/", listener.port());
    for turn in 1..=answers.len() {
        let error = egress.send(get(&text)).await.unwrap_err();
        assert!(matches!(error, EgressError::Address), "{error:?}");
        listener.assert_untouched(&text);
        assert_eq!(
            asked.load(Ordering::Relaxed),
            turn,
            "every use resolves anew"
        );
    }
}

#[test]
fn the_url_alone_breaks_these_rules() {
    let egress = Egress::new(EgressPolicy::default()).unwrap();
    let check = |url: &str| egress.check(&Url::parse(url).unwrap());
    for url in [
        "https://example.com/",
        "https://example.com:8443/x",
        "https://1.1.1.1/",
    ] {
        check(url).unwrap();
    }
    assert!(matches!(
        check("http://example.com/"),
        Err(EgressError::Scheme)
    ));
    assert!(matches!(
        check("http://127.0.0.1/"),
        Err(EgressError::Scheme)
    ));
    assert!(matches!(
        check("ftp://example.com/"),
        Err(EgressError::Scheme)
    ));
    assert!(matches!(
        check("https://example.com:22/"),
        Err(EgressError::Port(22))
    ));
    assert!(matches!(
        check("https://u@example.com/"),
        Err(EgressError::Credentials)
    ));
    assert!(matches!(
        check("https://:p@example.com/"),
        Err(EgressError::Credentials)
    ));
    assert!(matches!(check("file:///etc/passwd"), Err(EgressError::Url)));
    assert!(matches!(check("data:,x"), Err(EgressError::Url)));
}

#[test]
fn the_allow_list_is_exact() {
    let allow = vec![
        "127.0.0.1:7100".parse().unwrap(),
        "auth.internal:80".parse().unwrap(),
    ];
    let egress = Egress::new(EgressPolicy {
        allow,
        ..EgressPolicy::default()
    })
    .unwrap();
    let passes = |url: &str| egress.check(&Url::parse(url).unwrap()).is_ok();
    for (url, expected) in [
        ("http://127.0.0.1:7100/t/acme", true),
        ("https://127.0.0.1:7100/", true),
        ("http://127.1:7100/", true), // the same address, written otherwise
        ("http://AUTH.internal/", true),
        ("http://127.0.0.1:7101/", false),
        ("http://127.0.0.2:7100/", false),
        ("http://localhost:7100/", false),
        ("http://auth.internal:81/", false),
        ("ftp://127.0.0.1:7100/", false),
    ] {
        assert_eq!(passes(url), expected, "{url}");
    }
}

#[test]
fn host_and_port_parse() {
    for text in ["127.0.0.1:7100", "[::1]:7100", "auth.internal:443"] {
        assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
    }
    for text in [
        "", "host", "host:", ":80", "host:port", "host:99999", "a b:80",
    ] {
        assert!(text.parse::<HostPort>().is_err(), "{text:?}");
    }
}

/// Answers each connection with `answer`, keeps it open, and reports what it was asked.
fn serve(answer: Vec<u8>) -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept() {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let _ = sender.send(String::from_utf8_lossy(&request[..length]).into_owned());
            let _ = stream.write_all(&answer);
            open.push(stream);
        }
    });
    (address, asked)
}

fn egress_to(address: SocketAddr) -> Egress {
    let policy = EgressPolicy {
        allow: vec![address.to_string().parse().unwrap()],
        body_limit: 10,
        deadline: Duration::from_millis(300),
    };
    Egress::new(policy).unwrap()
}

#[tokio::test]
async fn an_answer_comes_back_whole_and_the_request_carries_nothing_of_ours() {
    let (address, asked) =
        serve(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\nx-a: b\r\n\r\n0123456789".into());
    let request = http::Request::post(format!("http://{address}/token"))
        .header("cookie", "session=secret")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(b"a=b".to_vec())
        .unwrap();
    let answer = egress_to(address).send(request).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.body().as_slice()),
        (200, &b"0123456789"[..])
    );
    assert_eq!(answer.headers()["x-a"], "b");
    let again = get(&format!("http://{address}/"));
    let cut = egress_to(address).with_body_limit(9).send(again).await;
    assert!(matches!(cut, Err(EgressError::BodyTooLarge(9))), "{cut:?}");
    let asked = asked.recv().unwrap().to_lowercase();
    assert!(asked.starts_with("post /token http/1.1"), "{asked}");
    for absent in ["cookie", "accept-encoding", "referer", "authorization"] {
        assert!(!asked.contains(absent), "{asked}");
    }
}

#[tokio::test]
async fn a_redirect_is_returned_not_followed() {
    let listener = Silent::new();
    let target = format!("http://127.0.0.1:{}/", listener.port());
    let answer = format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
    let (address, _) = serve(answer.into_bytes());
    let answer = egress_to(address)
        .send(get(&format!("http://{address}/")))
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 302);
    listener.assert_untouched(&target);
}

#[tokio::test]
async fn long_and_slow_answers_are_cut() {
    let announced = b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n".to_vec();
    let streamed =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nb\r\n01234567890\r\n".to_vec();
    for answer in [announced, streamed] {
        let (address, _) = serve(answer);
        let error = egress_to(address)
            .send(get(&format!("http://{address}/")))
            .await
            .unwrap_err();
        assert!(matches!(error, EgressError::BodyTooLarge(10)), "{error:?}");
    }
    let drip = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0".to_vec();
    for answer in [drip, Vec::new()] {
        let (address, _) = serve(answer);
        let error = egress_to(address)
            .send(get(&format!("http://{address}/")))
            .await
            .unwrap_err();
        assert!(matches!(error, EgressError::TimedOut), "{error:?}");
    }
}

#[tokio::test]
async fn an_error_does_not_repeat_the_url() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{closed}/hook?token=s3cret");
    let error = egress_to(closed).send(get(&url)).await.unwrap_err();
    assert!(matches!(error, EgressError::Connection(_)), "{error:?}");
    assert!(
        !format!("{error} {error:?}").contains("s3cret"),
        "{error:?}"
    );
}
