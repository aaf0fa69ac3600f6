//! The tenant endpoints: OAuth 2.x and OpenID Connect for programs, hosted pages for people.
//!
//! Every endpoint exists twice by one list of routes: below `/t/{tenant}` on the shared host and at the
//! root of a tenant's own host. `tenant::Tenant` decides which tenant a request is for, once. Rules
//! are pure functions in files of their own (`params`, `pkce`, `request`, `client`, `step`, `redirect`,
//! …) with tables beside them; handlers extract, call, convert and return.
//!
//! This module must never write personal data, codes, tokens or cookies to a log, never trust a
//! forwarding header (but for the caller's address, from a listed proxy), and never redirect to an address it has not compared with a registered one.

mod account;
mod asking;
mod assets;
mod authorize;
mod claims;
mod client;
mod client_auth;
mod client_ip;
mod consent;
mod consents;
mod contained;
mod cookies;
mod cors;
mod csp;
mod csrf;
mod error;
mod fault;
mod flow;
mod form;
mod guard;
mod invite;
mod login;
mod logout;
mod metadata;
mod pages;
mod params;
mod pkce;
mod redirect;
mod register;
mod request;
mod respond;
mod scope_words;
mod served;
mod step;
mod target;
mod tenant;
mod token;
mod trust;
mod userinfo;
mod verify;
mod visit;

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, Resource,
    dev::Payload,
    http::{StatusCode, header},
    middleware::from_fn,
    web::{self, Data, ServiceConfig},
};

pub use self::{
    client_ip::{NoNetwork, TrustedProxies},
    guard::refuse_oversized,
};
use self::{fault::Fault, tenant::Tenant};
use crate::Node;

/// Adds the tenant endpoints of `node` to an application. They answer every path that no earlier service
/// took, so operational routes are registered first.
pub fn configure(cfg: &mut ServiceConfig, node: &Node) {
    cfg.service(
        web::scope("")
            .app_data(Data::new(node.clone()))
            .wrap(from_fn(guard::protect))
            .service(
                resource(&format!("{}{{path}}", ui_assets::BASE), "GET")
                    .route(web::get().to(assets::get)),
            )
            // RFC 8414 §3.1 inserts the well-known part before an issuer's path; many clients of OpenID
            // Connect do the same.
            .service(metadata_at("/.well-known/oauth-authorization-server/t/{tenant}"))
            .service(metadata_at("/.well-known/openid-configuration/t/{tenant}"))
            .service(web::scope("/t/{tenant}").configure(endpoints).default_service(web::to(not_found)))
            .configure(endpoints)
            .default_service(web::to(not_found)),
    );
}

/// Every endpoint of one tenant.
fn endpoints(cfg: &mut ServiceConfig) {
    programs(cfg);
    flow_pages(cfg);
    account_pages(cfg);
}

/// What clients call.
fn programs(cfg: &mut ServiceConfig) {
    let across_origins = || from_fn(cors::allow);
    let jwks = resource("/oauth2/jwks", "GET").route(web::get().to(metadata::jwks));
    let token = resource("/oauth2/token", "POST").route(web::post().to(token::post));
    let userinfo = resource("/oauth2/userinfo", "GET, POST")
        .route(web::get().to(userinfo::show))
        .route(web::post().to(userinfo::show));
    cfg.service(metadata_at("/.well-known/openid-configuration"))
        .service(metadata_at("/.well-known/oauth-authorization-server"))
        .service(jwks.wrap(across_origins()))
        .service(token.wrap(across_origins()))
        .service(userinfo.wrap(across_origins()));
}

/// What a browser passes on its way to a client and back.
fn flow_pages(cfg: &mut ServiceConfig) {
    let page = |path| resource(path, "GET, POST");
    cfg.service(
        page("/oauth2/authorize")
            .route(web::get().to(authorize::get))
            .route(web::post().to(authorize::post)),
    )
    .service(
        page("/login")
            .route(web::get().to(login::get))
            .route(web::post().to(login::post)),
    )
    .service(
        page("/register")
            .route(web::get().to(register::get))
            .route(web::post().to(register::post)),
    )
    .service(
        page("/consent")
            .route(web::get().to(consent::get))
            .route(web::post().to(consent::post)),
    )
    .service(
        page("/oauth2/logout")
            .route(web::get().to(logout::get))
            .route(web::post().to(logout::post)),
    );
}

/// What a person opens alone: the front page, and links from mails.
fn account_pages(cfg: &mut ServiceConfig) {
    let page = |path| resource(path, "GET, POST");
    let only_get = |path, route| resource(path, "GET").route(route);
    cfg.service(
        page("/verify")
            .route(web::get().to(verify::get))
            .route(web::post().to(verify::post)),
    )
    .service(
        page("/invite")
            .route(web::get().to(invite::get))
            .route(web::post().to(invite::post)),
    )
    .service(
        page("/consents")
            .route(web::get().to(consents::get))
            .route(web::post().to(consents::post)),
    )
    .service(only_get("/register/sent", web::get().to(register::sent)))
    .service(only_get("/signed-out", web::get().to(logout::done)))
    .service(resource("/logout", "POST").route(web::post().to(logout::confirm)))
    .service(only_get("/", web::get().to(account::get)))
    .service(only_get("", web::get().to(account::get)));
}

fn metadata_at(path: &str) -> impl actix_web::dev::HttpServiceFactory + 'static {
    resource(path, "GET")
        .route(web::get().to(metadata::discovery))
        .wrap(from_fn(cors::allow))
}

/// A resource that says which methods it has when asked with another (RFC 9110 §15.5.6).
fn resource(path: &str, allow: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move |request: HttpRequest| async move {
        method_not_allowed(&request, allow)
    }))
}

fn method_not_allowed(request: &HttpRequest, allow: &'static str) -> HttpResponse {
    const FAULT: Fault = Fault::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This address works differently",
        "It does not answer this kind of request.",
    );
    let mut response = FAULT.negotiate(request, Tenant::of(request).as_ref());
    response
        .headers_mut()
        .insert(header::ALLOW, header::HeaderValue::from_static(allow));
    response
}

/// Everything else: a page in the tenant's dress, where there is a tenant.
async fn not_found(request: HttpRequest) -> HttpResponse {
    let tenant = Tenant::from_request(&request, &mut Payload::None).await;
    Fault::NOT_FOUND.negotiate(&request, tenant.ok().as_ref())
}
