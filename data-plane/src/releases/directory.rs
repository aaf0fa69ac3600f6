//! The tenants by their three names, spread over parts, so that a change copies one part and not the whole.
//!
//! Tenants are in the buckets of the region's index, and each bucket knows its own name once it was asked for
//! it: two sides compare by names what they hold. Readers take no lock.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;
use contract::{
    ids::TenantId,
    index::{self, Bucket, BucketHashes, Entries},
    section::ContentHash,
    tenant::{Slug, TenantProfile},
};

use super::{TenantRuntime, slot::Slot};

/// Parts that names are spread over.
const PARTS: usize = 256;

/// One bucket.
#[derive(Default)]
struct Shelf {
    slots: BTreeMap<TenantId, Arc<Slot>>,
    name: OnceLock<Option<ContentHash>>,
}

impl Shelf {
    fn entries(&self) -> Entries {
        let slots = self.slots.iter();
        slots
            .map(|(tenant, slot)| (*tenant, slot.entry().clone()))
            .collect()
    }

    fn name(&self) -> Option<&ContentHash> {
        let name = self.name.get_or_init(|| {
            // One that is too large to be named is one that no index names: it counts as different.
            let body = index::document(&self.entries()).unwrap_or_default();
            body.map(|body| ContentHash::of(body.as_bytes()))
        });
        name.as_ref()
    }

    fn edited(&self, edit: impl FnOnce(&mut BTreeMap<TenantId, Arc<Slot>>)) -> Arc<Self> {
        let mut slots = self.slots.clone();
        edit(&mut slots);
        Arc::new(Self {
            slots,
            name: OnceLock::new(),
        })
    }
}

/// One kind of name.
#[derive(Clone)]
struct Names(Vec<Arc<HashMap<String, TenantId>>>);

impl Default for Names {
    fn default() -> Self {
        Self(vec![Arc::default(); PARTS])
    }
}

impl Names {
    fn part(name: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        // The remainder is below the number of parts.
        usize::try_from(hasher.finish() % PARTS as u64).unwrap_or_default()
    }

    fn find(&self, name: &str) -> Option<TenantId> {
        self.0[Self::part(name)].get(name).copied()
    }

    fn insert(&mut self, name: &str, tenant: TenantId) {
        let part = &mut self.0[Self::part(name)];
        Arc::make_mut(part).insert(name.to_owned(), tenant);
    }

    /// Forgets a name, if it is the tenant's.
    fn remove(&mut self, name: &str, tenant: TenantId) {
        if self.find(name) == Some(tenant) {
            let part = &mut self.0[Self::part(name)];
            Arc::make_mut(part).remove(name);
        }
    }
}

/// Replaced as a whole, never changed.
#[derive(Clone)]
struct Directory {
    shelves: Vec<Arc<Shelf>>,
    slugs: Names,
    hosts: Names,
    tenants: usize,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            shelves: Bucket::all().map(|_| Arc::default()).collect(),
            slugs: Names::default(),
            hosts: Names::default(),
            tenants: 0,
        }
    }
}

impl Directory {
    fn find(&self, tenant: TenantId) -> Option<&Arc<Slot>> {
        self.shelf(Bucket::of(tenant)).slots.get(&tenant)
    }

    fn shelf(&self, bucket: Bucket) -> &Shelf {
        &self.shelves[bucket.number()]
    }

    fn insert(&mut self, slot: Arc<Slot>) {
        let tenant = slot.tenant();
        self.forget_names(tenant);
        self.slugs.insert(slot.slug().as_str(), tenant);
        if let Some(host) = slot.host() {
            self.hosts.insert(host, tenant);
        }
        self.tenants += usize::from(self.find(tenant).is_none());
        let shelf = &mut self.shelves[Bucket::of(tenant).number()];
        match Arc::get_mut(shelf) {
            // Nobody else sees it yet.
            Some(shelf) => {
                shelf.slots.insert(tenant, slot);
                shelf.name = OnceLock::new();
            }
            None => {
                *shelf = shelf.edited(|slots| {
                    slots.insert(tenant, slot);
                });
            }
        }
    }

