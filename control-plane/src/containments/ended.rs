//! Containments that ended by themselves: the log tells it once, for whoever reads what became of one.

use contract::permission::Permission;

use super::{ContainmentRecord, event, in_words, moment};
use crate::{ControlPlane, Mode, Refusal, audit::Event, change::Done, jobs::Lease};

/// Most that one round tells.
const MOST: u64 = 100;

impl ControlPlane {
    /// Tells the logs of what ended since the last time. The job of one replica at a time.
    pub(crate) async fn tell_ended_containments(&self, lease: &Lease) -> Result<(), Refusal> {
        let tx = self.store().begin_read().await?;
        let ended = tx.list_ended_untold(self.clock().now(), MOST).await?;
        drop(tx);
        for record in ended {
            self.tell_ended_containment(lease, &record).await?;
        }
        Ok(())
    }

    async fn tell_ended_containment(
        &self,
        lease: &Lease,
        record: &ContainmentRecord,
    ) -> Result<(), Refusal> {
        let system = self.system_caller();
        let containment = &record.containment;
        let (tenant, permission) = (containment.tenant, Permission::ContainmentsManage);
        let change = self
            .change(&system, tenant, permission, Mode::Commit)
            .await?;
        change.tx().check_fence(lease).await?;
        change
            .tx()
            .put_containment_end(containment.id, change.at())
            .await?;
        change.finish(Done::new((), ended(record))).await
    }
}

fn ended(record: &ContainmentRecord) -> Event {
    let words = in_words(&record.containment.subject, None);
    let at = moment(record.containment.ends_at());
    let sentence = format!("The containment of {words} ended by itself at {at}.");
    event("containments.end", sentence, record, None)
}
