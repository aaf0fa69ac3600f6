//! Which factors sign a person in, and how failed attempts are slowed down.

use serde::{Deserialize, Serialize};

use super::check_range;
use crate::Invalid;

/// The sign-in policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AuthenticationPolicy {
    /// Consecutive failures after which each further attempt has to wait (R-ENUM-02).
    pub delay_after_failures: u32,
    /// Consecutive failures after which the password is blocked for the account (R-ENUM-02: at most 100).
    /// A device on which the person signed in before is counted apart, and blocked after ten at most, so
    /// that nobody can lock the person out there (R-ENUM-03).
    pub block_after_failures: u32,
    /// How long a blocked password stays blocked, in minutes.
    pub block_minutes: u32,
}

impl Default for AuthenticationPolicy {
    fn default() -> Self {
        Self {
            delay_after_failures: 5,
            block_after_failures: 50,
            block_minutes: 60,
        }
    }
}

impl AuthenticationPolicy {
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        check_range(
            "delay_after_failures",
            self.delay_after_failures,
            3..=20,
            "failures",
        )?;
        check_range(
            "block_after_failures",
            self.block_after_failures,
            10..=90,
            "failures",
        )?;
        check_range("block_minutes", self.block_minutes, 5..=1440, "minutes")?;
        if self.delay_after_failures >= self.block_after_failures {
            return Err(Invalid::new(
                "delay_after_failures",
                "must be smaller than block_after_failures",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_r_enum_02() {
        let with = |delay, block, minutes| AuthenticationPolicy {
            delay_after_failures: delay,
            block_after_failures: block,
            block_minutes: minutes,
        };
        for (policy, ok) in [
            (with(5, 50, 60), true),
            (with(3, 10, 5), true),
            (with(20, 90, 1440), true),
            (with(2, 50, 60), false),
            (with(5, 91, 60), false),
            (with(5, 50, 4), false),
            (with(12, 12, 60), false),
        ] {
            assert_eq!(policy.check().is_ok(), ok, "{policy:?}");
        }
    }
}
