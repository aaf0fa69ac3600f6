//! Every page: headers, markup that people need, and no way to smuggle markup in.

use contract::{release::ReleaseContent, tenant::TenantStatus};
use reqwest::Method;

use crate::{
    browser::{Browser, Page},
    house::{App, EMAIL, House},
};

fn check(page: &Page, what: &str) {
    let header = |name: &str| {
        page.header(name)
            .unwrap_or_else(|| panic!("{what} lacks {name}"))
    };
    assert_eq!(header("content-type"), "text/html; charset=utf-8", "{what}");
    let csp = header("content-security-policy");
    for part in [
        "default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'",
        "form-action 'self'",
    ] {
        assert!(csp.contains(part), "{what}: {csp}");
    }
    assert!(!csp.contains("unsafe") && !csp.contains('*') && !csp.contains("script-src"));
    assert_eq!(header("x-frame-options"), "DENY");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("cross-origin-opener-policy"), "same-origin");
    let id = header("x-request-id");
    assert_eq!(
        page.body.contains(id),
        page.status >= 400 && !page.body.contains("<form"),
        "{what}: error pages show their request id, other pages are spared it"
    );
    assert!(page.body.contains("<link rel=\"icon\""), "{what}");
    assert!(
        page.body.starts_with("<!doctype html>\n<html lang=\"en\">"),
        "{what}"
    );
    assert!(
        page.body.contains("<title>") && page.body.contains("<h1>"),
        "{what}"
    );
    assert!(
        !page.body.contains("<script") && !page.body.contains("style=\""),
        "{what}"
    );
    assert!(
        !page.body.contains("onload") && !page.body.contains("onclick"),
        "{what}"
    );
}

/// Opens every page there is.
async fn crawl(house: &House) -> Vec<(String, Page)> {
    let mut pages = Vec::new();
    let mut browser = house.browser("acme");
    for path in [
        "", "login", "register", "register/sent", "verify?token=x", "verify", "invite?token=x",
        "invite", "consent", "signed-out", "oauth2/logout", "oauth2/authorize", "nothing/here",
        "login?flow=x", "oauth2/jwks/x",
    ] {
        let page = browser.get(path).await;
        if page.status != 303 {
            pages.push((path.to_owned(), page));
        }
    }
    for path in [
        "/", "/nothing", "/t/unknown/login", "/t/", "/t/acme/assets/x", "/assets/unknown.css",
    ] {
        pages.push((
            path.to_owned(),
            Browser::new(&house.origin, "").get(path).await,
        ));
    }
    let asked = browser.authorize(App::Shop, &[]).await;
    let login = browser.get(asked.location()).await;
    let failed = browser
        .submit(&login, &[("identifier", "x@y.example"), ("password", "no")])
        .await;
    let forged = browser.post("login", &[]).await;
    let signed_in = browser.sign_in_at(&asked).await;
    let consent = browser.get(signed_in.location()).await;
    let account = browser.get("").await;
    let logout = browser.get("oauth2/logout").await;
    let native = browser.authorize(App::Native, &[]).await;
    let native = browser.get(native.location()).await;
    let handoff = browser.submit(&native, &[("decision", "allow")]).await;
    for (what, page) in [
        ("login", login),
        ("failed", failed),
        ("forged", forged),
        ("consent", consent),
        ("account", account),
        ("logout", logout),
        ("handoff", handoff),
    ] {
        pages.push((what.to_owned(), page));
    }
    pages
}

#[tokio::test]
async fn every_page_r_hdr_01_r_hdr_02_r_hdr_03() {
    let house = House::open().await;
    let pages = crawl(&house).await;
    assert!(pages.len() > 20);
    for (what, page) in &pages {
        check(page, what);
        let failed = page.status >= 400;
        assert_eq!(
            page.body.contains("<title>Error:"),
            failed,
            "{what} {}",
            page.status
        );
    }
}

