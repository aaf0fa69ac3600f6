//! A release: a verified manifest together with the content of all its sections.
//!
//! [`Release::assemble`] is the only way to make one, so holding a `Release` means that every byte of it
//! was signed for, hashed and checked (R-NODE-03, R-NODE-05). It never applies anything: that is the node.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Invalid,
    api::Api,
    application::Application,
    client_grant::ClientGrant,
    ids::{ApiId, ApplicationId},
    jws::JwsError,
    manifest::{FORMAT, Manifest},
    policies::PolicySet,
    section::{ContentHash, Section, SectionName},
    tenant::TenantProfile,
};

/// Why a release is refused. The last good one stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// The manifest is not believed.
    #[error("the manifest {0}")]
    Manifest(#[from] JwsError),
    /// The manifest needs newer software.
    #[error("the manifest has format {0}, which this software does not know")]
    Format(u32),
    /// A section is named but its content is not there.
    #[error("section {0} is missing")]
    Missing(SectionName),
    /// A section's content is not the content that was signed for.
    #[error("section {0} does not match its hash")]
    Tampered(SectionName),
    /// A section's content breaks a rule.
    #[error("section {0}: {1}")]
    Refused(SectionName, Invalid),
    /// The parts contradict each other.
    #[error("the release contradicts itself: {0}")]
    Inconsistent(&'static str),
}

/// One version of one tenant's configuration, verified and parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The statement it was assembled from.
    pub manifest: Manifest,
    /// Who the tenant is.
    pub tenant: TenantProfile,
    /// What it requires.
    pub policies: PolicySet,
    /// Its APIs.
    pub apis: Vec<Api>,
    /// Its applications.
    pub applications: Vec<Application>,
    /// Its client grants.
    pub client_grants: Vec<ClientGrant>,
}

impl Release {
    /// Puts a verified manifest and section bodies together.
    ///
    /// `body` finds a section's content by hash; its answer is hashed again here, so the source need not
    /// be trusted.
    ///
    /// # Errors
    /// See [`ReleaseError`].
    pub fn assemble<'a>(
        manifest: Manifest,
        body: impl Fn(&ContentHash) -> Option<&'a str>,
    ) -> Result<Self, ReleaseError> {
        if manifest.format > FORMAT {
            return Err(ReleaseError::Format(manifest.format));
        }
        let mut parts = Parts::default();
        for (name, hash) in &manifest.sections {
            let text = body(hash).ok_or(ReleaseError::Missing(*name))?;
            if &ContentHash::of(text.as_bytes()) != hash {
                return Err(ReleaseError::Tampered(*name));
            }
            parts.add(
                Section::parse(*name, text).map_err(|error| ReleaseError::Refused(*name, error))?,
            );
        }
        parts.into_release(manifest)
    }

    /// The sections a release of this content consists of, by name, in canonical form.
    ///
    /// Deterministic: equal content gives equal bytes, whatever order it was read in.
    ///
    /// # Errors
    /// Never in practice; writing canonical JSON is fallible by type.
    pub fn sections(content: ReleaseContent) -> Result<BTreeMap<SectionName, String>, Invalid> {
        let mut sections = BTreeMap::new();
        let mut put = |name: SectionName, section: Section| -> Result<(), Invalid> {
            sections.insert(name, section.to_canonical()?);
            Ok(())
        };
        put(SectionName::Tenant, Section::Tenant(content.tenant))?;
        put(SectionName::Policies, Section::Policies(content.policies))?;
        let mut apis = content.apis;
        apis.sort_by_key(|api| api.id);
        put(SectionName::Apis, Section::Apis(apis))?;
        for (bucket, applications) in bucketed(
            content.applications,
            |application| application.id,
            |application| application.id.to_string(),
        ) {
            put(
                SectionName::Applications(bucket),
                Section::Applications(applications),
            )?;
        }
        for (bucket, grants) in bucketed(
            content.client_grants,
            |grant| grant.application,
            |grant| grant.id.to_string(),
        ) {
            put(
                SectionName::ClientGrants(bucket),
                Section::ClientGrants(grants),
            )?;
        }
        Ok(sections)
    }
}

