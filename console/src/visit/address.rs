//! Addresses of a visit: what the one that was asked for says, and how the others in its scope read.

use std::str::FromStr;

use control_plane::{PageRequest, tenants::Tenant};

use super::Visit;
use crate::fault::Fault;

impl Visit {
    /// The request's path.
    pub fn path(&self) -> &str {
        self.0.request.path()
    }

    /// A part of the path, such as `id` of `apps/{id}`.
    ///
    /// # Errors
    /// [`Fault::NotFound`] if it is not a `T`.
    pub fn param<T: FromStr>(&self, name: &str) -> Result<T, Fault> {
        let text = self.0.request.match_info().query(name);
        text.parse().map_err(|_| Fault::NotFound)
    }

    /// A member of the query string without surrounding space; `None` if absent or empty.
    pub fn query(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.0.request.query_string().as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    /// Whether the query string has a member, be it empty.
    pub fn query_has(&self, name: &str) -> bool {
        url::form_urlencoded::parse(self.0.request.query_string().as_bytes())
            .any(|(key, _)| key == name)
    }

    /// The page of a list that the query members `after` asks for.
    ///
    /// # Errors
    /// [`Fault::BadAddress`] for a cursor that we did not give.
    pub fn page_request(&self) -> Result<PageRequest, Fault> {
        Ok(PageRequest::parse(None, self.query("after").as_deref())?)
    }

    /// This address with other query members: `("after", Some(cursor))`; `None` removes a member.
    pub fn with_query(&self, changes: &[(&str, Option<&str>)]) -> String {
        let kept = url::form_urlencoded::parse(self.0.request.query_string().as_bytes())
            .filter(|(key, _)| changes.iter().all(|(changed, _)| changed != key))
            .map(|(key, value)| (key.into_owned(), value.into_owned()));
        let added = changes
            .iter()
            .filter_map(|(key, value)| Some(((*key).to_owned(), (*value)?.to_owned())));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(kept.chain(added))
            .finish();
        match query.as_str() {
            "" => self.path().to_owned(),
            query => format!("{}?{query}", self.path()),
        }
    }

    /// The address of a page in this scope: `href("apps")` → `/t/acme/production/apps`.
    pub fn href(&self, page: &str) -> String {
        format!("{}{page}", self.base())
    }

    /// The address of a command in this scope: `command("apps/create")` → `/cmd/t/acme/production/apps/create`.
    pub fn command(&self, command: &str) -> String {
        format!("/cmd{}{command}", self.base())
    }

    fn base(&self) -> String {
        match &self.0.tenant {
            Some(tenant) => tenant_base(tenant),
            None if self.0.on_platform => "/p/".to_owned(),
            None => "/".to_owned(),
        }
    }
}

/// `/t/acme/production/`.
pub fn tenant_base(tenant: &Tenant) -> String {
    format!("/t/{}/{}/", tenant.slug, tenant.environment.as_str())
}
