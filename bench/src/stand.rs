//! What every scenario begins with: an installation, a tenant with a machine, and N connected nodes.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use contract::ids::TenantId;
use serde_json::json;
use tokio::task::{JoinHandle, JoinSet};

use crate::{
    Result,
    board::{Board, Event},
    http::Http,
    light::{Light, enrol},
    product::{Product, join_token},
};

/// The tenant that is changed and contained.
pub const SLUG: &str = "globex";
/// Enrolments at a time.
const ENROLLING: usize = 16;
/// Longest wait until every node is there.
const CONNECT_LIMIT: Duration = Duration::from_secs(120);

/// An installation at work.
pub struct Stand {
    /// Its processes.
    pub product: Product,
    /// The light nodes.
    pub light: Vec<Arc<Light>>,
    /// What nodes did.
    pub board: Arc<Board>,
    /// The admin API, as the platform's owner.
    pub platform: Http,
    /// The same, as the tenant's owner.
    pub owner: Http,
    /// The tenant.
    pub tenant: TenantId,
    /// The machine's id.
    pub machine: String,
    /// How the machine proves itself.
    pub basic: String,
    /// The control plane's memory in KiB before any node came.
    pub rss_before: u64,
    connections: Vec<JoinHandle<()>>,
}

impl Drop for Stand {
    fn drop(&mut self) {
        for one in &self.connections {
            one.abort();
        }
    }
}

impl Stand {
    /// All nodes.
    pub fn nodes(&self) -> usize {
        self.light.len() + self.product.full.len()
    }

    /// Full and light.
    pub fn mix(&self) -> String {
        format!(
            "{} full : {} light",
            self.product.full.len(),
            self.light.len()
        )
    }

    /// Prepares an installation with so many nodes.
    ///
    /// # Errors
    /// Any part of it fails.
    pub async fn with(nodes: usize, binaries: &Path) -> Result<Self> {
        let board = Arc::new(Board::default());
        let mut product = Product::start(binaries, Arc::clone(&board)).await?;
        let mut platform = product.api(None)?;
        let new = json!({
            "slug": SLUG, "name": "Globex", "environment": "sandbox", "region": crate::product::REGION,
        });
        let made = platform.call("POST", "/v1/tenants", Some(&new)).await?;
        let tenant = made["tenant"]["id"].as_str().or(made["id"].as_str());
        let tenant = tenant
            .ok_or("a tenant has no id")?
            .parse()
            .map_err(|_| "no tenant id")?;
        let mut owner = product.api(Some(SLUG))?;
        let (machine, basic) = machine(&mut owner).await?;
        let rss_before = product.control_usage().1;
        let full = nodes.div_ceil(100);
        for number in 0..full {
            let token = join_token(&mut platform, &format!("full-{number}")).await?;
            product.add_full(number, &token).await?;
        }
        let mut stand = Self {
            product,
            light: Vec::new(),
            board,
            platform,
            owner,
            tenant,
            machine,
            basic,
            rss_before,
            connections: Vec::new(),
        };
        stand.add_light(full, nodes - full).await?;
        stand.serves().await?;
        Ok(stand)
    }

    async fn add_light(&mut self, first: usize, count: usize) -> Result<()> {
        let begun = Instant::now();
        let mut enrolling = JoinSet::new();
        for number in first..first + count {
            let token = join_token(&mut self.platform, &format!("light-{number}")).await?;
            let board = Arc::clone(&self.board);
            enrolling.spawn(enrol(number, token, board));
            if enrolling.len() >= ENROLLING
                && let Some(done) = enrolling.join_next().await
            {
                self.light.push(done??);
            }
        }
        while let Some(done) = enrolling.join_next().await {
            self.light.push(done??);
        }
        let enrolled = begun.elapsed();
        for light in &self.light {
            self.connections.extend(light.connect());
        }
        let there = self
            .board
            .wait(Event::Index, count, CONNECT_LIMIT)
            .await
            .len();
        if there < count {
            return Err(format!("only {there} of {count} light nodes were greeted").into());
        }
        println!(
            "{}: enrolled in {:.1} s ({:.1} ms each, {ENROLLING} at a time), all greeted after {:.1} s",
            self.mix(),
            enrolled.as_secs_f64(),
            enrolled.as_secs_f64() * 1000.0 / f64::from(u32::try_from(count.max(1)).unwrap_or(1)),
            begun.elapsed().as_secs_f64(),
        );
        Ok(())
    }

    /// Waits until every full node gives the machine a token.
    ///
    /// # Errors
    /// One does not.
    pub async fn serves(&self) -> Result<()> {
        for full in &self.product.full {
            let mut door = self.product.door(full, Some(self.basic.clone()));
            let begun = Instant::now();
            while token(&mut door).await?.is_none() {
                if begun.elapsed() > CONNECT_LIMIT {
                    return Err("a full node gives no token".into());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }
}

async fn machine(owner: &mut Http) -> Result<(String, String)> {
    let root = format!("/v1/tenants/{SLUG}");
    let api = json!({
        "name": "Orders", "audience": "https://orders.example",
        "scopes": [{ "scope": "orders:read", "description": "Read orders" }],
    });
    let api = owner
        .call("POST", &format!("{root}/apis"), Some(&api))
        .await?;
    let application = json!({ "name": "Batch", "kind": "machine" });
    let made = owner
        .call("POST", &format!("{root}/applications"), Some(&application))
        .await?;
    let id = made["application"]["client_id"]
        .as_str()
        .ok_or("no client id")?
        .to_owned();
    let secret = made["client_secret"].as_str().ok_or("no client secret")?;
    let grant = json!({ "application": id, "api": api["id"], "scopes": ["orders:read"] });
    owner
        .call("POST", &format!("{root}/client-grants"), Some(&grant))
        .await?;
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    Ok((id, basic))
}

/// Asks a door for a token of the machine; `None` if it is refused.
///
/// # Errors
/// Nobody answers.
pub async fn token(door: &mut Http) -> Result<Option<String>> {
    let path = format!("/t/{SLUG}/oauth2/token");
    let form = "application/x-www-form-urlencoded";
    let answer = door
        .ask(("POST", &path), form, "grant_type=client_credentials")
        .await?;
    if answer.status != 200 {
        return Ok(None);
    }
    Ok(answer.json()?["access_token"].as_str().map(str::to_owned))
}
