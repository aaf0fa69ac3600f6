//! `/v1/tenants/{tenant}/applications`.

use actix_web::{http::Method, web::Path};
use chrono::{DateTime, Utc};
use contract::{
    application::{
        ApplicationKind, ApplicationStatus, GrantType, SigningAlgorithm, TokenAuthMethod,
    },
    ids::{ApplicationId, CredentialId},
    permission::Permission as P,
    redirect_uri::RedirectUri,
    scope::Scope,
};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeSet;
use utoipa::ToSchema;

use super::{
    answer::{Answer, Listed},
    asking::{Adding, InTenant, Overwriting, Params, Searching},
    body::JsonBody,
    operation::Operation,
    problem::Problem,
};
use crate::{
    ThingAt,
    applications::{
        ApplicationChange, ApplicationRecord, CreatedApplication, NewApplication, SecretRecord,
        secrets::{MadeSecret, NewSecret},
    },
};

const ALL: &str = "/tenants/{tenant}/applications";
const ONE: &str = "/tenants/{tenant}/applications/{application}";
const SECRETS: &str = "/tenants/{tenant}/applications/{application}/secrets";
const SECRET: &str = "/tenants/{tenant}/applications/{application}/secrets/{secret}";

/// The operations of this resource.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("listApplications", Method::GET, ALL, list)
            .summary("Lists a tenant's applications.")
            .needs(P::ApplicationsView)
            .query::<Searching>()
            .gives::<Listed<ApplicationView>>(),
        Operation::new("createApplication", Method::POST, ALL, create)
            .summary("Creates an application; the secret of a confidential one is shown only here. Such a kind also needs tenant.secrets.manage.")
            .needs(P::ApplicationsEdit)
            .takes::<NewApplication>(json!({"name": "Shop", "kind": "web", "redirect_uris": ["https://shop.example/callback"]}))
            .creates::<CreatedView>()
            .versioned(),
        Operation::new("getApplication", Method::GET, ONE, get)
            .summary("Reads an application.")
            .needs(P::ApplicationsView)
            .gives::<ApplicationView>()
            .versioned(),
        Operation::new("updateApplication", Method::PATCH, ONE, update)
            .summary("Changes an application; what is left out stays. The status disables and enables it.")
            .needs(P::ApplicationsEdit)
            .takes::<ApplicationChange>(json!({"name": "Web shop", "status": "disabled"}))
            .gives::<ApplicationView>()
            .versioned(),
        Operation::new("deleteApplication", Method::DELETE, ONE, delete)
            .summary("Deletes an application with its secrets and client grants.")
            .needs(P::ApplicationsEdit),
        Operation::new("createApplicationSecret", Method::POST, SECRETS, create_secret)
            .summary("Makes another secret, shown only here, and sets an end to the older one. Location and ETag are the application's.")
            .needs(P::SecretsManage)
            .takes::<NewSecret>(json!({"overlap_seconds": 86400}))
            .creates::<MadeSecretView>()
            .versioned(),
        Operation::new("revokeApplicationSecret", Method::DELETE, SECRET, revoke_secret)
            .summary("Revokes a secret at once. If-Match is the application's ETag.")
            .needs(P::SecretsManage),
    ]
}