#[tokio::test]
async fn every_answer_to_a_program_r_hdr_01_r_hdr_03() {
    let mut house = House::open().await;
    let globex = house.content(2, "globex");
    house.publish(globex, TenantStatus::Suspended).await;
    let spa = ("origin", "https://spa.example");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let preflight = ("access-control-request-method", "POST");
    let mut browser = Browser::new(&house.origin, "");
    browser.extra = vec![];
    for (method, path, headers, status) in [
        (Method::GET, "/t/acme/oauth2/jwks", &[][..], 200),
        (
            Method::GET,
            "/t/acme/.well-known/openid-configuration",
            &[],
            200,
        ),
        (Method::GET, "/t/acme/oauth2/userinfo", &[], 401),
        (Method::POST, "/t/acme/oauth2/token", &[form], 401),
        (Method::POST, "/t/acme/oauth2/token", &[], 400),
        (Method::PUT, "/t/acme/oauth2/token", &[], 405),
        (
            Method::OPTIONS,
            "/t/acme/oauth2/token",
            &[spa, preflight],
            204,
        ),
        (Method::GET, "/t/acme/nothing", &[], 404),
        (Method::GET, "/t/unknown/oauth2/jwks", &[], 404),
        (
            Method::GET,
            "/t/unknown/.well-known/openid-configuration",
            &[],
            404,
        ),
        (Method::POST, "/t/unknown/oauth2/token", &[form], 404),
        (
            Method::OPTIONS,
            "/t/unknown/oauth2/token",
            &[spa, preflight],
            404,
        ),
        (Method::GET, "/oauth2/userinfo", &[], 404),
        (Method::GET, "/t/globex/oauth2/jwks", &[spa], 503),
        (Method::POST, "/t/globex/oauth2/token", &[spa, form], 503),
        (Method::GET, "/t/globex/login", &[], 503),
        (Method::GET, "/assets/unknown.css", &[], 404),
    ] {
        let page = browser.send(method.clone(), path, headers, None).await;
        assert_eq!(page.status, status, "{method} {path}: {}", page.body);
        for (name, value) in host::headers::ALWAYS {
            let sent = page.header(name);
            let cached = name == "Cache-Control" && status == 200;
            assert!(
                cached || sent == Some(value),
                "{method} {path} {name}: {sent:?}"
            );
        }
        assert!(page.header("x-request-id").is_some(), "{method} {path}");
        let readable = page.header("access-control-allow-origin");
        let asked_by_ours = headers.contains(&spa) && !path.contains("unknown");
        assert_eq!(readable.is_some(), asked_by_ours, "{method} {path}");
    }
}

#[tokio::test]
async fn the_front_page_is_called_what_it_is() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let title = |page: &Page| {
        let rest = page.body.split_once("<title>").unwrap().1;
        rest.split_once(" · ").unwrap().0.to_owned()
    };
    for path in ["", "/t/acme"] {
        assert_eq!(title(&browser.get(path).await), "Not signed in", "{path}");
    }
    browser.sign_in().await;
    for path in ["", "/t/acme"] {
        assert_eq!(title(&browser.get(path).await), "Your account", "{path}");
    }
}

#[tokio::test]
async fn programs_get_json_where_people_get_a_page() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    browser.extra = vec![("accept", "application/json".to_owned())];
    for path in ["nothing", "/nothing", "/t/unknown/oauth2/jwks"] {
        let page = browser.get(path).await;
        assert_eq!(
            (page.status, page.error()),
            (404, "not_found".into()),
            "{path}"
        );
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever() {
    let house = House::open().await;
    let mut browser = house.browser("acme");
    let login = browser.get("login").await;
    let start = login.body.find("/assets/hosted.").unwrap();
    let url = login.body[start..].split('"').next().unwrap().to_owned();
    let css = browser.get(&url).await;
    assert_eq!(css.status, 200);
    assert_eq!(
        css.header("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    assert!(css.header("content-type").unwrap().starts_with("text/css"));
}

#[tokio::test]
async fn markup_in_names_is_text_r_inj_02() {
    const CORPUS: [&str; 6] = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'-alert(1)-'",
        "{{7*7}}${7*7}",
        "</title><svg/onload=alert(1)>",
        "javascript:alert(1)",
    ];
    let mut house = House::open().await;
    for text in CORPUS {
        let mut acme: ReleaseContent = house.content(1, "acme");
        acme.tenant.name = text.parse().unwrap();
        acme.applications[0].name = text.into();
        acme.apis[0].scopes[0].description = text.into();
        house.publish(acme, TenantStatus::Active).await;
        let mut browser = house.browser("acme");
        let asked = browser
            .authorize(
                App::Shop,
                &[("scope", "openid orders:read"), ("login_hint", text)],
            )
            .await;
        let login = browser.get(asked.location()).await;
        let failed = browser
            .submit(&login, &[("identifier", text), ("password", "no")])
            .await;
        let signed_in = browser.sign_in_at(&asked).await;
        let consent = browser.get(signed_in.location()).await;
        assert!(consent.body.contains(EMAIL));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", text)
            .finish();
        let verify = browser.get(&format!("verify?{query}")).await;
        for page in [login, failed, consent, verify] {
            let is_markup = text.contains(['<', '"', '\'']);
            assert!(!is_markup || !page.body.contains(text), "{}", page.body);
            assert!(
                decoded(&page.body).contains(text),
                "{text} was not shown at all: {}",
                page.body
            );
            for attribute in ["href", "src", "action"] {
                assert!(!page.body.contains(&format!("{attribute}=\"javascript")));
            }
            assert!(
                !page.body.contains("49$"),
                "templates are not evaluated twice"
            );
        }
    }
}

/// A page's text as a browser reads it.
fn decoded(body: &str) -> String {
    [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ]
    .into_iter()
    .fold(body.to_owned(), |text, (entity, character)| {
        text.replace(entity, character)
    })
}
