//! The set of containments, indexed by what they contain. Immutable: a change makes another one.

use std::{collections::HashMap, fmt, sync::Arc};

use chrono::{DateTime, Utc};
use contract::{
    containment::{Containment, Subject},
    ids::{ApplicationId, ContainmentId, SessionId, TenantId, UserId},
};

use super::{Refused, Who};

/// What is contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contained {
    /// The whole tenant.
    Tenant,
    /// The person.
    User,
    /// The browser session.
    Session,
    /// The application.
    Application,
    /// The signing key.
    Key,
}

impl fmt::Display for Contained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "tenant",
            Self::User => "user",
            Self::Session => "session",
            Self::Application => "application",
            Self::Key => "signing key",
        })
    }
}

/// A containment with the signed form it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) containment: Containment,
    pub(crate) jws: String,
}

type Several = Vec<Arc<Held>>;

/// The containments of one tenant.
#[derive(Debug, Default)]
struct OfTenant {
    tenant: Several,
    users: HashMap<UserId, Several>,
    sessions: HashMap<SessionId, Several>,
    applications: HashMap<ApplicationId, Several>,
    keys: HashMap<String, Several>,
}

/// What is refused. Look-ups cost the same however many there are.
#[derive(Debug, Default)]
pub struct DenySet {
    by_id: HashMap<ContainmentId, Arc<Held>>,
    by_tenant: HashMap<TenantId, OfTenant>,
}

impl DenySet {
    /// A set of these.
    pub(crate) fn of(all: impl IntoIterator<Item = Arc<Held>>) -> Self {
        let mut set = Self::default();
        for held in all {
            let tenant = set.by_tenant.entry(held.containment.tenant).or_default();
            let several = match &held.containment.subject {
                Subject::Tenant {} => &mut tenant.tenant,
                Subject::User { user } => tenant.users.entry(*user).or_default(),
                Subject::Session { session } => tenant.sessions.entry(*session).or_default(),
                Subject::Application { application } => {
                    tenant.applications.entry(*application).or_default()
                }
                Subject::SigningKey { kid } => tenant.keys.entry(kid.to_string()).or_default(),
            };
            several.push(Arc::clone(&held));
            set.by_id.insert(held.containment.id, held);
        }
        set
    }

    /// Everything in it.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Held>> {
        self.by_id.values()
    }

    /// One of them.
    pub(crate) fn find(&self, id: ContainmentId) -> Option<&Arc<Held>> {
        self.by_id.get(&id)
    }

    /// The same with one more, or another revision of one.
    pub(crate) fn with(&self, held: Held) -> Self {
        let id = held.containment.id;
        let others = self.all().filter(|one| one.containment.id != id).cloned();
        Self::of(others.chain([Arc::new(held)]))
    }

    /// Whether somebody is refused at `now`.
    pub(crate) fn judge(
        &self,
        tenant: TenantId,
        who: &Who<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), Refused> {
        let Some(of) = self.by_tenant.get(&tenant) else {
            return Ok(());
        };
        let asked = [
            (Contained::Tenant, Some(&of.tenant)),
            (Contained::User, who.user.and_then(|id| of.users.get(&id))),
            (
                Contained::Session,
                who.session.and_then(|id| of.sessions.get(&id)),
            ),
            (
                Contained::Application,
                who.application.and_then(|id| of.applications.get(&id)),
            ),
            (Contained::Key, who.kid.and_then(|kid| of.keys.get(kid))),
        ];
        for (what, several) in asked {
            let refusing = several
                .into_iter()
                .flatten()
                .find(|held| held.containment.refuses(now, who.authorized_at));
            if let Some(held) = refusing {
                let containment = held.containment.id;
                return Err(Refused { containment, what });
            }
        }
        Ok(())
    }

    /// Whether a key is in it, in force or not.
    pub(crate) fn knows_key(&self, tenant: TenantId, kid: &str) -> bool {
        let of = self.by_tenant.get(&tenant);
        of.is_some_and(|of| of.keys.contains_key(kid))
    }
}
