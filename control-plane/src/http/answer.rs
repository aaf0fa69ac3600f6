//! Answers: JSON with the headers that belong to it, so that handlers only say what they give.

use std::borrow::Cow;

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::{StatusCode, header},
};
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{ObjectBuilder, Type},
    },
};

use crate::{Mode, Page};

/// An answer with a body, a version and a place, as far as it has them.
pub(super) struct Answer<T> {
    status: StatusCode,
    body: Option<T>,
    version: Option<i64>,
    location: Option<String>,
    mode: Mode,
}

impl<T: Serialize> Answer<T> {
    /// Here it is.
    pub(super) fn ok(body: T) -> Self {
        Self {
            status: StatusCode::OK,
            body: Some(body),
            version: None,
            location: None,
            mode: Mode::Commit,
        }
    }

    /// It was made, and is at `location` below `/v1`.
    pub(super) fn created(body: T, location: impl Into<String>) -> Self {
        Self {
            status: StatusCode::CREATED,
            location: Some(format!("/v1{}", location.into())),
            ..Self::ok(body)
        }
    }

    /// Its version, as `ETag`.
    pub(super) fn version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }

    /// Whether it stays.
    pub(super) fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }
}

impl Answer<()> {
    /// Done; there is nothing to show.
    pub(super) fn done(mode: Mode) -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: None,
            version: None,
            location: None,
            mode,
        }
    }
}

impl<T: Serialize> Responder for Answer<T> {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(version) = self.version {
            response.insert_header((header::ETAG, format!("\"{version}\"")));
        }
        if let Some(location) = self.location {
            response.insert_header((header::LOCATION, location));
        }
        if self.mode == Mode::DryRun {
            response.insert_header(("bailiwick-dry-run", "true"));
        }
        match self.body {
            Some(body) => response.json(body),
            None => response.finish(),
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub(super) struct Listed<T> {
    /// The things on it.
    pub(super) items: Vec<T>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl<T> Listed<T> {
    /// A list that fits on one page.
    pub(super) fn all(items: impl IntoIterator<Item = impl Into<T>>) -> Self {
        Self {
            items: items.into_iter().map(Into::into).collect(),
            next_cursor: None,
        }
    }

    /// A page of a longer list.
    pub(super) fn page<U: Into<T>>(page: Page<U>) -> Self {
        Self {
            next_cursor: page.next.as_ref().map(crate::Cursor::encode),
            items: page.items.into_iter().map(Into::into).collect(),
        }
    }
}

impl<T: ToSchema> PartialSchema for Listed<T> {
    fn schema() -> RefOr<Schema> {
        let cursor = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Where the next page begins; absent on the last one."));
        ObjectBuilder::new()
            .description(Some("A page of a list."))
            .property("items", Ref::from_schema_name(T::name()).to_array_builder())
            .required("items")
            .property("next_cursor", cursor)
            .into()
    }
}

/// By hand, because the derived name would be the same for every list.
impl<T: ToSchema> ToSchema for Listed<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name().trim_end_matches("View")).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

impl<T: Serialize> Responder for Listed<T> {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(cursor) = &self.next_cursor {
            response.insert_header((header::LINK, next_link(request, cursor)));
        }
        response.json(self)
    }
}

/// The same address with another cursor (RFC 8288).
fn next_link(request: &HttpRequest, cursor: &str) -> String {
    let kept = request
        .query_string()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let query: Vec<&str> = kept.collect();
    let separator = if query.is_empty() { "" } else { "&" };
    let (path, query) = (request.path(), query.join("&"));
    format!("<{path}?{query}{separator}cursor={cursor}>; rel=\"next\"")
}
