//! Whether this node may serve at all, by what its control plane told it and by the end of its certificate (F-13).
//!
//! A node that was told, by a control plane that proved itself, that it is revoked serves nobody from then on, also
//! after a restart: whoever revokes a machine does not trust it with sign-ins. A certificate that merely ended says
//! nothing against the machine; it serves on for a grace, because the control plane may be what is gone
//! (R-NODE-07, R-NODE-09), and then stops by itself. It must never serve more than before.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use host::HealthHandle;

use crate::node::Node;

/// How long a node serves whose certificate has ended.
pub(crate) const CERTIFICATE_GRACE: TimeDelta = TimeDelta::days(7);

/// Why a node serves nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Down {
    Revoked,
    GraceOver(DateTime<Utc>),
}

/// Whether it may serve.
pub(crate) struct Standing {
    down: ArcSwapOption<Down>,
    health: HealthHandle,
}

impl Standing {
    /// It may.
    pub(crate) fn new(health: HealthHandle) -> Self {
        health.ready();
        Self {
            down: ArcSwapOption::empty(),
            health,
        }
    }

    /// Whether it serves nobody.
    pub(crate) fn is_down(&self) -> bool {
        self.down.load().is_some()
    }

    /// It was revoked: from now on and for good.
    pub(crate) fn revoked(&self) {
        if !self.is_revoked() {
            tracing::error!("ALARM: this node was revoked; it serves nobody from now on");
        }
        self.down.store(Some(Arc::new(Down::Revoked)));
        self.health
            .not_ready("revoked by the control plane: this node serves nobody any more");
    }

    /// Its certificate ends or ended at `ends`; it is `now`, and there is no newer one.
    pub(crate) fn certified_until(&self, ends: DateTime<Utc>, now: DateTime<Utc>) {
        if self.is_revoked() {
            return;
        }
        if now < ends + CERTIFICATE_GRACE {
            self.down.store(None);
            self.health.ready();
            return;
        }
        if !self.is_down() {
            tracing::error!(%ends, "ALARM: the grace after the certificate's end is over; nobody is served");
        }
        self.down.store(Some(Arc::new(Down::GraceOver(ends))));
        self.health.not_ready(format!(
            "its certificate ended {}, more than {} days ago: this node serves nobody until it is renewed",
            ends.to_rfc3339_opts(SecondsFormat::Secs, true),
            CERTIFICATE_GRACE.num_days()
        ));
    }

    fn is_revoked(&self) -> bool {
        self.down.load().as_deref() == Some(&Down::Revoked)
    }
}

impl Node {
    /// Whether nobody may be served: this machine's clock is wrong, or it may not be a node any more.
    pub fn is_out_of_service(&self) -> bool {
        self.clock_check().is_wrong() || self.standing().is_down()
    }

    /// Serves nobody from now on: its control plane revoked it (F-13).
    pub fn stand_down(&self) {
        self.standing().revoked();
    }
}

#[cfg(test)]
mod tests {
    use host::{Health, health::Status};

    use super::*;

    #[tokio::test]
    async fn an_ended_certificate_has_a_grace_and_a_revoked_node_has_none_f_13() {
        let ends = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let health = Health::new();
        let standing = Standing::new(health.register("standing"));
        for (after, down) in [
            (TimeDelta::days(-1), false),
            (TimeDelta::zero(), false),
            (CERTIFICATE_GRACE - TimeDelta::seconds(1), false),
            (CERTIFICATE_GRACE, true),
            (CERTIFICATE_GRACE * 2, true),
        ] {
            standing.certified_until(ends, ends + after);
            assert_eq!(standing.is_down(), down, "{after}");
            let ready = health.report().await.status == Status::Ready;
            assert_eq!(ready, !down, "{after}");
        }
        standing.certified_until(ends + CERTIFICATE_GRACE * 3, ends);
        assert!(!standing.is_down(), "renewed");
        standing.revoked();
        standing.certified_until(ends + CERTIFICATE_GRACE * 3, ends);
        assert!(standing.is_down(), "nothing takes that back");
        assert_eq!(health.report().await.status, Status::NotReady);
    }
}
