//! P15: what vendor staff and the product itself did on the platform. The same log as a tenant's, over the
//! platform's own tenant.

use actix_web::HttpResponse;

use crate::{fault::Fault, pages::tenant::audit, visit::Visit};

/// The page.
pub(super) async fn show(visit: Visit) -> Result<HttpResponse, Fault> {
    let platform = visit.console().platform();
    audit::log(
        visit,
        platform,
        "What vendor staff and the product itself did on the platform",
    )
    .await
}
