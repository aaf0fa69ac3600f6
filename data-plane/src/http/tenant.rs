//! Whose request is this: decided once, before anything else (R-TEN-06).
//!
//! A tenant has exactly one address, its issuer. A tenant with its own host is found by the host; all
//! others by the path `/t/{slug}` on the shared host. A request that names a tenant in another way (its
//! path on a foreign host, an unknown host, the shared host for a tenant that has its own) is answered as
//! if nothing were there: serving it would make the issuer in the answer a lie (R-DISC-01).
//!
//! Forwarding headers are never read for it: behind a proxy, the proxy passes `Host` on.

use std::{
    future::{Ready, ready},
    ops::Deref,
    sync::Arc,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest, dev::Payload, error::InternalError, http::header, web,
};
use contract::tenant::Slug;
use futures::{
    FutureExt,
    future::{Either, LocalBoxFuture},
};

use super::{fault::Fault, served};
use crate::{Node, releases::TenantRuntime};

/// Where a tenant's endpoints are, as far as cookies and links need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whether browsers arrive by https.
    pub https: bool,
    /// The slug, if the tenant lives under a path of a shared host.
    pub slug_in_path: Option<Slug>,
}

impl Place {
    /// The address of one of the tenant's pages, without scheme and host: `/t/acme/login` or `/login`.
    pub fn path(&self, page: &str) -> String {
        match &self.slug_in_path {
            Some(slug) => format!("/t/{slug}/{page}"),
            None => format!("/{page}"),
        }
    }
}

/// The tenant a request belongs to, and the node that answers for it.
#[derive(Clone)]
pub struct Tenant {
    runtime: Arc<TenantRuntime>,
    node: Node,
    place: Place,
}

impl Tenant {
    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Where the tenant's endpoints are.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The tenant's origin, `scheme://host[:port]`.
    pub fn origin(&self) -> &str {
        origin_of(self.runtime.issuer())
    }

    /// The tenant that an earlier extractor or middleware found.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        request.extensions().get::<Self>().cloned()
    }
}

impl Deref for Tenant {
    type Target = TenantRuntime;
    fn deref(&self) -> &TenantRuntime {
        &self.runtime
    }
}

impl FromRequest for Tenant {
    type Error = actix_web::Error;
    type Future = Either<
        Ready<Result<Self, Self::Error>>,
        LocalBoxFuture<'static, Result<Self, Self::Error>>,
    >;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        match find(request) {
            Ok(tenant) if tenant.is_warm() => Either::Left(ready(Ok(tenant))),
            Ok(tenant) => Either::Right(warm(request.clone(), tenant).boxed_local()),
            Err(fault) => Either::Left(ready(Err(refusal(request, fault)))),
        }
    }
}

/// The first request of a tenant waits until its keys are read.
async fn warm(request: HttpRequest, tenant: Tenant) -> Result<Tenant, actix_web::Error> {
    match tenant.warm().await {
        Ok(()) => Ok(tenant),
        Err(error) => {
            tracing::error!(tenant = %tenant.id(), %error, "a tenant's signing keys cannot be read");
            Err(refusal(&request, Fault::UNAVAILABLE))
        }
    }
}

fn refusal(request: &HttpRequest, fault: Fault) -> actix_web::Error {
    let tenant = Tenant::of(request);
    InternalError::from_response(fault.title, fault.negotiate(request, tenant.as_ref())).into()
}

/// Finds the tenant of a request.
fn find(request: &HttpRequest) -> Result<Tenant, Fault> {
    if let Some(tenant) = Tenant::of(request) {
        return if tenant.is_active() {
            Ok(tenant)
        } else {
            Err(Fault::SUSPENDED)
        };
    }
    let node = request
        .app_data::<web::Data<Node>>()
        .expect("http::configure registers the node");
    if node.is_out_of_service() {
        return Err(Fault::OUT_OF_SERVICE);
    }
    let authority = authority(request)?;
    let runtime = match request.match_info().get("tenant") {
        Some(slug) => node
            .tenant_by_slug(slug)
            .filter(|tenant| tenant.profile().host.is_none()),
        None => node.tenant_by_host(&host_name(&authority)),
    };
    let runtime = runtime
        .filter(|tenant| is_at(tenant.issuer(), &authority))
        .ok_or(Fault::NOT_FOUND)?;
    host::record_tenant(request, runtime.slug().as_str());
    served::found(&runtime);
    let tenant = Tenant {
        place: Place {
            https: runtime.issuer().starts_with("https://"),
            slug_in_path: runtime
                .profile()
                .host
                .is_none()
                .then(|| runtime.slug().clone()),
        },
        node: node.get_ref().clone(),
        runtime,
    };
    request.extensions_mut().insert(tenant.clone());
    if tenant.is_active() {
        Ok(tenant)
    } else {
        Err(Fault::SUSPENDED)
    }
}

