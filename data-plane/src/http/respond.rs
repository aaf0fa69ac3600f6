//! How an answer to a browser is made: pages with their headers, redirects, and the error page.
//!
//! There is one way to show a page, so none can lack its content security policy; and one way to
//! redirect, so none can repeat a form somewhere else (R-AUTHZ-09).

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use askama::Template;
use host::RequestId;

use super::{csp, fault::Fault, pages::Frame, tenant::Tenant, visit::Visit};

/// H19: something went wrong.
#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    frame: Frame,
    title: &'a str,
    detail: &'a str,
    wait: Option<String>,
    /// Names the request for support.
    request_id: String,
}

/// Writes a page. `redirect_uri` is where its form posts may end.
///
/// # Errors
/// The template cannot be written.
pub fn show(
    status: StatusCode,
    page: &impl Template,
    redirect_uri: Option<&str>,
) -> Result<HttpResponse, Fault> {
    let body = page.render()?;
    Ok(HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, csp::policy(redirect_uri)))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body))
}

/// Ends a page's handler: the answer or the error page, with the cookies of the visit.
pub fn answer(visit: &Visit, result: Result<HttpResponse, Fault>) -> HttpResponse {
    visit.finish(result.unwrap_or_else(|error| fault(&error, &visit.request, Some(&visit.tenant))))
}

/// The error page.
pub fn fault(fault: &Fault, request: &HttpRequest, tenant: Option<&Tenant>) -> HttpResponse {
    let page = ErrorPage {
        frame: Frame::new(tenant),
        title: fault.title,
        detail: fault.detail,
        wait: fault.retry_after.map(in_words),
        request_id: RequestId::of(request).map_or_else(String::new, |id| id.to_string()),
    };
    let mut response = show(fault.status, &page, None).unwrap_or_else(|_| fault.json());
    if let Some(seconds) = fault.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A waiting time as people say it, rounded up.
pub fn in_words(seconds: u64) -> String {
    match seconds {
        0 | 1 => "1 second".to_owned(),
        2..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

/// The page of a panic: written without anything that could fail again.
pub fn panic_page(request_id: &str) -> HttpResponse {
    let page = ErrorPage {
        frame: Frame::new(None),
        title: "Something went wrong",
        detail: "This is our fault, not yours. If it happens again, tell support the request number below.",
        wait: None,
        request_id: request_id.to_owned(),
    };
    show(StatusCode::INTERNAL_SERVER_ERROR, &page, None)
        .unwrap_or_else(|_| HttpResponse::InternalServerError().finish())
}

/// A redirect that always continues with GET (R-AUTHZ-09).
pub fn see_other(location: &str) -> HttpResponse {
    match header::HeaderValue::from_str(location) {
        Ok(location) => HttpResponse::SeeOther()
            .insert_header((header::LOCATION, location))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish(),
        // Only a URI with characters outside ASCII gets here; the registration rules refuse them too.
        Err(_) => {
            Fault::bad_request("The address to return to cannot be written into a header.").json()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_times_read_well() {
        for (seconds, expected) in [
            (0, "1 second"),
            (1, "1 second"),
            (90, "90 seconds"),
            (91, "2 minutes"),
            (3600, "60 minutes"),
        ] {
            assert_eq!(in_words(seconds), expected);
        }
    }
}
