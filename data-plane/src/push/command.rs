//! Commands: work on a tenant's users that was authorized in the control plane and is done here.
//!
//! Outcomes carry no personal data, except the one-time link where it was asked for.

use contract::{
    frames::{Command, CommandOutcome},
    ids::TenantId,
};

use super::count;
use crate::{
    accounts::{AccountError, Invitation, NewInvitation},
    node::Node,
};

pub(super) async fn execute(node: &Node, tenant: TenantId, command: Command) -> CommandOutcome {
    let Some(runtime) = node.tenant(tenant) else {
        return failed("this node does not hold the tenant");
    };
    match command {
        Command::InviteUser {
            user,
            email,
            name,
            inviter,
            purpose,
            expires_at,
            delivery,
        } => {
            let invitation = Invitation {
                user,
                email,
                name,
                inviter,
                purpose,
                expires_at,
            };
            let new = NewInvitation {
                invitation,
                delivery,
            };
            match node.accounts().invite(&runtime, new).await {
                Ok(Some(url)) => CommandOutcome::Link { url },
                Ok(None) => CommandOutcome::Done,
                Err(error) => failed(&reason(&error)),
            }
        }
        Command::CountContained { subject } => match count::contained(node, tenant, &subject).await
        {
            Ok(impact) => CommandOutcome::Counted { impact },
            Err(error) => {
                tracing::error!(%error, "what a containment would hit cannot be counted");
                failed("the region could not do it now")
            }
        },
    }
}

fn reason(error: &AccountError) -> String {
    match error {
        AccountError::LinkInvalid => "the invitation would have ended already".to_owned(),
        // Whoever invites an operator learns nothing about whom else an address belongs to.
        AccountError::EmailTaken => {
            tracing::warn!("an invitation was refused: its user or its address has an account");
            "the invitation could not be made".to_owned()
        }
        // Details of databases and mail servers stay in this region's log.
        AccountError::Mail(_) | AccountError::Unavailable(_) => {
            tracing::error!(%error, "a command failed");
            "the region could not do it now".to_owned()
        }
        other => other.to_string(),
    }
}

fn failed(reason: &str) -> CommandOutcome {
    CommandOutcome::Failed {
        reason: reason.to_owned(),
    }
}
