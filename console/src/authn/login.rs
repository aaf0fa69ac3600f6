//! `GET /login`: straight on to the issuer, with the way back sealed into a cookie.

use actix_web::{HttpRequest, HttpResponse, http::header, web::Data};
use url::Url;

use super::query;
use crate::{Console, fault::Fault, return_path, visit::see_other};

/// Begins a sign-in. `return` is where the person wanted to go; `again` asks for another account.
pub(crate) async fn show(console: Data<Console>, request: HttpRequest) -> HttpResponse {
    match begin(&console, &request).await {
        Ok(answer) => answer,
        Err(fault) => fault.outside(&console, &request),
    }
}

async fn begin(console: &Console, request: &HttpRequest) -> Result<HttpResponse, Fault> {
    let wanted = query(request, "return").unwrap_or_default();
    let wanted = return_path::checked(&wanted);
    let again = query(request, "again").is_some();
    let control_plane = console.control_plane();
    if !again
        && let Some(secret) = console.cookies().session(request)
        && control_plane
            .find_console_session(secret.expose())
            .await?
            .is_some()
    {
        return Ok(see_other(wanted).finish());
    }
    let attempt = control_plane.begin_console_login(wanted);
    let url = console.relying_party().authorization_url(&attempt, again);
    let cookie = console
        .cookies()
        .begin_login(&attempt.state, &attempt.browser);
    let mut answer = to_issuer(&url);
    answer
        .add_cookie(&cookie)
        .expect("a name of letters and a random value are a valid cookie");
    Ok(answer)
}

/// 303 to a page of the issuer, whose address is ours to make.
pub(super) fn to_issuer(url: &Url) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, url.as_str()))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}
