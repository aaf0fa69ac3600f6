//! `/`: to the scope the person works in.

use actix_web::HttpResponse;
use contract::permission::Permission;

use crate::{
    fault::Fault,
    visit::{Visit, see_other, tenant_base},
};

/// Staff start at the tenants, others in their first tenant.
pub(super) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    if visit.may(Permission::TenantsView) {
        return Ok(see_other("/p/tenants").finish());
    }
    match visit.offered_tenants().first() {
        Some(tenant) => Ok(see_other(&format!("{}home", tenant_base(tenant))).finish()),
        None => Err(Fault::NotAnOperator),
    }
}