/// What a release is compiled from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseContent {
    /// Who the tenant is.
    pub tenant: TenantProfile,
    /// Its published policies.
    pub policies: PolicySet,
    /// Its APIs.
    pub apis: Vec<Api>,
    /// Its applications, disabled ones included.
    pub applications: Vec<Application>,
    /// Its client grants.
    pub client_grants: Vec<ClientGrant>,
}

fn bucketed<T>(
    items: Vec<T>,
    bucket_of: impl Fn(&T) -> ApplicationId,
    order: impl Fn(&T) -> String,
) -> BTreeMap<u8, Vec<T>> {
    let mut buckets: BTreeMap<u8, Vec<T>> = BTreeMap::new();
    for item in items {
        buckets
            .entry(SectionName::bucket(bucket_of(&item)))
            .or_default()
            .push(item);
    }
    for bucket in buckets.values_mut() {
        bucket.sort_by_cached_key(&order);
    }
    buckets
}

/// Whether it names a host and nothing after the path (OpenID Connect Discovery 1.0 section 2): what else could be
/// signed by mistake would be in every token.
fn is_issuer(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'?' && byte != b'#';
        rest.bytes().all(plain) && rest.bytes().next().is_some_and(|first| first != b'/')
    })
}

#[derive(Default)]
struct Parts {
    tenant: Option<TenantProfile>,
    policies: Option<PolicySet>,
    apis: Option<Vec<Api>>,
    applications: Vec<Application>,
    client_grants: Vec<ClientGrant>,
}

impl Parts {
    fn add(&mut self, section: Section) {
        match section {
            Section::Tenant(content) => self.tenant = Some(content),
            Section::Policies(content) => self.policies = Some(content),
            Section::Apis(content) => self.apis = Some(content),
            Section::Applications(mut content) => self.applications.append(&mut content),
            Section::ClientGrants(mut content) => self.client_grants.append(&mut content),
        }
    }

