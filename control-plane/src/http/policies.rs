//! `/v1/tenants/{tenant}/policies`: what is in force, drafts, differences, publishing.

use actix_web::{http::Method, web::Path};
use chrono::{DateTime, Utc};
use contract::{
    permission::Permission as P,
    policies::{Policy, PolicyKind},
    section::ContentHash,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    answer::{Answer, Listed},
    asking::{Adding, InTenant, Overwriting, Paging, Params},
    body::JsonBody,
    operation::{Access, Operation},
    problem::Problem,
};
use crate::{
    Refusal,
    policies::{PolicyDiff, PolicyDraft, PolicyState, PublishRequest, PublishedPolicy},
};

const ALL: &str = "/tenants/{tenant}/policies";
const ONE: &str = "/tenants/{tenant}/policies/{kind}";
const VERSIONS: &str = "/tenants/{tenant}/policies/{kind}/versions";
const DRAFT: &str = "/tenants/{tenant}/policies/{kind}/draft";
const DIFF: &str = "/tenants/{tenant}/policies/{kind}/draft/diff";
const PUBLISH: &str = "/tenants/{tenant}/policies/{kind}/draft/publish";

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    let draft = json!({"kind": "password", "min_length": 20, "refuse_common": true, "refuse_context": true});
    vec![
        Operation::new("listPolicies", Method::GET, ALL, list)
            .summary("Lists the kinds of policy with what is in force and what is drafted.")
            .needs(P::PoliciesView)
            .gives::<Listed<PolicyView>>(),
        Operation::new("getPolicy", Method::GET, ONE, get)
            .summary("Reads one kind. The ETag is the version in force and that of the draft.")
            .needs(P::PoliciesView)
            .gives::<PolicyView>()
            .versioned(),
        Operation::new("listPolicyVersions", Method::GET, VERSIONS, versions)
            .summary("Lists the versions of one kind, newest first.")
            .needs(P::PoliciesView)
            .query::<Paging>()
            .gives::<Listed<PublishedView>>(),
        Operation::new("getPolicyDraft", Method::GET, DRAFT, get_draft)
            .summary("Reads the draft. The ETag is the draft's version.")
            .needs(P::PoliciesView)
            .gives::<DraftView>()
            .versioned(),
        Operation::new("savePolicyDraft", Method::PUT, DRAFT, save_draft)
            .summary("Saves a draft based on the version in force. For the first draft send If-None-Match: *.")
            .needs(Access::DraftOfKind)
            .takes::<Policy>(draft)
            .gives::<DraftView>()
            .versioned()
            .or_first(),
        Operation::new("discardPolicyDraft", Method::DELETE, DRAFT, discard_draft)
            .summary("Throws the draft away.")
            .needs(Access::DraftOfKind),
        Operation::new("diffPolicyDraft", Method::GET, DIFF, diff)
            .summary("Compares the draft with what is in force, member by member.")
            .needs(P::PoliciesView)
            .gives::<DiffView>(),
        Operation::new("publishPolicyDraft", Method::POST, PUBLISH, publish)
            .summary("Puts exactly the draft that was looked at into force, and releases it to the nodes.")
            .needs(Access::PublishOfKind)
            .takes::<PublishBody>(json!({"draft_version": 1, "base_version": 1}))
            .compares()
            .gives::<PublishedView>()
            .versioned(),
    ]
}

/// A kind of policy.
#[derive(Debug, Serialize, ToSchema)]
struct PolicyView {
    kind: PolicyKind,
    published: PublishedView,
    draft: Option<DraftView>,
}

/// A version of a policy that is or was in force.
#[derive(Debug, Serialize, ToSchema)]
struct PublishedView {
    document: Policy,
    version: i64,
    /// SHA-256 of the document in canonical form.
    hash: ContentHash,
    published_at: DateTime<Utc>,
    published_by: String,
}

/// What may become the next version.
#[derive(Debug, Serialize, ToSchema)]
struct DraftView {
    document: Policy,
    /// The version that was in force when the draft was saved.
    base_version: i64,
    version: i64,
    updated_at: DateTime<Utc>,
    updated_by: String,
}

/// What publishing the draft would change.
#[derive(Debug, Serialize, ToSchema)]
struct DiffView {
    base_version: i64,
    draft_version: i64,
    /// Whether another version came into force since the draft was saved.
    base_moved: bool,
    differences: Vec<DifferenceView>,
}

/// One member that differs.
#[derive(Debug, Serialize, ToSchema)]
struct DifferenceView {
    member: String,
    before: Value,
    after: Value,
    /// The same in words.
    words: String,
}

