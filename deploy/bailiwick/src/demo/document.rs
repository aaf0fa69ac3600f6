//! `demo.json`: what clients and tests need to use the demo. Its shape is an interface.

use data_plane::process::Failure;
use serde::Serialize;
use url::Url;

use super::{
    plan::{self, SHOP, WAREHOUSE},
    vault::{KnownClient, Vault},
};

/// The file.
#[derive(Serialize)]
pub struct Document {
    console_url: String,
    /// The demo tenant's issuer.
    pub issuer: String,
    application: WebClient,
    machine: MachineClient,
    user: Account,
    operators: Vec<OperatorAccount>,
}

#[derive(Serialize)]
struct WebClient {
    client_id: String,
    client_secret: String,
    redirect_uris: Vec<&'static str>,
}

#[derive(Serialize)]
struct MachineClient {
    client_id: String,
    client_secret: String,
    scope: String,
}

#[derive(Serialize)]
struct Account {
    email: &'static str,
    password: String,
}

#[derive(Serialize)]
struct OperatorAccount {
    role: &'static str,
    email: &'static str,
    password: String,
    tenant: &'static str,
}

impl Document {
    /// Gathers what the vault knows.
    ///
    /// # Errors
    /// Something was not seeded.
    pub fn of(vault: &mut Vault, console: &Url, issuer: String) -> Result<Self, Failure> {
        let (shop, warehouse) = (client(vault, SHOP)?, client(vault, WAREHOUSE)?);
        let scopes: Vec<&str> = plan::SCOPES.iter().map(|(scope, _)| *scope).collect();
        let mut operators = Vec::new();
        for person in plan::OPERATORS {
            let role = person.role.expect("each operator of the plan has a role");
            operators.push(OperatorAccount {
                role: role.as_str(),
                email: person.email,
                password: vault.person(person.email)?.password.expose().to_owned(),
                tenant: person.tenant,
            });
        }
        Ok(Self {
            console_url: console.origin().ascii_serialization(),
            issuer,
            application: WebClient {
                client_id: shop.id.to_string(),
                client_secret: shop.secret.expose().to_owned(),
                redirect_uris: plan::REDIRECT_URIS.to_vec(),
            },
            machine: MachineClient {
                client_id: warehouse.id.to_string(),
                client_secret: warehouse.secret.expose().to_owned(),
                scope: scopes.join(" "),
            },
            user: Account {
                email: plan::USER.email,
                password: vault.person(plan::USER.email)?.password.expose().to_owned(),
            },
            operators,
        })
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("the document is plain JSON");
        text.push('\n');
        text
    }
}

fn client(vault: &Vault, name: &str) -> Result<KnownClient, Failure> {
    vault
        .client(name)
        .ok_or_else(|| Failure::new("cannot write demo.json", format!("{name} was not seeded")))
}
