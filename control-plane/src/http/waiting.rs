//! Changes that may wait for nodes: `wait=reachable` in the query string.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    asking::{Params, mode, seen_if_said},
    problem::Problem,
};
use crate::{Mode, Wait};

/// How a change is meant that may wait, in the query string.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WritingAndWaiting {
    #[serde(default)]
    dry_run: bool,
    wait: Option<Waiting>,
}

/// For whom a change waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Waiting {
    /// For every node that was heard within 2 s.
    Reachable,
}

/// The same, as the documents show it beside `dry_run`.
#[derive(IntoParams)]
#[expect(dead_code, reason = "it is read as a part of WritingAndWaiting")]
pub(super) struct WaitingParam {
    /// `reachable`: it answers once every node that was heard within 2 s confirmed, after 10 s at the latest; the
    /// answer says which nodes did not.
    #[param(inline)]
    wait: Option<Waiting>,
}

impl WritingAndWaiting {
    /// Whether the change is to stay.
    pub(super) fn mode(&self) -> Mode {
        mode(self.dry_run)
    }
}

/// A change that may wait for nodes. It may say which version the caller has seen, and need not: whoever has to
/// act at once must not be held up by a change of somebody else's.
pub(super) struct Acting {
    /// Whether it is to stay.
    pub(super) mode: Mode,
    /// For whom it waits.
    pub(super) wait: Wait,
    /// The version in `If-Match`, if there is one.
    pub(super) expected: Option<i64>,
}

impl FromRequest for Acting {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let asked = Params::<WritingAndWaiting>::from_request(request, payload).into_inner();
        ready(asked.and_then(|Params(asked)| {
            Ok(Self {
                mode: asked.mode(),
                wait: match asked.wait {
                    Some(Waiting::Reachable) => Wait::Reachable,
                    None => Wait::No,
                },
                expected: seen_if_said(request)?,
            })
        }))
    }
}
