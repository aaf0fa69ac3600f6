//! `up --demo`: a vendor, a tenant `acme`, and everything one needs to try the product.
//!
//! Seeding goes through the methods that people and programs use, so each step is validated, audited and
//! released like theirs; it writes no table. It is idempotent: every step looks first, ids and passwords
//! are chosen once and kept sealed beside the data, and `demo.json` comes out the same at every start.
//!
//! It must never run unless asked for, never in an installation that somebody owns, because its owner's
//! password lies in a file, and never print a password: they stand in `demo.json` (0600).

mod document;
mod plan;
mod vault;

use std::{path::PathBuf, time::Duration};

use contract::{
    ids::{ApplicationId, TenantId},
    role::Role,
    tenant::{Environment, PLATFORM_SLUG},
};
use control_plane::{
    Caller, ControlPlane, HeldRole, Mode, PageRequest, Scope,
    apis::ApiRecord,
    applications::{ApplicationAt, NewApplication},
    client_grants::{ClientGrantFilter, NewClientGrant},
    operators::{Invitee, OperatorKind},
    tenants::{NewTenant, Tenant},
};
use data_plane::{
    SeedUser,
    process::{DataDir, Failure},
};
use host::write_atomically;
use url::Url;

use self::{
    document::Document,
    plan::{Person, SHOP, WAREHOUSE},
    vault::Vault,
};
use crate::{
    planes::{Means, Planes},
    refused::refused,
};

/// Longest wait for the node to serve what was seeded.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the banner says about the demo.
pub struct Seeded {
    /// The demo tenant's issuer.
    pub issuer: String,
    /// Where the credentials are.
    pub file: PathBuf,
}

/// Refuses an installation with owners, invited ones included, of whom the demo made none: it would get one
/// more, with a password in a file. A demo whose owner invited others stays a demo.
///
/// # Errors
/// One line that says so, or that the operators cannot be read.
pub async fn check_place(
    control_plane: &ControlPlane,
    means: &Means,
    dir: &DataDir,
) -> Result<(), Failure> {
    let vault = Vault::open(dir, means)?;
    let members = control_plane
        .list_members(&control_plane.system_caller(), Scope::Platform)
        .await
        .map_err(refused("cannot list the platform's owners"))?;
    let mut owners = members
        .iter()
        .filter(|member| member.operator.kind == OperatorKind::Person)
        .filter(|member| {
            let mut roles = member.roles.iter();
            roles.any(|held| held.role == Role::PlatformOwner)
        })
        .map(|member| member.operator.subject)
        .peekable();
    if owners.peek().is_none() || owners.any(|owner| vault.made(owner)) {
        return Ok(());
    }
    Err(Failure::new(
        format!("cannot seed the demo in {}", dir.path().display()),
        "somebody owns this installation already, and a demo's owner has a password in a file; \
         leave --demo away, or give the demo an empty --data-dir",
    ))
}

/// Makes what is missing and writes `demo.json`.
///
/// # Errors
/// One line that names the step.
pub async fn seed(
    planes: &Planes,
    means: &Means,
    dir: &DataDir,
    console: &Url,
) -> Result<Seeded, Failure> {
    let caller = planes.control_plane.system_caller();
    let mut seed = Seed {
        planes,
        caller,
        vault: Vault::open(dir, means)?,
    };
    let document = seed.run(console).await?;
    let file = dir.join("demo.json");
    write_atomically(&file, document.to_json().as_bytes())
        .map_err(Failure::because(format!("cannot write {}", file.display())))?;
    Ok(Seeded {
        issuer: document.issuer,
        file,
    })
}

struct Seed<'a> {
    planes: &'a Planes,
    caller: Caller,
    vault: Vault,
}

