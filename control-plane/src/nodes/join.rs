//! Join tokens: made here, shown once, kept as a hash, good once and for a quarter of an hour (R-NODE-01).
//!
//! A token names one node in one region. It may also be made for a node that is enrolled, because a machine
//! that lost its disk has to come back as who it was; its earlier certificates are void then. A new token
//! voids the one before it, so that of all that were ever printed one works at most.

use chrono::{DateTime, Utc};
use contract::{
    canonical::sha256_hex,
    enrolment::{self, EnrolRequest, JOIN_LIFE},
    ids::NodeId,
    secret::format_secret,
};
use host::Secret;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::{Node, NodeStanding, event};
use crate::{Caller, ControlPlane, Mode, Refusal, change::Done};

/// A join token, this once.
#[derive(Debug, Clone)]
pub struct MadeJoinToken {
    /// Its text. That of a dry run opens nothing.
    pub text: Secret,
    /// When it stops working, used or not.
    pub expires_at: DateTime<Utc>,
}

/// A join token as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct JoinRecord {
    /// Whose place it lets a process take.
    pub(crate) node: Node,
    /// Lower-case hexadecimal SHA-256 of its secret.
    pub(crate) sha256: String,
    /// When it stops working.
    pub(crate) expires_at: DateTime<Utc>,
    /// When it was used.
    pub(crate) spent_at: Option<DateTime<Utc>>,
}

/// Why a join token is not accepted. Whoever presents it is not told which it was: only somebody who may
/// read the log has use for the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Unfit {
    /// There is none with this secret; a newer one may have taken its place.
    Unknown,
    /// The node was revoked.
    Revoked,
    /// It was used.
    Spent,
    /// It is too old.
    Expired,
    /// It is for a node of another name.
    OtherName,
    /// It is for a node in another region.
    OtherRegion,
}

impl Unfit {
    /// Completes "with a join token that …".
    pub(super) fn phrase(self) -> &'static str {
        match self {
            Self::Unknown => "nobody made, or that a newer one replaced",
            Self::Revoked => "is for a revoked node",
            Self::Spent => "was used before",
            Self::Expired => "is too old",
            Self::OtherName => "is for a node of another name",
            Self::OtherRegion => "is for another region",
        }
    }
}

impl JoinRecord {
    /// Whether the token lets whoever presents it become the node it is for.
    pub(super) fn judge(
        &self,
        request: &EnrolRequest,
        presented: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Unfit> {
        let refusals = [
            // Found by the hash, so this can only differ by a fault of the database.
            (
                !bool::from(self.sha256.as_bytes().ct_eq(presented.as_bytes())),
                Unfit::Unknown,
            ),
            (self.node.standing == NodeStanding::Revoked, Unfit::Revoked),
            (self.spent_at.is_some(), Unfit::Spent),
            (now >= self.expires_at, Unfit::Expired),
            (self.node.name != request.name, Unfit::OtherName),
            (self.node.region != request.region, Unfit::OtherRegion),
        ];
        match refusals.into_iter().find(|(applies, _)| *applies) {
            Some((_, unfit)) => Err(unfit),
            None => Ok(()),
        }
    }
}

impl ControlPlane {
    /// Makes a join token for a node; an earlier one is void.
    ///
    /// # Errors
    /// Needs `platform.nodes.manage`; [`Refusal::NotFound`]; [`Refusal::Conflict`] for a node that was revoked
    /// (`revoked`), for one of this process (`embedded`), and while no push address is configured
    /// (`no_push_address`).
    pub async fn make_join_token(
        &self,
        caller: &Caller,
        node: NodeId,
        mode: Mode,
    ) -> Result<MadeJoinToken, Refusal> {
        let (change, node) = self.change_node(caller, node, mode).await?;
        if node.standing == NodeStanding::Revoked {
            return Err(Refusal::conflict(
                "revoked",
                "The node was revoked and stays so. Delete it, and make another one.",
            ));
        }
        if node.is_embedded() {
            return Err(Refusal::conflict(
                "embedded",
                "The node runs in the control plane's own process and needs no token.",
            ));
        }
        let address = self.push_address().ok_or_else(|| {
            Refusal::conflict(
                "no_push_address",
                "This process has no push address, so no other node can join it. Run bailiwick control-plane for that.",
            )
        })?;
        let secret = format_secret(&self.entropy().bytes::<32>());
        let expires_at = change.at() + JOIN_LIFE;
        let sha256 = sha256_hex(secret.as_bytes());
        let authorities = self.trusted_authorities(change.tx()).await?;
        change
            .tx()
            .put_join_token(node.id, &sha256, expires_at)
            .await?;
        let token = enrolment::JoinToken {
            address: address.to_string(),
            name: node.name.clone(),
            region: node.region.clone(),
            authorities,
            secret,
        };
        let made = MadeJoinToken {
            text: Secret::new(token.to_text()),
            expires_at,
        };
        let sentence = format!("Made a join token for the node {}.", node.name);
        let event = event("nodes.join_token", sentence, &node)
            .after(&json!({"expires_at": expires_at, "address": token.address}));
        change.finish(Done::new(made, event)).await
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use contract::{
        enrolment::Der,
        ids::{NodeId, TypedId},
    };

    use super::*;

    fn record() -> JoinRecord {
        let at = DateTime::UNIX_EPOCH;
        let id = NodeId::from_uuid(uuid::Uuid::nil());
        JoinRecord {
            node: Node::awaiting(id, "eu-1".parse().unwrap(), "eu".parse().unwrap(), at),
            sha256: sha256_hex(b"secret"),
            expires_at: at + JOIN_LIFE,
            spent_at: None,
        }
    }

    fn request(name: &str, region: &str) -> EnrolRequest {
        EnrolRequest {
            name: name.parse().unwrap(),
            region: region.parse().unwrap(),
            secret: "secret".to_owned(),
            csr: Der::new(vec![0x30]).unwrap(),
        }
    }

    #[test]
    fn a_join_token_is_good_once_for_its_name_and_region_and_a_quarter_of_an_hour_r_node_01() {
        let at = DateTime::UNIX_EPOCH;
        let fits = request("eu-1", "eu");
        let hash = sha256_hex(b"secret");
        let last_moment = at + JOIN_LIFE - TimeDelta::milliseconds(1);
        assert_eq!(record().judge(&fits, &hash, at), Ok(()));
        assert_eq!(record().judge(&fits, &hash, last_moment), Ok(()));

        let spent = JoinRecord {
            spent_at: Some(at),
            ..record()
        };
        let mut revoked = record();
        revoked.node.standing = NodeStanding::Revoked;
        let table = [
            (record(), request("eu-2", "eu"), at, Unfit::OtherName),
            (record(), request("eu-1", "us"), at, Unfit::OtherRegion),
            (record(), fits.clone(), at + JOIN_LIFE, Unfit::Expired),
            (spent, fits.clone(), at, Unfit::Spent),
            (revoked, fits.clone(), at, Unfit::Revoked),
        ];
        for (record, request, now, unfit) in table {
            assert_eq!(record.judge(&request, &hash, now), Err(unfit), "{unfit:?}");
        }
        let other = sha256_hex(b"other");
        assert_eq!(record().judge(&fits, &other, at), Err(Unfit::Unknown));
    }

    #[test]
    fn an_enrolled_node_that_lost_its_disk_may_come_back_as_itself_r_node_01() {
        let mut record = record();
        record.node.standing = NodeStanding::Enrolled;
        let hash = record.sha256.clone();
        let fits = request("eu-1", "eu");
        assert_eq!(record.judge(&fits, &hash, DateTime::UNIX_EPOCH), Ok(()));
    }
}
