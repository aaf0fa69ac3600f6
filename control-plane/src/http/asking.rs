//! What handlers are given: who asks, about which tenant, and how a change is meant.
//!
//! The caller was proven by [`super::token`] before any of this runs. Query strings and `If-Match` are read
//! strictly: a misspelt `dry_run` that is ignored would change something.

use std::{
    fmt::Display,
    future::{Ready, ready},
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    error::QueryPayloadError,
    http::{StatusCode, header},
    web::{Data, Query},
};
use contract::ids::TenantId;
use serde::{Deserialize, de::DeserializeOwned};
use url::form_urlencoded;
use utoipa::IntoParams;

use super::{admit::admitted, problem::Problem, waiting::WritingAndWaiting};
use crate::{At, Caller, ControlPlane, Mode, PageRequest, ThingAt};

/// Who asks.
pub(super) struct Asking {
    /// Who is asked.
    pub(super) plane: ControlPlane,
    /// Who asks.
    pub(super) caller: Caller,
}

impl Asking {
    fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let plane = request.app_data::<Data<ControlPlane>>();
        let caller = request.extensions().get::<Caller>().cloned();
        match (plane, caller) {
            (Some(plane), Some(caller)) => Ok(Self {
                plane: ControlPlane::clone(plane),
                caller,
            }),
            _ => Err(Problem::unauthenticated()),
        }
    }
}

impl Asking {
    /// The vendor's own tenant.
    pub(super) async fn platform(&self) -> Result<TenantId, Problem> {
        Ok(self.plane.platform_id().await?)
    }
}

impl FromRequest for Asking {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

/// Who asks, about the tenant in the address: a slug or an id.
pub(super) struct InTenant {
    /// Who is asked.
    pub(super) plane: ControlPlane,
    /// Who asks.
    pub(super) caller: Caller,
    /// About which tenant.
    pub(super) tenant: TenantId,
}

impl InTenant {
    /// The tenant, and the version of the thing to be changed that the caller has seen.
    pub(super) fn seen(&self, write: &Overwriting) -> At {
        At {
            tenant: self.tenant,
            expected: write.expected,
        }
    }

    /// One thing of the tenant, and the version of it that the caller has seen.
    pub(super) fn thing<Id>(&self, id: Id, write: &Overwriting) -> ThingAt<Id> {
        ThingAt {
            tenant: self.tenant,
            id,
            expected: write.expected,
        }
    }

    /// Where a thing of the tenant is, among those that `all` lists.
    pub(super) fn location(&self, all: &str, id: impl Display) -> String {
        let all = all.replace("{tenant}", &self.tenant.to_string());
        format!("{all}/{id}")
    }
}

impl FromRequest for InTenant {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Asking::of(request).and_then(|Asking { plane, caller }| {
            Ok(Self {
                plane,
                caller,
                tenant: admitted(request).ok_or_else(Problem::unknown)?,
            })
        }))
    }
}

/// The parameters of a query string; an unknown one is refused.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest for Params<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(params(request).map(Self))
    }
}

fn params<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    // Nothing that is looked for has any, and PostgreSQL cannot even be asked for a NUL (R-INJ-03).
    let has_control = form_urlencoded::parse(request.query_string().as_bytes())
        .any(|(name, value)| name.chars().chain(value.chars()).any(char::is_control));
    if has_control {
        return Err(Problem::malformed(
            "The query string is refused: it has a control character.",
        ));
    }
    Query::<T>::from_query(request.query_string())
        .map(Query::into_inner)
        .map_err(|error| {
            let reason = match error {
                QueryPayloadError::Deserialize(reason) => reason.to_string(),
                other => other.to_string(),
            };
            Problem::malformed(format!("The query string is refused: {reason}."))
        })
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    /// Things per page, 1 to 100; 25 if left out.
    limit: Option<u64>,
    /// Where the page begins: `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Which page of a list that can be searched.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Searching {
    /// Part of a name, or a whole id.
    pub(super) q: Option<String>,
    /// Things per page, 1 to 100; 25 if left out.
    limit: Option<u64>,
    /// Where the page begins: `next_cursor` of the page before.
    cursor: Option<String>,
}

