//! What follows from a node's word about a bucket: it is remembered as far as it is believed, and what the node
//! lacks is found.

use std::collections::BTreeSet;

use contract::{
    ids::{NodeId, TenantId},
    index::{Entries, IndexEntry},
};

use super::{
    greeting::{gone, served},
    session::Ended,
};
use crate::ControlPlane;

/// What a node should hold of a bucket, and what of its word is believed.
pub(super) struct Compared {
    /// What it should hold.
    pub(super) wanted: Entries,
    /// What it does hold, as far as we believe it. What is not believed counts as not held, so the node is sent
    /// the whole of it.
    pub(super) held: Entries,
    /// Of which tenants it says it holds what this database does not know, though nobody else could have signed it.
    pub(super) ahead: Vec<TenantId>,
}

impl Compared {
    /// `released` are tenants of which the node holds a release that is newer than what its ring should hold: it
    /// was of another ring before, and versions only grow.
    pub(super) fn new(
        node: NodeId,
        wanted: Entries,
        (mut holds, released): (Entries, &BTreeSet<TenantId>),
    ) -> Self {
        let said = holds.len();
        let leads = |(tenant, held): &(&TenantId, &IndexEntry)| {
            let current = wanted.get(*tenant);
            !released.contains(tenant) && current.is_some_and(|current| is_ahead(held, current))
        };
        let ahead = holds.iter().filter(leads).map(|(tenant, _)| *tenant);
        let ahead = ahead.collect();
        holds.retain(|tenant, held| {
            released.contains(tenant) || is_credible(held, wanted.get(tenant))
        });
        let doubted = said - holds.len();
        if doubted > 0 {
            tracing::warn!(%node, doubted, "a node says it holds what was never released to it");
        }
        Self {
            wanted,
            held: holds,
            ahead,
        }
    }

    /// Writes where it differs from what is remembered.
    pub(super) async fn remember(
        &self,
        control_plane: &ControlPlane,
        node: NodeId,
    ) -> Result<(), Ended> {
        let at = control_plane.clock().now();
        let tx = control_plane.store().begin().await?;
        // The node's row before what it holds, as when it greets: two sessions of one node may overlap.
        tx.touch_node(node, at).await?;
        let mut held = self.held.clone();
        let wanted = self.wanted.keys().copied();
        for known in tx.list_holdings_among(node, wanted).await? {
            match held.remove(&known.tenant) {
                Some(entry)
                    if known.applied_version == entry.version
                        && known.rejected_version.is_none() => {}
                Some(entry) => {
                    tx.put_holding(&served(node, known.tenant, &entry, at))
                        .await?;
                }
                None if known.applied_version == 0 => {}
                None => tx.put_holding(&gone(known, at)).await?,
            }
        }
        for (tenant, entry) in &held {
            tx.put_holding(&served(node, *tenant, entry, at)).await?;
        }
        tx.commit().await?;
        control_plane.hub().tell_heard();
        Ok(())
    }
}

/// The tenants of which a node holds what was released, but newer than what it should hold.
pub(super) async fn ahead(
    control_plane: &ControlPlane,
    wanted: &Entries,
    holds: &Entries,
) -> Result<BTreeSet<TenantId>, Ended> {
    let newer = |(tenant, held): &(&TenantId, &IndexEntry)| {
        let wanted = wanted.get(tenant);
        wanted.is_some_and(|wanted| wanted.version < held.version)
    };
    let newer: Vec<_> = holds.iter().filter(newer).collect();
    let mut ahead = BTreeSet::new();
    if newer.is_empty() {
        return Ok(ahead);
    }
    let tx = control_plane.store().begin_read().await?;
    for (tenant, held) in newer {
        let released = tx.find_release(*tenant, held.version).await?;
        if released.is_some_and(|released| released.manifest_hash == held.manifest) {
            ahead.insert(*tenant);
        }
    }
    Ok(ahead)
}

/// Whether what a node says it holds was released: by what is current.
fn is_credible(held: &IndexEntry, current: Option<&IndexEntry>) -> bool {
    current.is_some_and(|current| (1..current.version).contains(&held.version) || held == current)
}

/// Whether it would be a version that was released and forgotten here.
fn is_ahead(held: &IndexEntry, current: &IndexEntry) -> bool {
    held.version >= current.version && held != current
}

#[cfg(test)]
mod tests {
    use contract::section::ContentHash;

    use super::*;

    #[test]
    fn a_node_is_believed_only_about_what_was_released() {
        let entry = |version, content: &str| IndexEntry {
            version,
            manifest: ContentHash::of(content.as_bytes()),
        };
        let current = entry(3, "three");
        for (held, believed) in [
            (entry(3, "three"), true),
            (entry(3, "other"), false),
            // What earlier ones were is looked up before anything relies on it.
            (entry(2, "two"), true),
            (entry(1, "one"), true),
            (entry(0, "none"), false),
            (entry(4, "three"), false),
            (entry(u64::MAX, "three"), false),
        ] {
            assert_eq!(is_credible(&held, Some(&current)), believed, "{held:?}");
            assert!(!is_credible(&held, None));
        }
    }
}
