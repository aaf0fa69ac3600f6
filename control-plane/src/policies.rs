//! Policies: drafted, compared, published; never edited in place.
//!
//! A publication is bound to the exact draft and to the version it was compared with, so what someone
//! looked at is what becomes true (R-ADM-07). Versions are kept, and content that does not differ gets
//! none. Drafting and publishing are separate powers per kind.

mod diff;

use chrono::{DateTime, Utc};
use contract::{
    canonical,
    ids::TenantId,
    permission::Permission,
    policies::{Policy, PolicyKind},
    section::ContentHash,
};

pub use self::diff::{Difference, PolicyDiff};
use crate::{
    At, Caller, ControlPlane, Mode, Page, PageRequest, Refusal,
    audit::Event,
    change::{Done, check_version},
    store::Tx,
};

/// A version that is or was in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedPolicy {
    /// The document.
    pub document: Policy,
    /// Its version within the kind; 1 is what the tenant began with.
    pub version: i64,
    /// The hash of its canonical form.
    pub hash: ContentHash,
    /// When it came into force.
    pub published_at: DateTime<Utc>,
    /// Who published it.
    pub published_by: String,
}

/// What may become the next version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDraft {
    /// The document.
    pub document: Policy,
    /// The version in force when it was last saved.
    pub base_version: i64,
    /// For `If-Match`: grows with each save and is never used again, so it names one content.
    pub version: i64,
    /// When it was last saved.
    pub updated_at: DateTime<Utc>,
    /// By whom.
    pub updated_by: String,
}

/// A kind of policy in a tenant: what is in force, and what is being drafted.
#[derive(Debug, Clone)]
pub struct PolicyState {
    /// Which kind.
    pub kind: PolicyKind,
    /// What is in force.
    pub published: PublishedPolicy,
    /// What may follow.
    pub draft: Option<PolicyDraft>,
}

/// What exactly is to be published.
#[derive(Debug, Clone, Copy)]
pub struct PublishRequest {
    /// The kind.
    pub kind: PolicyKind,
    /// The draft that was looked at.
    pub draft_version: i64,
    /// The version it was compared with.
    pub base_version: i64,
}

impl PublishedPolicy {
    pub(crate) fn new(document: Policy, version: i64, at: DateTime<Utc>, by: &str) -> Self {
        let text = canonical::to_canonical(&document).expect("policies have no floats");
        Self {
            hash: ContentHash::of(text.as_bytes()),
            document,
            version,
            published_at: at,
            published_by: by.to_owned(),
        }
    }
}

impl ControlPlane {
    /// Lists the kinds that have documents, with what is in force and what is drafted.
    ///
    /// # Errors
    /// Needs `tenant.policies.view`.
    pub async fn list_policies(
        &self,
        caller: &Caller,
        tenant: TenantId,
    ) -> Result<Vec<PolicyState>, Refusal> {
        let view = self.view(caller, tenant, Permission::PoliciesView).await?;
        let mut published = view.tx().list_published_policies(tenant).await?;
        let mut drafts = view.tx().list_policy_drafts(tenant).await?;
        Ok(Policy::WRITABLE
            .into_iter()
            .filter_map(|kind| {
                let at = published
                    .iter()
                    .position(|one| one.document.kind() == kind)?;
                let draft = drafts.iter().position(|one| one.document.kind() == kind);
                Some(PolicyState {
                    kind,
                    published: published.swap_remove(at),
                    draft: draft.map(|at| drafts.swap_remove(at)),
                })
            })
            .collect())
    }

    /// Reads one kind.
    ///
    /// # Errors
    /// Needs `tenant.policies.view`; [`Refusal::NotFound`] for a kind without documents.
    pub async fn get_policy(
        &self,
        caller: &Caller,
        tenant: TenantId,
        kind: PolicyKind,
    ) -> Result<PolicyState, Refusal> {
        let view = self.view(caller, tenant, Permission::PoliciesView).await?;
        read_state(view.tx(), tenant, kind).await
    }

    /// Lists the versions of one kind, newest first.
    ///
    /// # Errors
    /// Needs `tenant.policies.view`.
    pub async fn list_policy_versions(
        &self,
        caller: &Caller,
        tenant: TenantId,
        kind: PolicyKind,
        page: &PageRequest,
    ) -> Result<Page<PublishedPolicy>, Refusal> {
        let view = self.view(caller, tenant, Permission::PoliciesView).await?;
        Ok(view.tx().list_policy_versions(tenant, kind, page).await?)
    }