impl Seed<'_> {
    async fn run(&mut self, console: &Url) -> Result<Document, Failure> {
        let platform = self.tenant(PLATFORM_SLUG).await?.ok_or_else(|| {
            Failure::new("cannot seed the demo", "the platform tenant is missing")
        })?;
        let acme = match self.tenant(plan::TENANT).await? {
            Some(tenant) => tenant,
            None => self.create_tenant().await?,
        };
        self.await_served(acme.id).await?;
        self.operators(&platform, &acme).await?;
        self.account(acme.id, &plan::USER).await?;

        let shop = self.application(acme.id, SHOP, plan::shop()).await?;
        let warehouse = self
            .application(acme.id, WAREHOUSE, plan::warehouse())
            .await?;
        let api = self.api(acme.id).await?;
        self.client_grant(acme.id, warehouse, &api).await?;
        self.await_served(acme.id).await?;
        tracing::info!(%shop, %warehouse, "the demo is seeded");
        let issuer = self.planes.control_plane.issuer(&acme);
        Document::of(&mut self.vault, console, issuer)
    }

    async fn tenant(&self, slug: &str) -> Result<Option<Tenant>, Failure> {
        let plane = &self.planes.control_plane;
        let slug = slug.parse().expect("slugs of the plan are well formed");
        match plane.get_tenant_by_slug(&self.caller, &slug).await {
            Ok(tenant) => Ok(Some(tenant)),
            Err(control_plane::Refusal::NotFound { .. }) => Ok(None),
            Err(other) => Err(refused("cannot look for the demo tenant")(other)),
        }
    }

    async fn create_tenant(&self) -> Result<Tenant, Failure> {
        let plane = &self.planes.control_plane;
        let new = NewTenant {
            slug: plan::TENANT
                .parse()
                .expect("a slug of the plan is well formed"),
            name: plan::TENANT_NAME
                .parse()
                .expect("a name of the plan is well formed"),
            environment: Environment::Production,
            region: self.planes.node.region().clone(),
            host: None,
            first_admin: None,
        };
        let created = plane
            .create_tenant(&self.caller, new, Mode::Commit)
            .await
            .map_err(refused("cannot create the demo tenant"))?;
        Ok(created.tenant)
    }

    /// What was released last is what the node answers with.
    async fn await_served(&self, tenant: TenantId) -> Result<(), Failure> {
        let plane = &self.planes.control_plane;
        let known = plane
            .get_tenant(&self.caller, tenant)
            .await
            .map_err(refused("cannot read the demo tenant"))?;
        plane
            .wait_applied(tenant, known.release_version, PATIENCE)
            .await
            .map_err(refused("the node does not serve the demo tenant"))
    }

    async fn operators(&mut self, platform: &Tenant, acme: &Tenant) -> Result<(), Failure> {
        for person in plan::OPERATORS {
            let scope = match person.tenant {
                plan::TENANT => Scope::Tenant(acme.id),
                _ => Scope::Platform,
            };
            let members = self
                .planes
                .control_plane
                .list_members(&self.caller, scope)
                .await
                .map_err(refused("cannot list the demo's operators"))?;
            self.account(platform.id, person).await?;
            if members
                .iter()
                .any(|member| member.operator.email == person.email)
            {
                continue;
            }
            let subject = self.vault.person(person.email)?.id;
            let invitee = Invitee {
                name: person.name.to_owned(),
                email: person.email.to_owned(),
            };
            let role = person.role.expect("each operator of the plan has a role");
            self.planes
                .control_plane
                .adopt_operator(subject, invitee, &[HeldRole { role, scope }])
                .await
                .map_err(refused("cannot make a demo operator"))?;
        }
        Ok(())
    }

    /// The account of `person` in `tenant`, with the password of the vault.
    async fn account(&mut self, tenant: TenantId, person: &Person) -> Result<(), Failure> {
        let kept = self.vault.person(person.email)?;
        let user = SeedUser {
            email: person.email,
            name: person.name,
            password: kept.password.expose(),
        };
        self.planes
            .node
            .create_user_with_password(tenant, kept.id, user)
            .await
            .map_err(Failure::because("cannot make a demo account"))?;
        Ok(())
    }

    /// The application with this name, whose secret is in the vault. One without a known secret was left
    /// by a start that ended too early; it is made again.
    async fn application(
        &mut self,
        tenant: TenantId,
        name: &str,
        new: NewApplication,
    ) -> Result<ApplicationId, Failure> {
        let plane = &self.planes.control_plane;
        let found = plane
            .list_applications(&self.caller, tenant, Some(name), &PageRequest::default())
            .await
            .map_err(refused("cannot list the demo's applications"))?;
        let known = self.vault.client(name);
        for record in found
            .items
            .iter()
            .filter(|record| record.application.name == name)
        {
            let id = record.application.id;
            if known.as_ref().is_some_and(|client| client.id == id) {
                return Ok(id);
            }
            let at = ApplicationAt {
                tenant,
                id,
                expected: None,
            };
            plane
                .delete_application(&self.caller, at, Mode::Commit)
                .await
                .map_err(refused("cannot replace a demo application"))?;
        }
        let created = plane
            .create_application(&self.caller, tenant, new, Mode::Commit)
            .await
            .map_err(refused("cannot make a demo application"))?;
        let id = created.record.application.id;
        let secret = created.secret.ok_or_else(|| {
            Failure::new("cannot make a demo application", "it came without a secret")
        })?;
        self.vault.keep_client(name, id, &secret)?;
        Ok(id)
    }

    async fn api(&self, tenant: TenantId) -> Result<ApiRecord, Failure> {
        let plane = &self.planes.control_plane;
        let new = plan::orders_api();
        let found = plane
            .list_apis(
                &self.caller,
                tenant,
                Some(plan::AUDIENCE),
                &PageRequest::default(),
            )
            .await
            .map_err(refused("cannot list the demo's APIs"))?;
        if let Some(known) = found
            .items
            .into_iter()
            .find(|api| api.api.audience == new.audience)
        {
            return Ok(known);
        }
        plane
            .create_api(&self.caller, tenant, new, Mode::Commit)
            .await
            .map_err(refused("cannot make the demo API"))
    }

    async fn client_grant(
        &self,
        tenant: TenantId,
        application: ApplicationId,
        api: &ApiRecord,
    ) -> Result<(), Failure> {
        let plane = &self.planes.control_plane;
        let filter = ClientGrantFilter {
            application: Some(application),
            api: Some(api.api.id),
        };
        let found = plane
            .list_client_grants(&self.caller, tenant, filter, &PageRequest::default())
            .await
            .map_err(refused("cannot list the demo's client grants"))?;
        if !found.items.is_empty() {
            return Ok(());
        }
        let new = NewClientGrant {
            application,
            api: api.api.id,
            scopes: api
                .api
                .scopes
                .iter()
                .map(|scope| scope.scope.clone())
                .collect(),
        };
        plane
            .create_client_grant(&self.caller, tenant, new, Mode::Commit)
            .await
            .map_err(refused("cannot make the demo's client grant"))?;
        Ok(())
    }
}
