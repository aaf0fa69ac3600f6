//! A tenant's responsibility for one duty: exactly one accountable party, and whose people may act.
//!
//! "Shared" is not a third party: it is a duty for which both parties' people may act while one of them
//! answers for it, so that there is always somebody to ask.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Invalid, duty::DutyKey, role::Party};

/// One row of a tenant's responsibility matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Responsibility {
    /// The duty.
    pub duty: DutyKey,
    /// Who answers for it.
    pub accountable: Party,
    /// Whose people may act.
    pub actors: BTreeSet<Party>,
}

impl Responsibility {
    /// The row a new tenant starts with.
    pub fn default_for(duty: DutyKey) -> Self {
        let entry = duty.duty();
        Self {
            duty,
            accountable: entry.accountable,
            actors: entry.actors.iter().copied().collect(),
        }
    }

    /// The row of the vendor's own tenant, where both sides are the vendor.
    pub fn platform(duty: DutyKey) -> Self {
        Self {
            duty,
            accountable: Party::Vendor,
            actors: [Party::Vendor].into(),
        }
    }

    /// Checks that the accountable party may act, and that duties of the platform stay with the vendor.
    ///
    /// # Errors
    /// The rule the row breaks, in words.
    pub fn check(&self) -> Result<(), Invalid> {
        if !self.actors.contains(&self.accountable) {
            return Err(Invalid::new("actors", "must include the accountable party"));
        }
        let of_platform = self
            .duty
            .duty()
            .permissions
            .iter()
            .any(|permission| permission.is_platform());
        if of_platform && (self.accountable != Party::Vendor || self.actors.len() > 1) {
            return Err(Invalid::new(
                "accountable",
                "must be the vendor for a duty that reaches the whole platform",
            ));
        }
        Ok(())
    }

    /// Whether both parties' people may act.
    pub fn is_shared(&self) -> bool {
        self.actors.len() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        for duty in DutyKey::all() {
            Responsibility::default_for(duty).check().unwrap();
            Responsibility::platform(duty).check().unwrap();
        }
    }

    #[test]
    fn the_accountable_party_must_be_able_to_act() {
        let mut row = Responsibility::default_for("policy.sign_in".parse().unwrap());
        row.accountable = Party::Vendor;
        assert_eq!(row.check().unwrap_err().what, "actors");
    }

    #[test]
    fn platform_duties_cannot_be_given_away() {
        let mut row = Responsibility::default_for("service.nodes".parse().unwrap());
        row.actors.insert(Party::Customer);
        assert_eq!(row.check().unwrap_err().what, "accountable");
    }
}
