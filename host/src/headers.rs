//! The response headers every answer of ours carries.
//!
//! They are added to what a handler did not set itself, so a page may state its own caching or framing
//! and no page can forget them (OWASP Secure Headers; ASVS 3.4). The content security policy is not
//! here: it depends on what the page loads and where its forms go.

use actix_web::{http::header, middleware::DefaultHeaders};

/// The headers that every answer carries, however it is reached.
///
/// For an answer that leaves as an error, past the middleware, and brings its own.
pub const ALWAYS: [(&str, &str); 7] = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    (
        "Permissions-Policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Middleware that adds the common security headers. `https` says whether browsers reach this listener
/// by https (possibly through a proxy); only then is HSTS honest.
///
/// The default `Cache-Control` is `no-store`: an answer is private until its handler says otherwise.
/// The default opener policy cuts the tie to a window that opened us; a page meant for a popup sets its
/// own `Cross-Origin-Opener-Policy`.
pub fn security_headers(https: bool) -> DefaultHeaders {
    let headers = ALWAYS
        .into_iter()
        .fold(DefaultHeaders::new(), DefaultHeaders::add);
    if https {
        // Two years. Without includeSubDomains: the names below ours may belong to someone else.
        headers.add((header::STRICT_TRANSPORT_SECURITY, "max-age=63072000"))
    } else {
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{App, HttpResponse, test, web};

    async fn get(https: bool, path: &str) -> header::HeaderMap {
        let app = App::new()
            .wrap(security_headers(https))
            .route("/page", web::get().to(HttpResponse::Ok))
            .route(
                "/asset",
                web::get().to(|| async {
                    HttpResponse::Ok()
                        .insert_header((header::CACHE_CONTROL, "max-age=1"))
                        .finish()
                }),
            );
        let app = test::init_service(app).await;
        let request = test::TestRequest::get().uri(path).to_request();
        test::call_service(&app, request).await.headers().clone()
    }

    #[actix_web::test]
    async fn every_answer_carries_them_even_not_found() {
        for path in ["/page", "/asset", "/nowhere"] {
            let headers = get(true, path).await;
            for name in [
                "x-content-type-options",
                "referrer-policy",
                "x-frame-options",
                "cross-origin-opener-policy",
                "permissions-policy",
                "strict-transport-security",
                "cache-control",
            ] {
                assert!(headers.contains_key(name), "{path} lacks {name}");
            }
        }
    }

    #[actix_web::test]
    async fn a_handler_may_decide_caching_and_plain_http_promises_nothing() {
        for (path, caching) in [("/asset", "max-age=1"), ("/page", "no-store")] {
            let headers = get(false, path).await;
            assert_eq!(
                headers.get(header::CACHE_CONTROL).unwrap(),
                caching,
                "{path}"
            );
        }
        assert!(
            !get(false, "/page")
                .await
                .contains_key(header::STRICT_TRANSPORT_SECURITY)
        );
    }
}
