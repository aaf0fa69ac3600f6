//! How long a person stays signed in at the tenant.

use serde::{Deserialize, Serialize};

use super::check_range;
use crate::Invalid;

/// The session policy document. Caps are those of one-factor sign-in (SP 800-63B-4 §2.1.3, R-SESS-04).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SessionPolicy {
    /// Minutes without activity after which the session ends.
    pub idle_minutes: u32,
    /// Hours after sign-in at which the session ends in any case.
    pub absolute_hours: u32,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            idle_minutes: 12 * 60,
            absolute_hours: 7 * 24,
        }
    }
}

impl SessionPolicy {
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        check_range(
            "idle_minutes",
            self.idle_minutes,
            5..=30 * 24 * 60,
            "minutes",
        )?;
        check_range("absolute_hours", self.absolute_hours, 1..=30 * 24, "hours")?;
        if self.idle_minutes > self.absolute_hours * 60 {
            return Err(Invalid::new(
                "idle_minutes",
                "must not be longer than absolute_hours",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_r_sess_04() {
        for (idle_minutes, absolute_hours, ok) in [
            (5, 1, true),
            (43_200, 720, true),
            (4, 1, false),
            (60, 721, false),
            (61, 1, false),
            (60, 0, false),
        ] {
            assert_eq!(
                SessionPolicy {
                    idle_minutes,
                    absolute_hours
                }
                .check()
                .is_ok(),
                ok,
                "{idle_minutes} {absolute_hours}"
            );
        }
    }
}