impl Paging {
    /// The page that is asked for.
    pub(super) fn page(&self) -> Result<PageRequest, Problem> {
        page(self.limit, self.cursor.as_deref())
    }
}

impl Searching {
    /// The page that is asked for.
    pub(super) fn page(&self) -> Result<PageRequest, Problem> {
        page(self.limit, self.cursor.as_deref())
    }
}

/// Reads `limit` and `cursor`; a bad one makes the query string malformed like any other parameter.
pub(super) fn page(limit: Option<u64>, cursor: Option<&str>) -> Result<PageRequest, Problem> {
    PageRequest::parse(limit, cursor)
        .map_err(|refusal| Problem::malformed(format!("The query string is refused: {refusal}.")))
}

/// How a change is meant, in the query string.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Writing {
    /// Try everything, answer the same, keep nothing.
    #[serde(default)]
    dry_run: bool,
}

/// How a request means its change. Whether it also waits for nodes is for its handler.
pub(super) fn writing(request: &HttpRequest) -> Result<Mode, Problem> {
    params::<WritingAndWaiting>(request).map(|asked| asked.mode())
}

impl Writing {
    fn mode(&self) -> Mode {
        mode(self.dry_run)
    }
}

/// What `dry_run` stands for.
pub(super) fn mode(dry_run: bool) -> Mode {
    if dry_run { Mode::DryRun } else { Mode::Commit }
}

/// A change that overwrites nothing.
pub(super) struct Adding {
    /// Whether it is to stay.
    pub(super) mode: Mode,
}

impl FromRequest for Adding {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(params::<Writing>(request).map(|writing| Self {
            mode: writing.mode(),
        }))
    }
}

/// A change that overwrites or removes: the caller says which version they have seen.
pub(super) struct Overwriting {
    /// Whether it is to stay.
    pub(super) mode: Mode,
    /// The version in `If-Match`; `None` for `If-Match: *`.
    pub(super) expected: Option<i64>,
}

impl FromRequest for Overwriting {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(params::<Writing>(request).and_then(|writing| {
            Ok(Self {
                mode: writing.mode(),
                expected: seen(request)?,
            })
        }))
    }
}

/// A change of something that others decide as well. It may say which version the caller has seen, and need not:
/// whoever has to act at once must not be held up by a change of somebody else's.
pub(super) struct Deciding {
    /// Whether it is to stay.
    pub(super) mode: Mode,
    /// The version in `If-Match`, if there is one.
    pub(super) expected: Option<i64>,
}

impl FromRequest for Deciding {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(params::<Writing>(request).and_then(|writing| {
            Ok(Self {
                mode: writing.mode(),
                expected: seen_if_said(request)?,
            })
        }))
    }
}

/// The version in `If-Match`, where it may be left out.
pub(super) fn seen_if_said(request: &HttpRequest) -> Result<Option<i64>, Problem> {
    match request.headers().contains_key(header::IF_MATCH) {
        true => seen(request),
        false => Ok(None),
    }
}

fn seen(request: &HttpRequest) -> Result<Option<i64>, Problem> {
    if let Some(value) = request.headers().get(header::IF_MATCH) {
        return match value.to_str().unwrap_or_default() {
            "*" => Ok(None),
            tag => parse_tag(tag).map(Some),
        };
    }
    // "I have seen that there is none": version 0 comes before the first one (RFC 9110 section 13.1.2).
    if request
        .headers()
        .get(header::IF_NONE_MATCH)
        .is_some_and(|value| value == "*")
    {
        return Ok(Some(0));
    }
    Err(Problem::new(
        StatusCode::PRECONDITION_REQUIRED,
        "precondition_required",
        "If-Match required",
        "Send If-Match with the ETag of the version you have seen, so that nothing is overwritten unseen.",
    ))
}

fn parse_tag(tag: &str) -> Result<i64, Problem> {
    tag.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        // What follows a point is what else was shown; only the version is compared.
        .and_then(|tag| tag.split('.').next()?.parse().ok())
        .ok_or_else(|| Problem::malformed("If-Match is not an ETag that we gave, such as \"3\"."))
}
