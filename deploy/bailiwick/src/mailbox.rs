//! `GET /mailbox`: reads the mail of an installation that has no mail server.
//!
//! Invitations must be readable on a first evening with the product, before anyone configures SMTP. The
//! page shows one-time links, so it answers only callers on this machine who also asked for it by a
//! loopback name: a web page elsewhere that points its own name at 127.0.0.1 gets the 404 of a page
//! that does not exist. It has no script, sends nothing and keeps nothing.

use actix_web::{
    HttpResponse,
    guard::{self, GuardContext},
    http::header::{self, ContentType},
    web::{self, ServiceConfig},
};
use askama::Template;
use data_plane::{
    http::TrustedProxies,
    mailer::{Delivered, Mailbox},
};
use url::Url;

const CSP: &str = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Mounts the page for `mailbox`.
pub fn routes(mailbox: Mailbox) -> impl Fn(&mut ServiceConfig) + Clone {
    move |config| {
        let mailbox = mailbox.clone();
        config.service(
            web::resource("/mailbox")
                .guard(guard::fn_guard(asked_from_this_machine))
                .route(web::get().to(move || {
                    let page = page(&mailbox.messages());
                    async move { page }
                })),
        );
    }
}

fn page(messages: &[Delivered]) -> HttpResponse {
    match Page::new(messages).render() {
        Ok(html) => HttpResponse::Ok()
            .content_type(ContentType::html())
            .insert_header((header::CONTENT_SECURITY_POLICY, CSP))
            .body(html),
        Err(error) => {
            tracing::error!(%error, "the mailbox page cannot be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// Whether the caller is this machine and the address bar says so too (against DNS rebinding). Behind a listed
/// proxy the caller is whom the proxy names: the proxy itself may well be on this machine.
fn asked_from_this_machine(context: &GuardContext<'_>) -> bool {
    let near = context.head().peer_addr.is_some_and(|peer| {
        let peer = peer.ip().to_canonical();
        let caller = match context.app_data::<TrustedProxies>() {
            Some(proxies) => proxies.client(peer, context.head().headers()),
            None => peer,
        };
        caller.is_loopback()
    });
    // HTTP/2 carries the authority in the target, HTTP/1.1 in a header.
    let named = match context.head().uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => context
            .head()
            .headers()
            .get(header::HOST)
            .and_then(|host| host.to_str().ok()),
    };
    near && named
        .and_then(|host| Url::parse(&format!("http://{host}/")).ok())
        .is_some_and(|url| contract::redirect_uri::is_loopback(&url))
}

#[derive(Template)]
#[template(path = "mailbox.html")]
struct Page {
    css: &'static str,
    font: &'static str,
    favicon: &'static str,
    mail_icon: String,
    letters: Vec<Letter>,
}

struct Letter {
    to: String,
    subject: String,
    at: String,
    at_iso: String,
    lines: Vec<Vec<Part>>,
}

/// A piece of a line of text.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// As it is.
    Text(String),
    /// An address to open.
    Link(String),
}

impl Page {
    fn new(messages: &[Delivered]) -> Self {
        Self {
            css: ui_assets::hosted_css_url(),
            font: ui_assets::font_url(),
            favicon: ui_assets::favicon_url(),
            mail_icon: ui_assets::icon_href("mail"),
            letters: messages.iter().map(Letter::new).collect(),
        }
    }
}

impl Letter {
    fn new(delivered: &Delivered) -> Self {
        let Delivered { mail, at } = delivered;
        Self {
            to: mail.to().to_owned(),
            subject: mail.subject().to_owned(),
            at: at.format("%H:%M:%S UTC").to_string(),
            at_iso: at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            lines: mail
                .text()
                .lines()
                .filter(|line| !line.trim().is_empty())
                .map(parts)
                .collect(),
        }
    }
}

/// Splits a line at its addresses. Only http and https become links.
fn parts(line: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = line;
    while let Some(start) = ["http://", "https://"]
        .iter()
        .filter_map(|scheme| rest.find(scheme))
        .min()
    {
        let (text, from) = rest.split_at(start);
        let end = from
            .find(|c: char| c.is_whitespace() || "<>\"'()".contains(c))
            .unwrap_or(from.len());
        let link = from[..end].trim_end_matches(['.', ',', ';', ':']);
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        parts.push(Part::Link(link.to_owned()));
        rest = &from[link.len()..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    parts
}

#[cfg(test)]
mod tests {
    use actix_web::{App, test};
    use data_plane::mailer::{Mail, Mailer};
    use host::Clock;

    use super::*;

    #[::core::prelude::v1::test]
    fn addresses_become_links_and_nothing_else_does() {
        let link = |url: &str| Part::Link(url.into());
        let text = |text: &str| Part::Text(text.into());
        assert_eq!(
            parts("Open https://a.example/x?t=1. Or (http://b.example)!"),
            [
                text("Open "),
                link("https://a.example/x?t=1"),
                text(". Or ("),
                link("http://b.example"),
                text(")!"),
            ]
        );
        assert_eq!(parts("javascript:alert(1)"), [text("javascript:alert(1)")]);
    }

    async fn get(peer: &str, host: &str) -> (u16, String) {
        get_through(&[], None, (peer, host)).await
    }

    /// Asks a listener that believes these proxies, with an `X-Forwarded-For`.
    async fn get_through(
        proxies: &[&str],
        forwarded: Option<&str>,
        (peer, host): (&str, &str),
    ) -> (u16, String) {
        let proxies: Vec<String> = proxies.iter().map(ToString::to_string).collect();
        let proxies = TrustedProxies::try_from(proxies).unwrap();
        let mailbox = Mailbox::new(Clock::system());
        let body = "Welcome <b>\n\nhttp://127.0.0.1:7100/t/platform/invite?token=x\n";
        let mail = Mail::new("ann@acme.example", "Come in", body.into()).unwrap();
        mailbox.send(mail).await.unwrap();
        let app = App::new().app_data(proxies).configure(routes(mailbox));
        let app = test::init_service(app).await;
        let mut request = test::TestRequest::get()
            .uri("/mailbox")
            .peer_addr(peer.parse().unwrap())
            .insert_header((header::HOST, host));
        if let Some(forwarded) = forwarded {
            request = request.insert_header(("x-forwarded-for", forwarded));
        }
        let response = test::call_service(&app, request.to_request()).await;
        let status = response.status().as_u16();
        let body = test::read_body(response).await;
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[actix_web::test]
    async fn it_shows_mail_escaped_with_links() {
        let (status, html) = get("127.0.0.1:5", "127.0.0.1:7000").await;
        assert_eq!(status, 200);
        assert!(html.contains("Come in") && html.contains("ann@acme.example"));
        assert!(
            html.contains(r#"href="http://127.0.0.1:7100/t/platform/invite?token=x""#),
            "{html}"
        );
        assert!(!html.contains("<b>") && !html.contains("<script"), "{html}");
    }

    #[actix_web::test]
    async fn it_does_not_exist_for_anyone_else() {
        for (peer, host) in [
            ("192.0.2.7:5", "127.0.0.1:7000"),
            ("127.0.0.1:5", "rebound.example:7000"),
            ("127.0.0.1:5", "console.example"),
        ] {
            assert_eq!(get(peer, host).await.0, 404, "{peer} {host}");
        }
        for (peer, host) in [("[::1]:5", "[::1]:7000"), ("127.0.0.1:5", "localhost:7000")] {
            assert_eq!(get(peer, host).await.0, 200, "{peer} {host}");
        }
    }

    #[actix_web::test]
    async fn a_proxy_on_this_machine_is_not_its_caller() {
        let here = ("127.0.0.1:5", "localhost:7000");
        for (proxies, forwarded, expected) in [
            (&["127.0.0.1"][..], Some("192.0.2.7"), 404),
            (&["127.0.0.1"], Some("127.0.0.1, 192.0.2.7"), 404),
            (&["127.0.0.1"], Some("::1"), 200),
            (&["127.0.0.1"], None, 200),
            // Who is not listed is believed nothing, for better or worse.
            (&[], Some("192.0.2.7"), 200),
        ] {
            let (status, _) = get_through(proxies, forwarded, here).await;
            assert_eq!(status, expected, "{proxies:?} {forwarded:?}");
        }
    }
}