    fn remove(&mut self, tenant: TenantId) {
        self.forget_names(tenant);
        self.tenants -= usize::from(self.find(tenant).is_some());
        let shelf = &mut self.shelves[Bucket::of(tenant).number()];
        *shelf = shelf.edited(|slots| {
            slots.remove(&tenant);
        });
    }

    fn forget_names(&mut self, tenant: TenantId) {
        let Some(slot) = self.find(tenant).cloned() else {
            return;
        };
        self.slugs.remove(slot.slug().as_str(), tenant);
        if let Some(host) = slot.host() {
            self.hosts.remove(host, tenant);
        }
    }
}

/// The releases a node serves.
#[derive(Default)]
pub(crate) struct Releases(ArcSwap<Directory>);

impl Releases {
    pub(crate) fn by_id(&self, tenant: TenantId) -> Option<Arc<TenantRuntime>> {
        self.find(tenant)?.runtime()
    }

    pub(crate) fn by_slug(&self, slug: &str) -> Option<Arc<TenantRuntime>> {
        let slug: Slug = slug.parse().ok()?;
        let directory = self.0.load();
        let tenant = directory.slugs.find(slug.as_str())?;
        directory.find(tenant)?.runtime()
    }

    pub(crate) fn by_host(&self, host: &str) -> Option<Arc<TenantRuntime>> {
        let directory = self.0.load();
        let tenant = directory.hosts.find(host)?;
        directory.find(tenant)?.runtime()
    }

    /// A tenant as it is held, read or not.
    pub(crate) fn find(&self, tenant: TenantId) -> Option<Arc<Slot>> {
        self.0.load().find(tenant).cloned()
    }

    pub(crate) fn ids(&self) -> Vec<TenantId> {
        let directory = self.0.load();
        let shelves = directory.shelves.iter();
        shelves
            .flat_map(|shelf| shelf.slots.keys().copied())
            .collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.load().tenants == 0
    }

    /// The names of what is held.
    pub(crate) fn bucket_hashes(&self) -> BucketHashes {
        let directory = self.0.load();
        let names = Bucket::all().map(|bucket| (bucket, directory.shelf(bucket).name()));
        names
            .filter_map(|(bucket, name)| Some((bucket, name?.clone())))
            .collect()
    }

    /// The name of what is held of a bucket; `None` for nothing.
    pub(crate) fn bucket_hash(&self, bucket: Bucket) -> Option<ContentHash> {
        self.0.load().shelf(bucket).name().cloned()
    }

    /// What is held of a bucket.
    pub(crate) fn bucket(&self, bucket: Bucket) -> Entries {
        self.0.load().shelf(bucket).entries()
    }

    /// Whether another tenant answers to one of this tenant's names.
    pub(super) fn name_taken(&self, profile: &TenantProfile) -> bool {
        let directory = self.0.load();
        let host = profile.host.as_ref();
        let by_host = host.and_then(|host| directory.hosts.find(host.as_str()));
        let holders = [directory.slugs.find(profile.slug.as_str()), by_host];
        holders
            .into_iter()
            .flatten()
            .any(|holder| holder != profile.id)
    }

    pub(super) fn swap_in(&self, slots: Vec<Slot>) {
        let mut directory = Directory::clone(&self.0.load());
        for slot in slots {
            directory.insert(Arc::new(slot));
        }
        self.0.store(Arc::new(directory));
    }

    /// Fills an empty directory: a clone of it would copy every part once more.
    pub(super) fn fill(&self, slots: Vec<Slot>) {
        let mut directory = Directory::default();
        for slot in slots {
            directory.insert(Arc::new(slot));
        }
        self.0.store(Arc::new(directory));
    }

    pub(super) fn swap_out(&self, tenant: TenantId) {
        let mut directory = Directory::clone(&self.0.load());
        directory.remove(tenant);
        self.0.store(Arc::new(directory));
    }
}
