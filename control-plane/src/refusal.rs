//! Refusals: why a method did not do what it was asked, in terms of the person who asked.
//!
//! One enum for all methods, because the doors map it in one place each: the admin API to problem
//! documents, the console to pages. A refusal never carries a secret, personal data or the text of a
//! database error; [`Refusal::Internal`] keeps its source for the log only.

use std::error::Error;

use contract::{
    Invalid,
    duty::DutyKey,
    permission::Permission,
    role::{Party, Role},
};

/// Why a method refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It does not exist, or the caller may not know that it does.
    #[error("{what} was not found")]
    NotFound {
        /// What was looked for, as the wire calls it.
        what: &'static str,
    },
    /// What was sent breaks rules.
    #[error("{}", first_violation(.0))]
    Invalid(Vec<Violation>),
    /// The caller may not do this.
    #[error("{}", .0.detail())]
    Forbidden(Box<Denial>),
    /// It contradicts what is there already.
    #[error("{detail}")]
    Conflict {
        /// A stable code, for example `slug_taken`.
        code: &'static str,
        /// What stands in the way, and what to do.
        detail: String,
    },
    /// The caller saw an older version than the one that would be overwritten (`If-Match`).
    #[error("it was changed in the meantime; the current version is {current_version}")]
    Stale {
        /// The version that is there now.
        current_version: i64,
    },
    /// It cannot be done at the moment.
    #[error("{detail}")]
    Unavailable {
        /// What is missing.
        detail: String,
    },
    /// Our fault. The source goes to the log and nowhere else.
    #[error("something went wrong on our side")]
    Internal(#[source] Box<dyn Error + Send + Sync>),
}

/// One rule that a value breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The member, as the wire calls it.
    pub member: &'static str,
    /// Why it is refused: a fragment that follows the member's name.
    pub reason: String,
}

impl Refusal {
    /// Refuses one value.
    pub fn invalid(member: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation {
            member,
            reason: reason.into(),
        }])
    }

    /// Refuses because of what is there already.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Conflict {
            code,
            detail: detail.into(),
        }
    }

    /// Whether it is the conflict with this code.
    pub(crate) fn is_conflict(&self, wanted: &str) -> bool {
        matches!(self, Self::Conflict { code, .. } if *code == wanted)
    }

    /// Our fault, with its source.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::invalid(invalid.what, invalid.reason)
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Forbidden(Box::new(denial))
    }
}

fn first_violation(violations: &[Violation]) -> String {
    violations.first().map_or_else(
        || "the request is not valid".to_owned(),
        |violation| format!("{} {}", violation.member, violation.reason),
    )
}

/// Why a caller may not do something, precise enough to know whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The power that was needed.
    pub permission: Permission,
    /// What stands in the way.
    pub why: Why,
}

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// None of the caller's roles brings the permission.
    MissingPermission {
        /// Roles that bring it.
        held_by: Vec<Role>,
        /// Roles whose holders may give one of those.
        given_by: Vec<Role>,
    },
    /// The responsibility matrix keeps the caller's party out.
    Duty {
        /// The duty.
        duty: DutyKey,
        /// Who answers for it in this tenant.
        accountable: Party,
        /// Whose people may act.
        actors: Vec<Party>,
    },
    /// Only people of the accountable party may change who is responsible.
    NotAccountable {
        /// The duty.
        duty: DutyKey,
        /// Who answers for it.
        accountable: Party,
    },
    /// The caller would give a power that they do not hold in that scope (R-ADM-02).
    GrantsMoreThanHeld {
        /// The role to be given.
        role: Role,
        /// What of it the caller lacks.
        lacking: Vec<Permission>,
    },
}

impl Denial {
    /// A stable code for the admin API.
    pub fn code(&self) -> &'static str {
        match self.why {
            Why::MissingPermission { .. } => "missing_permission",
            Why::Duty { .. } => "duty",
            Why::NotAccountable { .. } => "not_accountable",
            Why::GrantsMoreThanHeld { .. } => "grants_more_than_held",
        }
    }

    /// The duty that decides, if the matrix does.
    pub fn duty(&self) -> Option<DutyKey> {
        match &self.why {
            Why::Duty { duty, .. } | Why::NotAccountable { duty, .. } => Some(*duty),
            _ => None,
        }
    }

    /// Who answers for that duty.
    pub fn accountable(&self) -> Option<Party> {
        match &self.why {
            Why::Duty { accountable, .. } | Why::NotAccountable { accountable, .. } => {
                Some(*accountable)
            }
            _ => None,
        }
    }

    /// What happened, in one sentence.
    pub fn detail(&self) -> String {
        let phrase = self.permission.phrase();
        match &self.why {
            Why::MissingPermission { .. } => {
                format!("None of your roles lets you {phrase}.")
            }
            // A duty keeps a party out only when its actors are the accountable party alone.
            Why::Duty {
                duty, accountable, ..
            } => format!(
                "The {accountable} is accountable for the duty \u{201c}{}\u{201d} here: only people of the {accountable} may {phrase}.",
                duty.duty().title
            ),
            Why::NotAccountable { duty, accountable } => format!(
                "Only people of the {accountable}, who is accountable for \u{201c}{}\u{201d}, may change who is responsible for it.",
                duty.duty().title
            ),
            Why::GrantsMoreThanHeld { role, lacking } => format!(
                "You cannot give the role {}: it may {}, and you may not.",
                role.title(),
                lacking
                    .first()
                    .map_or_else(String::new, |permission| permission.phrase())
            ),
        }
    }

    /// What would be needed, in one sentence.
    pub fn needed(&self) -> String {
        match &self.why {
            Why::MissingPermission { held_by, given_by } => format!(
                "One of the roles {}, given by a {}.",
                titles(held_by),
                titles(given_by)
            ),
            Why::Duty { accountable, .. } => format!(
                "Someone of the {accountable} does it, or lets your side act in the responsibility matrix."
            ),
            Why::NotAccountable { accountable, .. } => {
                format!("Someone of the {accountable} changes the row.")
            }
            Why::GrantsMoreThanHeld { lacking, .. } => format!(
                "Someone who holds {} in that scope does it.",
                lacking
                    .iter()
                    .map(|permission| permission.key())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        }
    }
}

fn titles(roles: &[Role]) -> String {
    roles
        .iter()
        .map(|role| role.title())
        .collect::<Vec<_>>()
        .join(", ")
}
