//! What a password must be: length and being unknown to attackers, nothing else.
//!
//! There are no composition rules, no periodic expiry and no hints, and no member could switch them on
//! (NIST SP 800-63B-4 §3.1.1.2, R-PWD-02).

use serde::{Deserialize, Serialize};

use super::check_range;
use crate::Invalid;

/// Shortest minimum while the password is the only factor, in code points (R-PWD-01).
pub const MIN_LENGTH_FLOOR: u32 = 15;
/// Longest accepted password, in code points after normalization (R-PWD-01).
pub const MAX_PASSWORD_CHARS: usize = 256;

/// The password policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PasswordPolicy {
    /// Fewest code points, after NFKC normalization.
    pub min_length: u32,
    /// Refuse passwords on the local list of breached and common ones (R-PWD-03).
    pub refuse_common: bool,
    /// Refuse passwords made of the tenant's name or the person's own identifiers (R-PWD-03).
    pub refuse_context: bool,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            min_length: MIN_LENGTH_FLOOR,
            refuse_common: true,
            refuse_context: true,
        }
    }
}

impl PasswordPolicy {
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        check_range(
            "min_length",
            self.min_length,
            MIN_LENGTH_FLOOR..=64,
            "characters",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_holds_r_pwd_01() {
        for (min_length, ok) in [
            (0, false),
            (8, false),
            (14, false),
            (15, true),
            (64, true),
            (65, false),
        ] {
            assert_eq!(
                PasswordPolicy {
                    min_length,
                    ..Default::default()
                }
                .check()
                .is_ok(),
                ok,
                "{min_length}"
            );
        }
    }
}
