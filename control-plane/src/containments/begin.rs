//! Containing: check, number, sign, write, commit; then tell, and wait if asked.

use chrono::{DateTime, Utc};
use contract::{
    containment::{Containment, MAX_ON_ROLL, Subject},
    frames::{Command, CommandOutcome},
    ids::{CommandId, TenantId},
    permission::Permission,
    receipt::Impact,
    tenant::Region,
    text,
};
use serde_json::json;

use super::{
    ContainmentRecord, ContainmentState, MAX_REASON_CHARS, NewContainment, Wait, event, in_words,
    length, moment,
};
use crate::{
    Caller, ControlPlane, Mode, Refusal,
    applications::ApplicationRecord,
    audit::Event,
    change::{Change, Done},
    store::{News, Tx},
    tenants::Tenant,
};

impl ControlPlane {
    /// Contains something or somebody of a tenant from now on: nodes are told the moment it is committed.
    ///
    /// # Errors
    /// Needs `tenant.containments.manage`; [`Refusal::Invalid`] for an application or a key that the tenant does
    /// not have, for the reason and the length; [`Refusal::Conflict`] for what would lock out whoever could
    /// lift it (`built_in`), for what is contained already (`contained`), and if nodes hold as many as they
    /// can (`too_many_containments`).
    pub async fn contain(
        &self,
        caller: &Caller,
        tenant: TenantId,
        new: NewContainment,
        (wait, mode): (Wait, Mode),
    ) -> Result<ContainmentState, Refusal> {
        let change = self
            .change(caller, tenant, Permission::ContainmentsManage, mode)
            .await?;
        text::check_line("reason", &new.reason, MAX_REASON_CHARS)?;
        let at = change.at();
        let until = at + length(new.minutes)?;
        let name = check_subject(change.tx(), change.tenant(), &new.subject, at).await?;
        let region = change.tenant().region.clone();
        check_room(change.tx(), &region, at).await?;
        let containment = Containment {
            id: self.new_id(),
            revision: 1,
            sequence: change.tx().next_containment_sequence(&region).await?,
            tenant,
            region,
            subject: new.subject,
            ends_existing: new.ends_existing,
            begun_at: at,
            until,
            lifted_at: None,
        };
        let record = ContainmentRecord {
            document: self.sign_containment(&containment)?,
            impact: self.previews().recall(tenant, &containment.subject).await,
            containment,
            accepted_at: at,
            reason: new.reason,
            actor: caller.operator(),
            actor_name: caller.name().to_owned(),
            revised_by: caller.operator(),
            lifted_reason: None,
            lifted_by: None,
        };
        let sentence = format!(
            "Contained {} until {}: {}",
            in_words(&record.containment.subject, name.as_deref()),
            moment(until),
            record.reason
        );
        let event = event("containments.begin", sentence, &record, name.as_deref())
            .after(&json!({ "containment": &record.containment, "reason": &record.reason }));
        self.revise(change, record, event, wait).await
    }

    /// Signs a revision.
    pub(super) fn sign_containment(&self, containment: &Containment) -> Result<String, Refusal> {
        containment.sign(self.signer()).map_err(Refusal::internal)
    }

    /// Writes a revision and ends the change; then tells nodes, before anything else is done.
    pub(super) async fn revise(
        &self,
        change: Change<'_>,
        record: ContainmentRecord,
        event: Event,
        wait: Wait,
    ) -> Result<ContainmentState, Refusal> {
        change.tx().put_containment(&record).await?;
        let news = News::Containments(record.containment.region.clone());
        if change.is_dry_run() {
            let state = self.state_of_containment(change.tx(), record).await?;
            return change.finish(Done::new(state, event)).await;
        }
        change.finish(Done::new((), event).also_news(news)).await?;
        let mut record = record;
        record.accepted_at = self.clock().now();
        self.tell_contained(&record).await;
        if record.impact.is_none() && record.containment.revision == 1 {
            self.ask_what_it_hits(&record);
        }
        if wait == Wait::Reachable {
            self.wait_for_reachable(&record).await?;
        }
        let tx = self.store().begin_read().await?;
        let accepted_at = record.accepted_at;
        let id = record.containment.id;
        let record = super::existing(&tx, record.containment.tenant, id).await?;
        // Whether the moment of the commit stands in the database yet is a matter of milliseconds.
        let record = ContainmentRecord {
            accepted_at,
            ..record
        };
        self.state_of_containment(&tx, record).await
    }

