//! Changing what is contained: lifting it, or letting it end at another time. Each is one more revision.

use contract::{containment::Containment, permission::Permission, text};
use serde_json::json;

use super::{
    ContainmentAt, ContainmentChange, ContainmentRecord, ContainmentState, MAX_REASON_CHARS, Wait,
    event, existing, in_words, length, moment, state::subject_name,
};
use crate::{
    Caller, ControlPlane, Mode, Refusal,
    change::{Change, check_version},
};

impl ControlPlane {
    /// Lifts a containment that is in force, or lets it end at another time.
    ///
    /// # Errors
    /// Needs `tenant.containments.manage`; [`Refusal::NotFound`]; [`Refusal::Stale`]; [`Refusal::Invalid`] for
    /// the reason and the length; [`Refusal::Conflict`] (`over`) once it ended.
    pub async fn change_containment(
        &self,
        caller: &Caller,
        at: ContainmentAt,
        change: ContainmentChange,
        (wait, mode): (Wait, Mode),
    ) -> Result<ContainmentState, Refusal> {
        let begun = self
            .change(caller, at.tenant, Permission::ContainmentsManage, mode)
            .await?;
        let before = revisable(&begun, at).await?;
        let name = subject_name(begun.tx(), at.tenant, &before.containment.subject).await?;
        let mut after = ContainmentRecord {
            revised_by: caller.operator(),
            accepted_at: begun.at(),
            ..before.clone()
        };
        let containment = &mut after.containment;
        let words = in_words(&containment.subject, name.as_deref());
        let (action, sentence) = match change {
            ContainmentChange::Lift { reason } => {
                text::check_line("reason", &reason, MAX_REASON_CHARS)?;
                containment.lifted_at = Some(begun.at());
                let sentence = format!("Lifted the containment of {words}: {reason}");
                after.lifted_reason = Some(reason);
                after.lifted_by = Some(caller.name().to_owned());
                ("containments.lift", sentence)
            }
            ContainmentChange::Until { minutes } => {
                containment.until = begun.at() + length(minutes)?;
                let until = moment(containment.until);
                let sentence = format!("Let the containment of {words} end at {until}.");
                ("containments.extend", sentence)
            }
        };
        self.number(&begun, &mut after).await?;
        let event = event(action, sentence, &after, name.as_deref())
            .before(&shown(&before))
            .after(&shown(&after));
        self.revise(begun, after, event, wait).await
    }

    /// Makes it the next revision: numbers and signs it. The last thing that is done to it.
    async fn number(
        &self,
        change: &Change<'_>,
        record: &mut ContainmentRecord,
    ) -> Result<(), Refusal> {
        let Containment {
            revision,
            sequence,
            region,
            ..
        } = &mut record.containment;
        *revision += 1;
        *sequence = change.tx().next_containment_sequence(region).await?;
        record.document = self.sign_containment(&record.containment)?;
        Ok(())
    }
}

/// The containment as it is, if it can still be changed and the caller has seen it so.
async fn revisable(change: &Change<'_>, at: ContainmentAt) -> Result<ContainmentRecord, Refusal> {
    let record = existing(change.tx(), at.tenant, at.id).await?;
    check_version(at.expected, i64::from(record.containment.revision))?;
    if record.containment.is_in_force(change.at()) {
        return Ok(record);
    }
    Err(Refusal::conflict(
        "over",
        format!(
            "It ended at {}. Contain the subject anew.",
            moment(record.containment.ends_at())
        ),
    ))
}

/// What the log keeps of it.
fn shown(record: &ContainmentRecord) -> serde_json::Value {
    json!({
        "containment": &record.containment,
        "reason": &record.reason,
        "lifted_reason": &record.lifted_reason,
    })
}
