//! Sections: the content-addressed parts of a release.
//!
//! A section is a canonical JSON document named by its SHA-256. Large collections are spread over 256
//! buckets by id, so that changing one of 10,000 applications sends kilobytes (design section 5).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    Invalid, api::Api, application::Application, canonical, client_grant::ClientGrant,
    ids::ApplicationId, policies::PolicySet, tenant::TenantProfile,
};

/// Largest accepted section, in bytes; a node refuses more before it parses.
pub const MAX_SECTION_BYTES: usize = 1024 * 1024;

/// The name of a section's content: 64 lower-case hexadecimal characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentHash(String);
crate::tenant::string_value!(ContentHash);

impl ContentHash {
    /// Hashes bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(canonical::sha256_hex(bytes))
    }
}

impl FromStr for ContentHash {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let shape_ok = text.len() == 64
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if shape_ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("hash", "must be 64 hexadecimal characters"))
        }
    }
}

/// Which part of a release a section is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SectionName {
    /// Who the tenant is.
    Tenant,
    /// Its published policies.
    Policies,
    /// Its APIs.
    Apis,
    /// One bucket of its applications.
    Applications(u8),
    /// One bucket of its client grants, by the application's bucket.
    ClientGrants(u8),
}

impl SectionName {
    /// The bucket an application's records live in: evenly spread and independent of when it was made.
    pub fn bucket(application: ApplicationId) -> u8 {
        Sha256::digest(application.to_string().as_bytes())[0]
    }
}

impl fmt::Display for SectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant => f.write_str("tenant"),
            Self::Policies => f.write_str("policies"),
            Self::Apis => f.write_str("apis"),
            Self::Applications(bucket) => write!(f, "applications/{bucket:02x}"),
            Self::ClientGrants(bucket) => write!(f, "client_grants/{bucket:02x}"),
        }
    }
}

impl FromStr for SectionName {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let refuse = || Invalid::new("section name", "is not known");
        let bucket = |digits: &str| {
            let canonical = digits.len() == 2
                && digits
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            canonical
                .then(|| u8::from_str_radix(digits, 16).ok())
                .flatten()
                .ok_or_else(refuse)
        };
        match text.split_once('/') {
            None if text == "tenant" => Ok(Self::Tenant),
            None if text == "policies" => Ok(Self::Policies),
            None if text == "apis" => Ok(Self::Apis),
            Some(("applications", digits)) => Ok(Self::Applications(bucket(digits)?)),
            Some(("client_grants", digits)) => Ok(Self::ClientGrants(bucket(digits)?)),
            _ => Err(refuse()),
        }
    }
}

impl TryFrom<String> for SectionName {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<SectionName> for String {
    fn from(name: SectionName) -> String {
        name.to_string()
    }
}

/// A section's parsed content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Section {
    /// Who the tenant is.
    Tenant(TenantProfile),
    /// Its published policies.
    Policies(PolicySet),
    /// Its APIs, by id.
    Apis(Vec<Api>),
    /// One bucket of its applications, by id.
    Applications(Vec<Application>),
    /// One bucket of its client grants, by id.
    ClientGrants(Vec<ClientGrant>),
}

impl Section {
    /// The canonical bytes.
    ///
    /// # Errors
    /// Never for values built by this crate's constructors; kept because JSON writing can fail.
    pub fn to_canonical(&self) -> Result<String, Invalid> {
        match self {
            Self::Tenant(content) => canonical::to_canonical(content),
            Self::Policies(content) => canonical::to_canonical(content),
            Self::Apis(content) => canonical::to_canonical(content),
            Self::Applications(content) => canonical::to_canonical(content),
            Self::ClientGrants(content) => canonical::to_canonical(content),
        }
    }

    /// Parses and checks the content that `name` promises.
    ///
    /// # Errors
    /// Too large, not the promised shape, or a value that its own rules refuse.
    pub fn parse(name: SectionName, body: &str) -> Result<Self, Invalid> {
        if body.len() > MAX_SECTION_BYTES {
            return Err(Invalid::new("section", "is larger than 1 MiB"));
        }
        match name {
            SectionName::Tenant => Ok(Self::Tenant(read(body)?)),
            SectionName::Policies => {
                let policies: PolicySet = read(body)?;
                policies.check()?;
                Ok(Self::Policies(policies))
            }
            SectionName::Apis => {
                let apis: Vec<Api> = read(body)?;
                apis.iter().try_for_each(Api::check)?;
                Ok(Self::Apis(apis))
            }
            SectionName::Applications(bucket) => {
                let applications: Vec<Application> = read(body)?;
                for application in &applications {
                    application.check()?;
                    check_bucket(application.id, bucket)?;
                }
                Ok(Self::Applications(applications))
            }
            SectionName::ClientGrants(bucket) => {
                let grants: Vec<ClientGrant> = read(body)?;
                grants
                    .iter()
                    .try_for_each(|grant| check_bucket(grant.application, bucket))?;
                Ok(Self::ClientGrants(grants))
            }
        }
    }
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, Invalid> {
    serde_json::from_str(body)
        .map_err(|error| Invalid::new("section", format!("is not what its name promises: {error}")))
}

fn check_bucket(application: ApplicationId, bucket: u8) -> Result<(), Invalid> {
    if SectionName::bucket(application) == bucket {
        return Ok(());
    }
    Err(Invalid::new("section", "holds a record of another bucket"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_parse_what_they_print(bucket: u8) {
            for name in [SectionName::Tenant, SectionName::Policies, SectionName::Apis, SectionName::Applications(bucket), SectionName::ClientGrants(bucket)] {
                prop_assert_eq!(name.to_string().parse::<SectionName>().unwrap(), name);
            }
        }

        #[test]
        fn no_text_panics_the_parser(body in ".{0,200}") {
            for name in [SectionName::Tenant, SectionName::Policies, SectionName::Apis, SectionName::Applications(0)] {
                let _ = Section::parse(name, &body);
            }
        }
    }

    #[test]
    fn foreign_names_are_refused() {
        for bad in [
            "", "applications", "applications/", "applications/0", "applications/0G",
            "applications/0A", "applications/000", "x/00",
        ] {
            assert!(bad.parse::<SectionName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn canonical_sections_parse_back() {
        let section = Section::Policies(PolicySet::default());
        let body = section.to_canonical().unwrap();
        assert_eq!(
            Section::parse(SectionName::Policies, &body).unwrap(),
            section
        );
        assert!(Section::parse(SectionName::Apis, &body).is_err());
        assert!(Section::parse(SectionName::Policies, &body.replace("15", "9")).is_err());
    }
}
