//! Style sheet, icons and font of the hosted pages, from the binary itself.

use actix_web::{HttpRequest, HttpResponse, http::header::CACHE_CONTROL, web::Path};

use super::fault::Fault;

/// `GET /assets/{path}`: one address for all tenants, so a browser keeps one copy.
pub async fn get(path: Path<String>, request: HttpRequest) -> HttpResponse {
    match ui_assets::find(&path) {
        Some(asset) => HttpResponse::Ok()
            .content_type(asset.content_type)
            .insert_header((CACHE_CONTROL, asset.cache_control()))
            .body(asset.bytes),
        None => Fault::NOT_FOUND.negotiate(&request, None),
    }
}
