//! `GET /assets/*`: the style sheets, icons and fonts of `ui-assets`, and the islands' bundle if there is one.
//!
//! Every name carries the hash of its content, so answers are cached for ever. The bundle is embedded by
//! the build script from `console/dist`, which `cargo xtask islands` makes; without it the console has
//! no script at all and every page still works. Nothing is read from disk here, so there is no path to
//! traverse.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, ContentEncoding, HeaderValue},
};
use leptos::prelude::*;

/// A file of the islands' bundle.
#[allow(dead_code, reason = "never made where no bundle was built")]
struct Bundled {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    /// The same, compressed with brotli when the bundle was made.
    brotli: &'static [u8],
}

/// The loader and the two files that it loads.
#[allow(dead_code, reason = "never made where no bundle was built")]
struct Bundle {
    loader: &'static str,
    script: &'static str,
    module: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/islands.rs"));

/// The script tags of a page: none without a bundle.
pub fn script_tags() -> Option<impl IntoView> {
    let bundle = BUNDLE?;
    let url = |name: &str| format!("{}{name}", ui_assets::BASE);
    Some(view! {
        <link rel="modulepreload" href=url(bundle.script) />
        <script type="module" src=url(bundle.loader) data-script=url(bundle.script) data-module=url(bundle.module)></script>
    })
}

/// Answers a request for an asset.
pub async fn get(request: HttpRequest) -> HttpResponse {
    let name = request.match_info().query("name");
    if let Some(asset) = ui_assets::find(name) {
        return HttpResponse::Ok()
            .content_type(asset.content_type)
            .insert_header((header::CACHE_CONTROL, asset.cache_control()))
            .body(asset.bytes);
    }
    let Some(file) = BUNDLED.iter().find(|file| file.name == name) else {
        return HttpResponse::NotFound().finish();
    };
    let mut answer = HttpResponse::Ok();
    answer
        .content_type(file.content_type)
        .insert_header((header::CACHE_CONTROL, ui_assets::Asset::CACHE_CONTROL))
        .insert_header((header::VARY, "Accept-Encoding"));
    if !file.brotli.is_empty() && accepts_brotli(&request) {
        answer.insert_header(ContentEncoding::Brotli);
        return answer.body(file.brotli);
    }
    answer.body(file.bytes)
}

fn accepts_brotli(request: &HttpRequest) -> bool {
    request
        .headers()
        .get_all(header::ACCEPT_ENCODING)
        .filter_map(|value: &HeaderValue| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|coding| coding.trim().replace(' ', ""))
        .any(|coding| coding == "br" || (coding.starts_with("br;q=") && !coding.ends_with("=0")))
}

#[cfg(test)]
mod tests {
    use actix_web::{App, test, web};

    use super::*;

    #[actix_web::test]
    async fn assets_are_immutable_and_others_are_not_found() {
        let app =
            test::init_service(App::new().route("/assets/{name:.*}", web::get().to(get))).await;
        let css = test::TestRequest::get()
            .uri(ui_assets::console_css_url())
            .to_request();
        let answer = test::call_service(&app, css).await;
        assert_eq!(answer.status(), 200);
        let caching = answer.headers().get(header::CACHE_CONTROL).unwrap();
        assert!(caching.to_str().unwrap().contains("immutable"));
        for missing in ["/assets/", "/assets/../Cargo.toml", "/assets/console.css"] {
            let request = test::TestRequest::get().uri(missing).to_request();
            assert_eq!(
                test::call_service(&app, request).await.status(),
                404,
                "{missing}"
            );
        }
    }

    #[test]
    async fn without_a_bundle_there_is_no_script() {
        let html = crate::document::render(script_tags);
        assert_eq!(html.contains("<script"), BUNDLE.is_some());
    }
}
