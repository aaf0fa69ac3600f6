//! Answers: JSON with the headers that belong to it, so that handlers only say what they give.

use std::borrow::Cow;

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    http::{Method, StatusCode, header},
};
use contract::containment::{AS_OF_HEADER, AsOf};
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{ObjectBuilder, Type},
    },
};

use crate::{Mode, Page, kept::Kept};

/// An answer with a body, a version and a place, as far as it has them.
pub(super) struct Answer<T> {
    status: StatusCode,
    body: Option<T>,
    version: Option<i64>,
    also: Option<u64>,
    location: Option<String>,
    point: Option<String>,
    mode: Mode,
}

impl<T: Serialize> Answer<T> {
    /// Here it is.
    pub(super) fn ok(body: T) -> Self {
        Self {
            status: StatusCode::OK,
            body: Some(body),
            version: None,
            also: None,
            location: None,
            point: None,
            mode: Mode::Commit,
        }
    }

    /// It was made, and is at `location` below `/v1`.
    pub(super) fn created(body: T, location: impl Into<String>) -> Self {
        Self::ok(body).made_at(location)
    }

    /// Something that is kept, with its version.
    pub(super) fn kept<K: Kept + Into<T>>(kept: K) -> Self {
        let version = kept.version();
        Self::ok(kept.into()).version(version)
    }

    /// It was made, and is at `location` below `/v1`.
    pub(super) fn made_at(mut self, location: impl Into<String>) -> Self {
        self.status = StatusCode::CREATED;
        self.location = Some(format!("/v1{}", location.into()));
        self
    }

    /// Its version, as `ETag`.
    pub(super) fn version(mut self, version: i64) -> Self {
        self.version = Some(version);
        self
    }

    /// What of the answer can differ although its version does not. It becomes part of the `ETag`, so that a
    /// tag stands for what was shown; `If-Match` compares the version alone.
    pub(super) fn also(mut self, number: u64) -> Self {
        self.also = Some(number);
        self
    }

    /// The point in a region's containments from which on a check must not be answered from an older state.
    pub(super) fn point(mut self, point: &AsOf) -> Self {
        self.point = Some(point.to_string());
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
            also: None,
            location: None,
            point: None,
            mode,
        }
    }
}

impl<T: Serialize> Responder for Answer<T> {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let tag = self.version.map(|version| match self.also {
            Some(also) => format!("\"{version}.{also}\""),
            None => format!("\"{version}\""),
        });
        let unchanged = tag.as_ref().is_some_and(|tag| has_seen(request, tag));
        let mut response = HttpResponse::build(if unchanged {
            StatusCode::NOT_MODIFIED
        } else {
            self.status
        });
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(tag) = tag {
            response.insert_header((header::ETAG, tag));
        }
        if let Some(location) = self.location {
            response.insert_header((header::LOCATION, location));
        }
        if let Some(point) = self.point {
            response.insert_header((AS_OF_HEADER, point));
        }
        if self.mode == Mode::DryRun {
            response.insert_header(("bailiwick-dry-run", "true"));
        }
        match self.body {
            Some(body) if !unchanged => response.json(body),
            _ => response.finish(),
        }
    }
}

/// Whether a reader has this very version already (`If-None-Match`, RFC 9110 section 13.1.2). Weak tags are
/// compared like strong ones, as that section wants it.
fn has_seen(request: &HttpRequest, tag: &str) -> bool {
    let mut seen = request
        .headers()
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim);
    request.method() == Method::GET
        && seen.any(|seen| seen == "*" || seen.strip_prefix("W/").unwrap_or(seen) == tag)
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