/// The authority the caller addressed. HTTP/2 and absolute-form targets carry it in the URI; if a `Host`
/// header is there as well it must say the same, and there must not be two (RFC 9112 §3.2).
fn authority(request: &HttpRequest) -> Result<String, Fault> {
    let refuse = Fault::bad_request("The request does not say clearly which host it is for.");
    let mut hosts = request.headers().get_all(header::HOST);
    let (first, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(refuse);
    }
    let header = first
        .map(|value| value.to_str().map_err(|_| refuse))
        .transpose()?;
    let target = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    match (target, header) {
        (Some(target), Some(header)) if !target.eq_ignore_ascii_case(header) => Err(refuse),
        (Some(one), _) | (None, Some(one)) => Ok(one.to_owned()),
        (None, None) => Err(refuse),
    }
}

/// The host of an authority: lower case, without port.
fn host_name(authority: &str) -> String {
    let bare = match authority.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|b| b.is_ascii_digit()) => bare,
        _ => authority,
    };
    bare.to_ascii_lowercase()
}

/// `scheme://host[:port]` of an issuer.
fn origin_of(issuer: &str) -> &str {
    let start = issuer.find("://").map_or(0, |position| position + 3);
    let end = issuer[start..]
        .find('/')
        .map_or(issuer.len(), |position| start + position);
    &issuer[..end]
}

/// Whether `authority` is the one of `issuer`; the scheme's default port may be written out.
fn is_at(issuer: &str, authority: &str) -> bool {
    let origin = origin_of(issuer);
    let (default_port, ours) = match origin.strip_prefix("https://") {
        Some(rest) => (":443", rest),
        None => (":80", origin.strip_prefix("http://").unwrap_or(origin)),
    };
    let bare = |text: &str| {
        text.strip_suffix(default_port)
            .unwrap_or(text)
            .to_ascii_lowercase()
    };
    bare(authority) == bare(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_per_tenant_r_ten_06_r_disc_01() {
        let path = "http://127.0.0.1:7100/t/acme";
        let host = "https://login.acme.example";
        for (issuer, authority, same) in [
            (path, "127.0.0.1:7100", true),
            (path, "127.0.0.1:7101", false),
            (path, "127.0.0.1", false),
            (path, "localhost:7100", false),
            (host, "login.acme.example", true),
            (host, "LOGIN.acme.example", true),
            (host, "login.acme.example:443", true),
            (host, "login.acme.example:80", false),
            (host, "login.acme.example.:443", false),
            (host, "x.login.acme.example", false),
            (host, "", false),
        ] {
            assert_eq!(is_at(issuer, authority), same, "{issuer} {authority}");
        }
        assert_eq!(origin_of(path), "http://127.0.0.1:7100");
        assert_eq!(origin_of(host), host);
    }

    #[test]
    fn host_names() {
        for (authority, expected) in [
            ("Login.Example:8443", "login.example"),
            ("login.example", "login.example"),
            ("[::1]:80", "[::1]"),
        ] {
            assert_eq!(host_name(authority), expected);
        }
    }

    #[test]
    fn links_stay_below_the_tenant() {
        let path = Place {
            https: false,
            slug_in_path: Some("acme".parse().unwrap()),
        };
        let host = Place {
            https: true,
            slug_in_path: None,
        };
        assert_eq!(path.path("login"), "/t/acme/login");
        assert_eq!(host.path("login"), "/login");
        assert_eq!(host.path(""), "/");
    }
}