/// What exactly is to be published.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PublishBody {
    /// The draft that was looked at.
    draft_version: i64,
    /// The version it was compared with.
    base_version: i64,
}

impl From<PolicyState> for PolicyView {
    fn from(state: PolicyState) -> Self {
        Self {
            kind: state.kind,
            published: state.published.into(),
            draft: state.draft.map(Into::into),
        }
    }
}

impl From<PublishedPolicy> for PublishedView {
    fn from(published: PublishedPolicy) -> Self {
        Self {
            document: published.document,
            version: published.version,
            hash: published.hash,
            published_at: published.published_at,
            published_by: published.published_by,
        }
    }
}

impl From<PolicyDraft> for DraftView {
    fn from(draft: PolicyDraft) -> Self {
        Self {
            document: draft.document,
            base_version: draft.base_version,
            version: draft.version,
            updated_at: draft.updated_at,
            updated_by: draft.updated_by,
        }
    }
}

impl From<PolicyDiff> for DiffView {
    fn from(diff: PolicyDiff) -> Self {
        let differences = diff
            .differences
            .into_iter()
            .map(|difference| DifferenceView {
                member: difference.member,
                before: difference.before,
                after: difference.after,
                words: difference.words,
            });
        Self {
            base_version: diff.base_version,
            draft_version: diff.draft_version,
            base_moved: diff.base_moved,
            differences: differences.collect(),
        }
    }
}

async fn list(at: InTenant) -> Result<Listed<PolicyView>, Problem> {
    Ok(Listed::all(
        at.plane.list_policies(&at.caller, at.tenant).await?,
    ))
}

async fn get(
    at: InTenant,
    path: Path<(String, PolicyKind)>,
) -> Result<Answer<PolicyView>, Problem> {
    let state = at.plane.get_policy(&at.caller, at.tenant, path.1).await?;
    let version = state.published.version;
    let draft = state.draft.as_ref().map_or(0, |draft| draft.version);
    Ok(Answer::ok(state.into())
        .version(version)
        .also(draft.unsigned_abs()))
}

async fn versions(
    at: InTenant,
    path: Path<(String, PolicyKind)>,
    Params(paging): Params<Paging>,
) -> Result<Listed<PublishedView>, Problem> {
    let page = paging.page()?;
    Ok(Listed::page(
        at.plane
            .list_policy_versions(&at.caller, at.tenant, path.1, &page)
            .await?,
    ))
}

async fn get_draft(
    at: InTenant,
    path: Path<(String, PolicyKind)>,
) -> Result<Answer<DraftView>, Problem> {
    let state = at.plane.get_policy(&at.caller, at.tenant, path.1).await?;
    let draft = state.draft.ok_or(Refusal::NotFound { what: "draft" })?;
    let version = draft.version;
    Ok(Answer::ok(draft.into()).version(version))
}

async fn save_draft(
    at: InTenant,
    path: Path<(String, PolicyKind)>,
    write: Overwriting,
    JsonBody(document): JsonBody<Policy>,
) -> Result<Answer<DraftView>, Problem> {
    if document.kind() != path.1 {
        return Err(Refusal::invalid("kind", "is not the kind in the address").into());
    }
    let draft = at
        .plane
        .save_policy_draft(&at.caller, at.seen(&write), document, write.mode)
        .await?;
    let version = draft.version;
    Ok(Answer::ok(draft.into()).version(version).mode(write.mode))
}

async fn discard_draft(
    at: InTenant,
    path: Path<(String, PolicyKind)>,
    write: Overwriting,
) -> Result<Answer<()>, Problem> {
    at.plane
        .discard_policy_draft(&at.caller, at.seen(&write), path.1, write.mode)
        .await?;
    Ok(Answer::done(write.mode))
}

async fn diff(at: InTenant, path: Path<(String, PolicyKind)>) -> Result<Answer<DiffView>, Problem> {
    Ok(Answer::ok(
        at.plane
            .diff_policy(&at.caller, at.tenant, path.1)
            .await?
            .into(),
    ))
}

async fn publish(
    at: InTenant,
    path: Path<(String, PolicyKind)>,
    write: Adding,
    JsonBody(body): JsonBody<PublishBody>,
) -> Result<Answer<PublishedView>, Problem> {
    let request = PublishRequest {
        kind: path.1,
        draft_version: body.draft_version,
        base_version: body.base_version,
    };
    let published = at
        .plane
        .publish_policy(&at.caller, at.tenant, request, write.mode)
        .await?;
    let version = published.version;
    Ok(Answer::ok(published.into())
        .version(version)
        .mode(write.mode))
}
