//! A client grant: this application may call that API with these scopes. Without one, nothing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    Invalid,
    api::Api,
    ids::{ApiId, ApplicationId, ClientGrantId},
    scope::Scope,
};

/// A permission for one application to get tokens for one API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientGrant {
    /// Its id.
    pub id: ClientGrantId,
    /// Who may call.
    pub application: ApplicationId,
    /// What may be called.
    pub api: ApiId,
    /// With which scopes at most.
    pub scopes: BTreeSet<Scope>,
}

impl ClientGrant {
    /// Checks that the grant names scopes and that `api` has each of them.
    ///
    /// # Errors
    /// No scopes, or the first scope the API does not have.
    pub fn check(&self, api: &Api) -> Result<(), Invalid> {
        if self.scopes.is_empty() {
            return Err(Invalid::new("scopes", "must name at least one scope"));
        }
        match self.scopes.iter().find(|scope| api.scope(scope).is_none()) {
            Some(unknown) => Err(Invalid::new(
                "scopes",
                format!("name {unknown}, which the API does not have"),
            )),
            None => Ok(()),
        }
    }
}