    fn into_release(self, manifest: Manifest) -> Result<Release, ReleaseError> {
        let tenant = self
            .tenant
            .ok_or(ReleaseError::Missing(SectionName::Tenant))?;
        if tenant.id != manifest.tenant {
            return Err(ReleaseError::Inconsistent(
                "its tenant section belongs to another tenant",
            ));
        }
        if !is_issuer(&tenant.issuer) {
            return Err(ReleaseError::Inconsistent(
                "its issuer is no address under which anybody could be reached",
            ));
        }
        let apis = self.apis.ok_or(ReleaseError::Missing(SectionName::Apis))?;
        // By id, because a tenant may have ten thousand of each.
        let known: BTreeMap<ApiId, &Api> = apis.iter().map(|api| (api.id, api)).collect();
        let applications: BTreeSet<ApplicationId> =
            self.applications.iter().map(|one| one.id).collect();
        for grant in &self.client_grants {
            let api = known.get(&grant.api).ok_or(ReleaseError::Inconsistent(
                "a client grant names an API that is not there",
            ))?;
            if grant.check(api).is_err() {
                return Err(ReleaseError::Inconsistent(
                    "a client grant names a scope that its API does not have",
                ));
            }
            if !applications.contains(&grant.application) {
                return Err(ReleaseError::Inconsistent(
                    "a client grant names an application that is not there",
                ));
            }
        }
        Ok(Release {
            manifest,
            tenant,
            policies: self
                .policies
                .ok_or(ReleaseError::Missing(SectionName::Policies))?,
            apis,
            applications: self.applications,
            client_grants: self.client_grants,
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::{
        ids::{TenantId, TypedId},
        jws::{ReleaseSigner, TrustRoot},
        tenant::{Environment, TenantStatus},
    };

    fn content() -> ReleaseContent {
        ReleaseContent {
            tenant: TenantProfile {
                id: TenantId::from_uuid(Uuid::from_u128(1)),
                slug: "acme".parse().unwrap(),
                name: "Acme".parse().unwrap(),
                environment: Environment::Production,
                issuer: "http://127.0.0.1:7100/t/acme".into(),
                host: None,
            },
            policies: PolicySet::default(),
            apis: vec![],
            applications: vec![],
            client_grants: vec![],
        }
    }

    fn manifest(sections: &BTreeMap<SectionName, String>) -> Manifest {
        Manifest {
            format: FORMAT,
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            version: 1,
            region: "local".parse().unwrap(),
            issued_at: DateTime::UNIX_EPOCH,
            min_node_version: "0.1.0".into(),
            status: TenantStatus::Active,
            sections: sections
                .iter()
                .map(|(name, body)| (*name, ContentHash::of(body.as_bytes())))
                .collect(),
        }
    }

    fn assemble(
        manifest: Manifest,
        sections: &BTreeMap<SectionName, String>,
    ) -> Result<Release, ReleaseError> {
        Release::assemble(manifest, |hash| {
            sections
                .values()
                .map(String::as_str)
                .find(|body| &ContentHash::of(body.as_bytes()) == hash)
        })
    }

    #[test]
    fn an_issuer_names_a_host_and_ends_with_the_path() {
        for (issuer, good) in [
            ("https://login.acme.example", true),
            ("http://127.0.0.1:7100/t/acme", true),
            ("http://[::1]:7100/t/acme", true),
            ("", false),
            (" ", false),
            ("https://", false),
            ("https:///t/acme", false),
            ("ftp://acme.example", false),
            ("login.acme.example", false),
            ("https://acme.example/a b", false),
            ("https://acme.example?tenant=acme", false),
            ("https://acme.example#acme", false),
        ] {
            assert_eq!(is_issuer(issuer), good, "{issuer:?}");
        }
    }

    #[test]
    fn a_signed_release_round_trips() {
        let sections = Release::sections(content()).unwrap();
        let signer = ReleaseSigner::from_secret(&[3; 32]);
        let jws = manifest(&sections).sign(&signer).unwrap();
        let trusted = Manifest::verify(
            &jws,
            &TrustRoot {
                keys: vec![signer.public()],
            },
        )
        .unwrap();
        let release = assemble(trusted, &sections).unwrap();
        assert_eq!(release.tenant, content().tenant);
        assert_eq!(release.policies, PolicySet::default());
    }

    #[test]
    fn missing_tampered_and_foreign_parts_are_refused_r_node_03() {
        let sections = Release::sections(content()).unwrap();
        let mut without = sections.clone();
        without.remove(&SectionName::Policies);
        assert_eq!(
            assemble(manifest(&sections), &without),
            Err(ReleaseError::Missing(SectionName::Policies))
        );
        assert_eq!(
            assemble(manifest(&without), &without),
            Err(ReleaseError::Missing(SectionName::Policies))
        );

        let lying = Release::assemble(manifest(&sections), |_| Some("{}"));
        assert!(matches!(lying, Err(ReleaseError::Tampered(_))));

        let mut foreign = manifest(&sections);
        foreign.tenant = TenantId::from_uuid(Uuid::from_u128(2));
        assert!(matches!(
            assemble(foreign, &sections),
            Err(ReleaseError::Inconsistent(_))
        ));

        let mut newer = manifest(&sections);
        newer.format = FORMAT + 1;
        assert_eq!(
            assemble(newer, &sections),
            Err(ReleaseError::Format(FORMAT + 1))
        );
    }

    #[test]
    fn only_changed_sections_are_missing() {
        let before = Release::sections(content()).unwrap();
        let mut changed = content();
        changed.policies.password.min_length = 20;
        let after = Release::sections(changed).unwrap();
        let (old, new) = (manifest(&before), manifest(&after));
        let names: Vec<_> = new
            .missing_from(Some(&old))
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, [SectionName::Policies]);
        assert_eq!(new.missing_from(None).len(), after.len());
    }
}