    /// Saves a draft, over the older draft if there is one, based on the version now in force.
    /// The version in `at` is the draft's; 0 if the caller saw none.
    ///
    /// # Errors
    /// Needs `tenant.policies.<kind>.draft`. [`Refusal::Invalid`] below a floor; [`Refusal::Stale`].
    pub async fn save_policy_draft(
        &self,
        caller: &Caller,
        at: At,
        document: Policy,
        mode: Mode,
    ) -> Result<PolicyDraft, Refusal> {
        let At { tenant, expected } = at;
        let kind = document.kind();
        let change = self
            .change(caller, tenant, Permission::PolicyDraft(kind), mode)
            .await?;
        document.check()?;
        let state = read_state(change.tx(), tenant, kind).await?;
        let last = state.draft.as_ref().map_or(0, |draft| draft.version);
        check_version(expected, last)?;
        let used = change.tx().last_draft_version(tenant, kind).await?;
        let draft = PolicyDraft {
            document,
            base_version: state.published.version,
            version: used + 1,
            updated_at: change.at(),
            updated_by: caller.name().to_owned(),
        };
        change.tx().put_policy_draft(tenant, &draft).await?;
        let before = state
            .draft
            .map_or(state.published.document, |draft| draft.document);
        let event = about(kind, "policies.draft", "Saved a draft of")
            .before(&before)
            .after(&draft.document);
        change.finish(Done::new(draft, event)).await
    }

    /// Throws a draft away.
    ///
    /// # Errors
    /// Needs `tenant.policies.<kind>.draft`. [`Refusal::NotFound`] without a draft; [`Refusal::Stale`].
    pub async fn discard_policy_draft(
        &self,
        caller: &Caller,
        at: At,
        kind: PolicyKind,
        mode: Mode,
    ) -> Result<(), Refusal> {
        let At { tenant, expected } = at;
        let change = self
            .change(caller, tenant, Permission::PolicyDraft(kind), mode)
            .await?;
        let draft = read_state(change.tx(), tenant, kind)
            .await?
            .draft
            .ok_or(NO_DRAFT)?;
        check_version(expected, draft.version)?;
        change.tx().delete_policy_draft(tenant, kind).await?;
        let event =
            about(kind, "policies.discard", "Discarded the draft of").before(&draft.document);
        change.finish(Done::new((), event)).await
    }

    /// Compares the draft with what is in force, member by member.
    ///
    /// # Errors
    /// Needs `tenant.policies.view`; [`Refusal::NotFound`] without a draft.
    pub async fn diff_policy(
        &self,
        caller: &Caller,
        tenant: TenantId,
        kind: PolicyKind,
    ) -> Result<PolicyDiff, Refusal> {
        let state = self.get_policy(caller, tenant, kind).await?;
        let draft = state.draft.ok_or(NO_DRAFT)?;
        Ok(PolicyDiff::between(&state.published, &draft))
    }

    /// Puts a draft into force, and releases it to the nodes.
    ///
    /// # Errors
    /// Needs `tenant.policies.<kind>.publish`. [`Refusal::NotFound`] without a draft; [`Refusal::Stale`] if
    /// it is not the draft that was looked at; [`Refusal::Conflict`] if something else came into force
    /// since, or nothing would change.
    pub async fn publish_policy(
        &self,
        caller: &Caller,
        tenant: TenantId,
        request: PublishRequest,
        mode: Mode,
    ) -> Result<PublishedPolicy, Refusal> {
        let kind = request.kind;
        let change = self
            .change(caller, tenant, Permission::PolicyPublish(kind), mode)
            .await?;
        let state = read_state(change.tx(), tenant, kind).await?;
        let draft = state.draft.ok_or(NO_DRAFT)?;
        check_version(Some(request.draft_version), draft.version)?;
        let base = state.published.version;
        if request.base_version != base || draft.base_version != base {
            return Err(Refusal::conflict(
                "base_moved",
                format!(
                    "Version {base} came into force since the draft was saved. Compare with it and save the draft again."
                ),
            ));
        }
        draft.document.check()?;
        if draft.document == state.published.document {
            return Err(Refusal::conflict(
                "nothing_to_publish",
                "The draft says what is in force already.",
            ));
        }
        let published = PublishedPolicy::new(draft.document, base + 1, change.at(), caller.name());
        change.tx().insert_policy(tenant, &published).await?;
        change.tx().delete_policy_draft(tenant, kind).await?;
        let event = about(kind, "policies.publish", "Published")
            .before(&state.published.document)
            .after(&published.document);
        change.finish(Done::new(published, event).releases()).await
    }
}

const NO_DRAFT: Refusal = Refusal::NotFound { what: "draft" };

async fn read_state(tx: &Tx, tenant: TenantId, kind: PolicyKind) -> Result<PolicyState, Refusal> {
    let published = tx
        .find_published_policy(tenant, kind)
        .await?
        .ok_or(Refusal::NotFound { what: "policy" })?;
    Ok(PolicyState {
        kind,
        published,
        draft: tx.find_policy_draft(tenant, kind).await?,
    })
}

fn about(kind: PolicyKind, action: &str, verb: &str) -> Event {
    let title = kind.title().to_lowercase();
    Event::new(action, format!("{verb} the {title} policy.")).object("policy", kind, kind.title())
}
