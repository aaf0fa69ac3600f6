//! How long codes and tokens live, and how refresh tokens rotate.

use serde::{Deserialize, Serialize};

use super::check_range;
use crate::Invalid;

/// The token policy document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenPolicy {
    /// Life of an authorization code in seconds; at most 60 (R-TOK-03).
    pub code_seconds: u32,
    /// Life of an access token in seconds; at most 10 minutes, because resource servers that only verify
    /// signatures learn of a revocation by expiry (R-REV-01).
    pub access_token_seconds: u32,
    /// Life of an ID token in seconds.
    pub id_token_seconds: u32,
    /// Hours without use after which a refresh token family ends (R-RT-04).
    pub refresh_idle_hours: u32,
    /// Days after sign-in at which a refresh token family ends in any case (R-RT-04).
    pub refresh_absolute_days: u32,
    /// Seconds during which a spent refresh token returns its same successor, for lost responses (R-RT-03).
    pub refresh_grace_seconds: u32,
    /// Seconds without a word of the control plane after which a node issues and believes no tokens of the tenant
    /// any more, because it could not hear of a containment (R-REV-02); 0: it goes on, however long (R-NODE-07).
    #[serde(default)]
    pub refuse_unheard_after_seconds: u32,
}

impl Default for TokenPolicy {
    fn default() -> Self {
        Self {
            code_seconds: 60,
            access_token_seconds: 600,
            id_token_seconds: 600,
            refresh_idle_hours: 14 * 24,
            refresh_absolute_days: 90,
            refresh_grace_seconds: 10,
            refuse_unheard_after_seconds: 0,
        }
    }
}

impl TokenPolicy {
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        check_range("code_seconds", self.code_seconds, 10..=60, "seconds")?;
        check_range(
            "access_token_seconds",
            self.access_token_seconds,
            60..=600,
            "seconds",
        )?;
        check_range(
            "id_token_seconds",
            self.id_token_seconds,
            60..=3600,
            "seconds",
        )?;
        check_range(
            "refresh_idle_hours",
            self.refresh_idle_hours,
            1..=90 * 24,
            "hours",
        )?;
        check_range(
            "refresh_absolute_days",
            self.refresh_absolute_days,
            1..=365,
            "days",
        )?;
        check_range(
            "refresh_grace_seconds",
            self.refresh_grace_seconds,
            0..=30,
            "seconds",
        )?;
        if self.refuse_unheard_after_seconds != 0 {
            check_range(
                "refuse_unheard_after_seconds",
                self.refuse_unheard_after_seconds,
                10..=7 * 24 * 3600,
                "seconds, or 0",
            )?;
        }
        if self.refresh_idle_hours > self.refresh_absolute_days * 24 {
            return Err(Invalid::new(
                "refresh_idle_hours",
                "must not be longer than refresh_absolute_days",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_r_tok_03_r_rt_04_r_rev_01() {
        let ok = TokenPolicy::default();
        assert!(ok.check().is_ok());
        assert!(
            TokenPolicy {
                code_seconds: 61,
                ..ok.clone()
            }
            .check()
            .is_err()
        );
        assert!(
            TokenPolicy {
                access_token_seconds: 601,
                ..ok.clone()
            }
            .check()
            .is_err()
        );
        assert!(
            TokenPolicy {
                refresh_grace_seconds: 31,
                ..ok.clone()
            }
            .check()
            .is_err()
        );
        for (seconds, good) in [
            (0, true),
            (9, false),
            (10, true),
            (604_800, true),
            (604_801, false),
        ] {
            let policy = TokenPolicy {
                refuse_unheard_after_seconds: seconds,
                ..ok.clone()
            };
            assert_eq!(policy.check().is_ok(), good, "{seconds}");
        }
        assert!(
            TokenPolicy {
                refresh_idle_hours: 48,
                refresh_absolute_days: 1,
                ..ok
            }
            .check()
            .is_err()
        );
    }
}
