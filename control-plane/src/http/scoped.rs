//! Who asks, about which scope: the platform, or the tenant in the address.
//!
//! Vendor staff and a tenant's operators differ only in the scope, so each handler about people and roles
//! exists once. An address that names a tenant is never taken for the platform.

use std::{
    future::{Ready, ready},
    str::FromStr,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use contract::role::Role;

use super::{admit::admitted, asking::Asking, problem::Problem};
use crate::{Caller, ControlPlane, HeldRole, Scope};

/// Who asks, and about which scope.
pub(super) struct ScopeOf {
    /// Who is asked.
    pub(super) plane: ControlPlane,
    /// Who asks.
    pub(super) caller: Caller,
    /// About which scope.
    pub(super) scope: Scope,
}

impl ScopeOf {
    /// A role in the scope.
    pub(super) fn role(&self, role: Role) -> HeldRole {
        HeldRole {
            role,
            scope: self.scope,
        }
    }

    /// Where the scope is, below `/v1`.
    pub(super) fn path(&self) -> String {
        match self.scope {
            Scope::Platform => String::new(),
            Scope::Tenant(tenant) => format!("/tenants/{tenant}"),
        }
    }
}

impl FromRequest for ScopeOf {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let scope = match request.match_info().get("tenant") {
            None => Ok(Scope::Platform),
            Some(_) => admitted(request)
                .map(Scope::Tenant)
                .ok_or_else(Problem::unknown),
        };
        let ask = Asking::from_request(request, payload).into_inner();
        ready(ask.and_then(|Asking { plane, caller }| {
            Ok(Self {
                plane,
                caller,
                scope: scope?,
            })
        }))
    }
}

/// The one thing of the scope that an address names: its last parameter, the tenant being the first.
pub(super) fn named<I: FromStr>(request: &HttpRequest) -> Result<I, Problem> {
    let last = request.match_info().iter().last();
    last.and_then(|(_, id)| id.parse().ok())
        .ok_or_else(Problem::unknown)
}
