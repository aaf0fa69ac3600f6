//! Decides, remembers, signs, pushes: tenants, policies, roles, responsibilities, releases.
//!
//! [`ControlPlane`] is the one door. The admin API and the console call the same methods, and every method
//! authorizes inside, so the two doors cannot disagree (design section 3). One resource is one file here,
//! one in `store/` and one in `http/`, all of the same name.
//!
//! This crate must never reach the data plane or a page, and its store never leaves it: nobody outside can
//! write a row that was not authorized and audited. It never sees an end user's data or a private token key.

pub mod apis;
pub mod applications;
pub mod assignments;
pub mod audit;
pub mod authorities;
pub mod authz;
pub mod bus;
pub mod caller;
mod change;
pub mod client_grants;
pub mod console_sessions;
pub mod containments;
pub mod http;
mod idempotency;
mod jobs;
mod kept;
pub mod keys;
mod local_tokens;
pub mod nodes;
mod open;
pub mod operators;
pub mod page;
pub mod platform;
pub mod policies;
mod push;
pub mod refusal;
pub mod releases;
pub mod responsibilities;
pub mod rollouts;
pub mod setup;
mod store;
pub mod tenants;

use std::sync::Arc;

use contract::{
    ids::TypedId,
    jws::{ReleaseSigner, TrustRoot},
    tenant::Region,
};
use host::{Clock, Entropy, HostPort, SealKey};
use url::Url;

pub use self::{
    bus::{Bus, LocalBus},
    caller::{Caller, HeldRole, Scope, Via},
    change::{At, Mode},
    containments::{
        ContainmentChange, ContainmentState, NewContainment, NodeProgress, Preview, Progress, Wait,
    },
    kept::ThingAt,
    open::{ControlPlaneConfig, OpenError, RegionPlace},
    page::{Cursor, Page, PageRequest},
    platform::{ConsoleClient, PlatformClients},
    push::NodeLink,
    refusal::{Denial, Refusal, Violation},
};

/// The control plane: a cheap handle that every door holds.
#[derive(Clone)]
pub struct ControlPlane {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    store: store::Store,
    authorizer: authz::Authorizer,
    strangers: authz::Strangers,
    hub: push::Hub,
    lanes: push::Lanes,
    previews: containments::Previews,
    signer: ReleaseSigner,
    /// The list of authorities that was signed last.
    authority_list: authorities::SignedList,
    /// Signs tokens for whoever can read the data directory.
    local_key: local_tokens::LocalKey,
    /// Seals what the control plane keeps secret in its own database.
    seal: SealKey,
    /// Seals what strangers make us seal: sign-ins under way. A flood of them never wears the other key.
    login_seal: SealKey,
    regions: Vec<Region>,
    places: Vec<RegionPlace>,
    push_address: Option<HostPort>,
    /// For how long a canary node serves a release before it is let through.
    bake_seconds: u32,
    bus: Arc<dyn Bus>,
    /// Which of the processes on one database this is; anew at each start.
    replica: String,
    clock: Clock,
    entropy: Entropy,
}

impl ControlPlane {
    /// The public keys that nodes must be given to believe this control plane's releases.
    pub fn trust_root(&self) -> TrustRoot {
        TrustRoot {
            keys: vec![self.inner.signer.public()],
        }
    }

    /// The regions a tenant may live in; the first one holds the platform tenant.
    pub fn regions(&self) -> &[Region] {
        &self.inner.regions
    }

    /// How browsers reach the nodes of a region.
    pub(crate) fn base_of(&self, region: &Region) -> &Url {
        let places = &self.inner.places;
        let place = places.iter().find(|place| place.region == *region);
        // Opening refuses a region in use that is not configured; a replica with newer settings may have
        // added one since.
        &place.unwrap_or(&places[0]).auth_base_url
    }

    /// Whether tenants without a host of their own share this one.
    pub(crate) fn is_shared_host(&self, host: &str) -> bool {
        let mut places = self.inner.places.iter();
        places.any(|place| place.auth_base_url.host_str() == Some(host))
    }

    /// Where nodes reach this control plane, if they can.
    pub(crate) fn push_address(&self) -> Option<&HostPort> {
        self.inner.push_address.as_ref()
    }

    pub(crate) fn replica(&self) -> &str {
        &self.inner.replica
    }

    pub(crate) fn bus(&self) -> &dyn Bus {
        &*self.inner.bus
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub(crate) fn entropy(&self) -> &Entropy {
        &self.inner.entropy
    }

    pub(crate) fn store(&self) -> &store::Store {
        &self.inner.store
    }

    pub(crate) fn hub(&self) -> &push::Hub {
        &self.inner.hub
    }

    pub(crate) fn lanes(&self) -> &push::Lanes {
        &self.inner.lanes
    }

    pub(crate) fn previews(&self) -> &containments::Previews {
        &self.inner.previews
    }

    pub(crate) fn signer(&self) -> &ReleaseSigner {
        &self.inner.signer
    }

    pub(crate) fn seal(&self) -> &SealKey {
        &self.inner.seal
    }

    /// A new id: the time now, and chance.
    pub(crate) fn new_id<I: TypedId>(&self) -> I {
        I::from_uuid(self.entropy().uuid_v7(self.clock().now()))
    }
}

impl std::fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ControlPlane")
    }
}
