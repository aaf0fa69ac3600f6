//! Enrolment: a process with a join token takes a node's place (R-NODE-01).
//!
//! Whoever asks is a stranger until the token is found: everything before is one look at the database. Using
//! the token up and writing the certificate are one transaction, so of two processes that hold the same
//! token one becomes the node. All refusals of a token read the same outside; the log tells them apart, and
//! tells each kind only once in a while, so that strangers cannot bury it.

use chrono::{DateTime, Utc};
use contract::{
    canonical::sha256_hex,
    enrolment::{EnrolAnswer, EnrolRequest},
    ids::NodeId,
    permission::Permission,
};
use serde_json::json;

use super::{JoinRecord, Node, NodeStanding, event, join::Unfit};
use crate::{
    ControlPlane, Mode, Refusal,
    audit::Event,
    authorities::NodeKey,
    authz::Attempt,
    change::{Change, Done, Target},
    store::{News, Tx},
};

/// The code of the one refusal that every unfit token gets.
const JOIN_REFUSED: &str = "join_token_refused";

impl ControlPlane {
    /// Makes the process that asks the node its token is for. The secret is the proof; there is no caller.
    ///
    /// # Errors
    /// [`Refusal::Conflict`] (`join_token_refused`) for a token that is unknown, used, too old, or for
    /// another name or region; [`Refusal::Invalid`] for the certificate signing request, which leaves the
    /// token good.
    pub async fn enrol(&self, request: EnrolRequest) -> Result<EnrolAnswer, Refusal> {
        let hash = sha256_hex(request.secret.as_bytes());
        if let Verdict::Unfit(unfit, token) = self.look_at_token(&request, &hash).await? {
            return Err(self.turn_down(unfit, token).await);
        }
        let key = NodeKey::of(&request.csr)?;
        let caller = self.system_caller();
        let change = self
            .change(
                &caller,
                Target::Platform,
                Permission::NodesManage,
                Mode::Commit,
            )
            .await?;
        // Again, now that nobody else enrols.
        let mut verdict = judge(change.tx(), &request, &hash, change.at()).await?;
        if let Verdict::Fit(token) = verdict {
            verdict = match change.tx().spend_join_token(&token, change.at()).await? {
                true => Verdict::Fit(token),
                false => Verdict::Unfit(Unfit::Spent, Some(token)),
            };
        }
        let token = match verdict {
            Verdict::Fit(token) => token,
            Verdict::Unfit(unfit, token) => {
                let told = refused(unfit, token.as_ref());
                return Err(change.refuse_as(told, unaccepted()).await);
            }
        };
        self.take_place(change, token.node, &key).await
    }

    /// Writes that a process is `before` from now on, and gives it what it needs.
    async fn take_place(
        &self,
        change: Change<'_>,
        before: Node,
        key: &NodeKey,
    ) -> Result<EnrolAnswer, Refusal> {
        let voided = change
            .tx()
            .revoke_node_certificates(before.id, change.at())
            .await?;
        let mut after = before.clone();
        after.standing = NodeStanding::Enrolled;
        after.touch(change.at());
        change.tx().decide_node(&after).await?;
        let issued = self.issue(change.tx(), after.id, key).await?;
        let answer = EnrolAnswer {
            node: after.id,
            certificate: issued.certificate,
            authorities: self.sign_authorities(change.tx()).await?,
            trust: self.trust_root(),
        };
        let sentence = match before.standing {
            NodeStanding::Enrolled => format!(
                "The node {} enrolled again; its earlier certificates are void.",
                after.name
            ),
            _ => format!("The node {} enrolled.", after.name),
        };
        let told = event("nodes.enrol", sentence, &after).after(&json!({
            "certificate": answer.certificate.fingerprint(),
            "ends_at": issued.ends_at,
            "voided": voided,
        }));
        // Whoever was this node until now is not any more.
        let news = News::Node(after.id);
        let done = Done::new(answer, told).also_news(news);
        change.finish(done).await
    }

    /// A look before anything is verified or locked.
    async fn look_at_token(&self, request: &EnrolRequest, hash: &str) -> Result<Verdict, Refusal> {
        let tx = self.store().begin_read().await?;
        judge(&tx, request, hash, self.clock().now()).await
    }

    /// Refuses, and tells the log unless it has just been told of the same.
    async fn turn_down(&self, unfit: Unfit, token: Option<JoinRecord>) -> Refusal {
        let node = token.as_ref().map(|token| token.node.id);
        let now = self.clock().now();
        let attempt = Attempt::Enrolment(node, unfit);
        if self.inner.strangers.is_news(attempt, now).await {
            tracing::warn!(node = node.as_ref().map(NodeId::to_string), reason = ?unfit, "a join token was refused");
            match self.platform_id().await {
                Ok(log) => {
                    let told = refused(unfit, token.as_ref());
                    self.record_alone(&self.system_caller(), log, told).await;
                }
                Err(error) => tracing::error!(?error, "a refused join token could not be recorded"),
            }
        }
        unaccepted()
    }
}

/// What there is to say of a token that was presented.
enum Verdict {
    Fit(JoinRecord),
    /// Why it is refused, and what is known of it.
    Unfit(Unfit, Option<JoinRecord>),
}

async fn judge(
    tx: &Tx,
    request: &EnrolRequest,
    hash: &str,
    now: DateTime<Utc>,
) -> Result<Verdict, Refusal> {
    let Some(token) = tx.find_join_token(hash).await? else {
        return Ok(Verdict::Unfit(Unfit::Unknown, None));
    };
    Ok(match token.judge(request, hash, now) {
        Ok(()) => Verdict::Fit(token),
        Err(unfit) => Verdict::Unfit(unfit, Some(token)),
    })
}

fn unaccepted() -> Refusal {
    Refusal::conflict(
        JOIN_REFUSED,
        "The join token is not accepted. Make a new one for this node, name and region, and use it at once.",
    )
}

fn refused(unfit: Unfit, token: Option<&JoinRecord>) -> Event {
    let sentence = format!(
        "Somebody tried to enrol with a join token that {}.",
        unfit.phrase()
    );
    match token {
        Some(token) => event("nodes.enrol", sentence, &token.node),
        None => Event::new("nodes.enrol", sentence),
    }
    .unsuccessful()
}
