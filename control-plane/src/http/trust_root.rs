//! `/v1/trust-root`: the public keys with which releases, containments and receipts are signed.
//!
//! For everyone, without a token: whoever wants to check a receipt without believing us pins these keys
//! beforehand, and what cannot be fetched is pinned by nobody. There is nothing secret in it.

use actix_web::{Responder, http::header, web::Data};

use crate::ControlPlane;

/// Where it is served.
pub(super) const PATH: &str = "/v1/trust-root";

/// Serves it.
pub(super) async fn serve(plane: Data<ControlPlane>) -> impl Responder {
    let mut response = actix_web::HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    response.json(plane.trust_root())
}