    /// Has the region count what a new containment hits, and writes that down when it comes. Nobody waits for
    /// it: counting people takes longer than stopping them.
    fn ask_what_it_hits(&self, record: &ContainmentRecord) {
        let (control_plane, containment) = (self.clone(), record.containment.clone());
        tokio::spawn(async move {
            let Containment {
                id,
                tenant,
                region,
                subject,
                ..
            } = containment;
            let counted = control_plane
                .count_contained(&region, tenant, subject)
                .await;
            let Ok(impact) = counted else {
                return tracing::info!(containment = %id, "the region does not tell what a containment hits");
            };
            let written: Result<(), Refusal> = async {
                let tx = control_plane.store().begin().await?;
                tx.count_containment(id, &impact).await?;
                Ok(tx.commit().await?)
            }
            .await;
            match written {
                Ok(()) => control_plane.lanes().tell_changed(),
                Err(error) => {
                    tracing::warn!(?error, containment = %id, "what a containment hits could not be written");
                }
            }
        });
    }

    /// Asks a node of the region what containing the subject would hit.
    ///
    /// # Errors
    /// Why nobody can tell, in words.
    pub(super) async fn count_contained(
        &self,
        region: &Region,
        tenant: TenantId,
        subject: Subject,
    ) -> Result<Impact, String> {
        let id: CommandId = self.new_id();
        let command = Command::CountContained { subject };
        match self.hub().command(region, tenant, id, command).await {
            Ok(CommandOutcome::Counted { impact }) => Ok(impact),
            Ok(CommandOutcome::Failed { reason }) => Err(reason),
            Ok(_) => Err("The node answered something else.".to_owned()),
            Err(refusal) => Err(refusal.to_string()),
        }
    }
}

/// Refuses what the tenant does not have, what must not be contained, and what is already. Gives an application's
/// name.
pub(super) async fn check_subject(
    tx: &Tx,
    tenant: &Tenant,
    subject: &Subject,
    now: DateTime<Utc>,
) -> Result<Option<String>, Refusal> {
    let name = match subject {
        Subject::Tenant {} if tenant.is_platform() => return Err(would_lock_out("tenant")),
        Subject::Tenant {} | Subject::User { .. } | Subject::Session { .. } => None,
        Subject::Application { application } => {
            let found = tx
                .find::<ApplicationRecord>(tenant.id, *application)
                .await?;
            let record = found.ok_or_else(|| unknown("is not an application of the tenant"))?;
            if record.built_in {
                return Err(would_lock_out("application"));
            }
            Some(record.application.name)
        }
        Subject::SigningKey { kid } => {
            let keys = tx.list_tenant_keys(tenant.id).await?;
            if !keys.iter().any(|key| key.kid == kid.as_str()) {
                return Err(unknown("is not a key of the tenant"));
            }
            None
        }
    };
    match tx.find_contained(tenant.id, subject, now).await? {
        None => Ok(name),
        Some(there) => Err(Refusal::conflict(
            "contained",
            format!(
                "It is contained already, by {}: change that one.",
                there.containment.id
            ),
        )),
    }
}

fn unknown(reason: &str) -> Refusal {
    Refusal::invalid("subject", reason)
}

fn would_lock_out(what: &str) -> Refusal {
    Refusal::conflict(
        "built_in",
        format!(
            "Operators sign in through this {what}: containing it would lock out everybody who could lift it."
        ),
    )
}

async fn check_room(tx: &Tx, region: &Region, now: DateTime<Utc>) -> Result<(), Refusal> {
    let held = tx.count_remembered_containments(region, now).await?;
    if held < MAX_ON_ROLL as u64 {
        return Ok(());
    }
    Err(Refusal::conflict(
        "too_many_containments",
        format!("The nodes of the region {region} hold {held} containments, as many as they can."),
    ))
}