/// An application.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ApplicationView {
    id: ApplicationId,
    /// What OAuth calls its id; the same value.
    client_id: ApplicationId,
    name: String,
    kind: ApplicationKind,
    status: ApplicationStatus,
    redirect_uris: Vec<RedirectUri>,
    post_logout_redirect_uris: Vec<RedirectUri>,
    grant_types: BTreeSet<GrantType>,
    auth_methods: BTreeSet<TokenAuthMethod>,
    scopes: BTreeSet<Scope>,
    signing_algorithm: SigningAlgorithm,
    first_party: bool,
    /// Which secrets there are, oldest first; never their text.
    secrets: Vec<SecretRecord>,
    /// Whether it is the console itself: every change of it is refused (`built_in`).
    built_in: bool,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<ApplicationRecord> for ApplicationView {
    fn from(record: ApplicationRecord) -> Self {
        let application = record.application;
        Self {
            id: application.id,
            client_id: application.id,
            name: application.name,
            kind: application.kind,
            status: application.status,
            redirect_uris: application.redirect_uris,
            post_logout_redirect_uris: application.post_logout_redirect_uris,
            grant_types: application.grant_types,
            auth_methods: application.auth_methods,
            scopes: application.scopes,
            signing_algorithm: application.signing_algorithm,
            first_party: application.first_party,
            secrets: record.secrets,
            built_in: record.built_in,
            version: record.version,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

/// A new application.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedView {
    application: ApplicationView,
    /// The `client_secret`, this once; absent for public applications and in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
}

impl From<CreatedApplication> for CreatedView {
    fn from(created: CreatedApplication) -> Self {
        Self {
            application: created.record.into(),
            client_secret: created.secret.map(|secret| secret.expose().to_owned()),
        }
    }
}

/// A new secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MadeSecretView {
    /// Which of the application's secrets it is.
    id: CredentialId,
    /// The `client_secret`, this once; absent in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    application: ApplicationView,
}

impl From<MadeSecret> for MadeSecretView {
    fn from(made: MadeSecret) -> Self {
        Self {
            id: made.id,
            client_secret: made.secret.map(|secret| secret.expose().to_owned()),
            application: made.record.into(),
        }
    }
}

async fn list(
    at: InTenant,
    Params(search): Params<Searching>,
) -> Result<Listed<ApplicationView>, Problem> {
    let (text, page) = (search.q.as_deref(), search.page()?);
    let found = at
        .plane
        .list_applications(&at.caller, at.tenant, text, &page)
        .await?;
    Ok(Listed::page(found))
}

async fn get(
    at: InTenant,
    path: Path<(String, ApplicationId)>,
) -> Result<Answer<ApplicationView>, Problem> {
    let record = at
        .plane
        .get_application(&at.caller, at.tenant, path.1)
        .await?;
    Ok(Answer::kept(record))
}

async fn create(
    at: InTenant,
    write: Adding,
    JsonBody(new): JsonBody<NewApplication>,
) -> Result<Answer<CreatedView>, Problem> {
    let created = at
        .plane
        .create_application(&at.caller, at.tenant, new, write.mode)
        .await?;
    let location = at.location(ALL, created.record.application.id);
    let version = created.record.version;
    Ok(Answer::created(created.into(), location)
        .version(version)
        .mode(write.mode))
}

async fn update(
    at: InTenant,
    path: Path<(String, ApplicationId)>,
    write: Overwriting,
    JsonBody(change): JsonBody<ApplicationChange>,
) -> Result<Answer<ApplicationView>, Problem> {
    let record = at
        .plane
        .update_application(&at.caller, at.thing(path.1, &write), change, write.mode)
        .await?;
    Ok(Answer::kept(record).mode(write.mode))
}

async fn delete(
    at: InTenant,
    path: Path<(String, ApplicationId)>,
    write: Overwriting,
) -> Result<Answer<()>, Problem> {
    at.plane
        .delete_application(&at.caller, at.thing(path.1, &write), write.mode)
        .await?;
    Ok(Answer::done(write.mode))
}

/// A secret has no address to be read at; what there is to know of it is in the application.
async fn create_secret(
    at: InTenant,
    path: Path<(String, ApplicationId)>,
    write: Adding,
    JsonBody(new): JsonBody<NewSecret>,
) -> Result<Answer<MadeSecretView>, Problem> {
    let which = ThingAt {
        tenant: at.tenant,
        id: path.1,
        expected: None,
    };
    let made = at
        .plane
        .add_application_secret(&at.caller, which, new, write.mode)
        .await?;
    let version = made.record.version;
    Ok(Answer::created(made.into(), at.location(ALL, path.1))
        .version(version)
        .mode(write.mode))
}

async fn revoke_secret(
    at: InTenant,
    path: Path<(String, ApplicationId, CredentialId)>,
    write: Overwriting,
) -> Result<Answer<()>, Problem> {
    at.plane
        .revoke_application_secret(&at.caller, at.thing(path.1, &write), path.2, write.mode)
        .await?;
    Ok(Answer::done(write.mode))
}
