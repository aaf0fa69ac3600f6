//! Who may know of a tenant: asked for every address below `/tenants/{tenant}` before anything else is read.
//!
//! A body, a query string or an `If-Match` that is refused before the tenant is looked for would tell whether
//! there is one. So the address comes first, and a tenant that does not exist and a tenant in which the caller
//! has no role get the very same answer, whatever else is wrong with the request. What an admitted caller may
//! do there is not decided here: the method that is called does.

use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};
use contract::{ids::TenantId, tenant::Slug};

use super::problem::Problem;
use crate::{Caller, ControlPlane, Refusal};

/// The tenant in the address, which the caller may know of.
#[derive(Clone, Copy)]
struct Admitted(TenantId);

/// Middleware around one resource; resources without a tenant in their address pass.
pub(super) async fn admit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match tenant_of(&request).await {
        Ok(None) => {}
        Ok(Some(tenant)) => {
            host::record_tenant(request.request(), &tenant.to_string());
            request.extensions_mut().insert(Admitted(tenant));
        }
        Err(problem) => return Ok(request.error_response(problem)),
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// The tenant that [`admit`] found; none at an address without one.
pub(super) fn admitted(request: &HttpRequest) -> Option<TenantId> {
    let found = request.extensions().get::<Admitted>().copied();
    found.map(|Admitted(tenant)| tenant)
}

async fn tenant_of(request: &ServiceRequest) -> Result<Option<TenantId>, Problem> {
    let Some(name) = request.match_info().get("tenant") else {
        return Ok(None);
    };
    let plane = request.app_data::<Data<ControlPlane>>();
    let caller = request.extensions().get::<Caller>().cloned();
    let (Some(plane), Some(caller)) = (plane, caller) else {
        return Err(Problem::unauthenticated());
    };
    Ok(Some(plane.tenant_named(&caller, name).await?))
}

impl ControlPlane {
    /// The tenant that an address names by id or slug, if the caller has a role in it.
    async fn tenant_named(&self, caller: &Caller, name: &str) -> Result<TenantId, Refusal> {
        let found = {
            let tx = self.store().begin_read().await?;
            match (name.parse::<TenantId>(), name.parse::<Slug>()) {
                (Ok(id), _) => tx.find_tenant(id).await?,
                (_, Ok(slug)) => tx.find_tenant_by_slug(&slug).await?,
                _ => None,
            }
        };
        Ok(self.admit(caller, found).await?.id)
    }
}
