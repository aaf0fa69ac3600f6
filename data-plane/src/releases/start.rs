//! What a node serves from its own disk, before it has spoken with anybody (R-NODE-07).
//!
//! One signature is verified, that of the region's index as it was accepted. A release that it names is then
//! believed because of its hashes, and read when somebody first asks for it: this software validated it before
//! it was sealed. Any other release is verified by its own signature and read at once, and so is everything that
//! other software sealed. What is damaged, foreign, or older than what was served before is refused, and costs
//! only its tenant.

use std::{num::NonZero, sync::Arc, thread};

use contract::{
    ids::TenantId,
    index::IndexEntry,
    manifest::Manifest,
    release::{Release, ReleaseError},
    section::{ContentHash, Section, SectionName},
};
use host::SealedFileError;

use super::{
    SnapshotError, TenantRuntime,
    apply::{Applier, ApplyError},
    index::Accepted,
    slot::{Closed, Slot},
    snapshot::{Bodies, Record},
};

/// Most threads that read at once; a disk has only so many hands.
const MAX_THREADS: usize = 8;

impl Applier {
    /// Serves everything on disk that is still to be believed. For the start, before any request.
    ///
    /// # Errors
    /// A wrong key: that is a wrong installation. Damage costs only its tenant.
    pub(crate) fn reload(&self) -> Result<(), SnapshotError> {
        self.recall_index()?;
        let accepted = self.expected.accepted();
        let tenants = self.snapshot.tenants()?;
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let share = tenants.len().div_ceil(threads.min(MAX_THREADS)).max(1);
        let read: Vec<_> = thread::scope(|scope| {
            let shares = tenants.chunks(share).map(|tenants| {
                let accepted = accepted.as_deref();
                scope.spawn(move || self.read_all(tenants, accepted))
            });
            let shares: Vec<_> = shares.collect();
            let joined = shares.into_iter().map(|share| share.join());
            joined
                .map(|read| read.expect("reading a release never panics"))
                .collect()
        });
        let mut slots = Vec::with_capacity(tenants.len());
        for share in read {
            slots.extend(share?);
        }
        self.releases.fill(slots);
        if let Some(accepted) = accepted {
            self.expected.set(accepted, None, &self.releases);
        }
        Ok(())
    }

    /// The index as it was accepted last. Without one, or with a spoiled one, every release is verified on its
    /// own.
    fn recall_index(&self) -> Result<(), SnapshotError> {
        let kept = match self.snapshot.index() {
            Err(SnapshotError::File(error @ SealedFileError::WrongKey { .. })) => {
                return Err(error.into());
            }
            Err(error) => {
                tracing::error!(%error, "ALARM: the region's index cannot be read; every release is verified on its own");
                return Ok(());
            }
            Ok(kept) => kept,
        };
        let Some(mut kept) = kept else {
            return Ok(());
        };
        let reached = std::mem::take(&mut kept.reached);
        match Accepted::read(kept, &self.trust) {
            Ok(accepted) if *accepted.region() == self.region => {
                let accepted = Arc::new(accepted);
                self.expected.set(accepted, Some(reached), &self.releases);
            }
            Ok(_) => {
                tracing::error!("ALARM: the region's index that was kept is of another region")
            }
            Err(error) => {
                tracing::error!(%error, "ALARM: the region's index that was kept is refused");
            }
        }
        Ok(())
    }

    fn read_all(
        &self,
        tenants: &[TenantId],
        accepted: Option<&Accepted>,
    ) -> Result<Vec<Slot>, SnapshotError> {
        let mut slots = Vec::with_capacity(tenants.len());
        for tenant in tenants {
            let listed = accepted.and_then(|accepted| accepted.find(*tenant));
            match self.read(*tenant, listed) {
                Ok(slot) => slots.extend(slot),
                Err(ApplyError::Snapshot(SnapshotError::File(
                    error @ SealedFileError::WrongKey { .. },
                ))) => return Err(error.into()),
                Err(error) => self.alarm(*tenant, None, &error.to_string()),
            }
        }
        Ok(slots)
    }

    /// One tenant; `None` for one that was dropped.
    fn read(
        &self,
        tenant: TenantId,
        listed: Option<&IndexEntry>,
    ) -> Result<Option<Slot>, ApplyError> {
        let Some(mut record) = self.snapshot.record(tenant)? else {
            return Ok(None);
        };
        let Some(jws) = record.manifest.take() else {
            return Ok(None);
        };
        let reached = self.expected.reached(tenant);
        if record.highest < reached {
            return Err(ApplyError::Rollback {
                offered: record.highest,
                highest: reached,
            });
        }
        let hash = Manifest::hash_of(&jws);
        let vouched = listed.is_some_and(|listed| listed.manifest == hash);
        if vouched && record.software == self.software_version {
            let manifest = Manifest::read_named(&jws, &hash)?;
            self.check_addressee(tenant, &manifest)?;
            return self.close(manifest, hash, record).map(Some);
        }
        let manifest = Manifest::verify(&jws, &self.trust)?;
        self.check_addressee(tenant, &manifest)?;
        let bodies = self.bodies(&manifest, Bodies::new(), Some(record));
        let release = Release::assemble(manifest, |hash| bodies.get(hash).map(String::as_str))?;
        let runtime = TenantRuntime::new(release, hash, self.keys.of(tenant));
        Ok(Some(Slot::open(Arc::new(runtime))))
    }

    /// Checks that a release is whole and what was signed for, and leaves it to its first use to read it.
    fn close(
        &self,
        manifest: Manifest,
        hash: ContentHash,
        record: Record,
    ) -> Result<Slot, ApplyError> {
        let tenant = manifest.tenant;
        let bodies = self.bodies(&manifest, Bodies::new(), Some(record));
        for (name, hash) in &manifest.sections {
            let body = bodies.get(hash).ok_or(ReleaseError::Missing(*name))?;
            if ContentHash::of(body.as_bytes()) != *hash {
                return Err(ReleaseError::Tampered(*name).into());
            }
        }
        let name = SectionName::Tenant;
        let body = manifest
            .sections
            .get(&name)
            .and_then(|hash| bodies.get(hash));
        let body = body.ok_or(ReleaseError::Missing(name))?;
        let read = Section::parse(name, body);
        let read = read.map_err(|error| ReleaseError::Refused(name, error))?;
        let Section::Tenant(profile) = read else {
            return Err(ReleaseError::Missing(name).into());
        };
        if profile.id != tenant {
            return Err(
                ReleaseError::Inconsistent("its tenant section belongs to another tenant").into(),
            );
        }
        let entry = IndexEntry {
            version: manifest.version,
            manifest: hash,
        };
        let closed = Closed {
            keys: self.keys.of(tenant),
            manifest,
            bodies,
        };
        Ok(Slot::closed(entry, &profile, closed))
    }
}

#[cfg(test)]
mod tests;
