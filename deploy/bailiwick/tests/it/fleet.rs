//! An installation of processes: a control plane, and nodes that enrol, connect over mutual TLS, serve, lose
//! the control plane and find it again (R-NODE-01, R-NODE-02, R-NODE-07, R-NODE-10).
//!
//! On SQLite a region has one node, because its identity store is that node's file; with PostgreSQL and Redis
//! it has two.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    browser::client,
    harness::{Place, Running, bailiwick, finish, free_port, remember},
};

const REGION: &str = "eu";
const PAUSE: Duration = Duration::from_millis(50);
/// Tries of [`PAUSE`] for what a busy machine may take its time with.
const TRIES: u32 = 1200;

/// A control plane and the machines its nodes run on.
struct Fleet {
    /// Where the control plane works, and the region's stores.
    place: Place,
    push_port: u16,
}

/// A machine that is to be a node.
struct Machine<'a> {
    fleet: &'a Fleet,
    name: String,
    home: tempfile::TempDir,
    port: u16,
}

impl Fleet {
    async fn new() -> Self {
        Self {
            place: Place::new().await,
            push_port: free_port(),
        }
    }

    fn control_plane(&self, dir: &Path, console: &str, push_port: u16) -> Command {
        let mut command = self.place.command_in("control-plane", dir);
        command
            .args(["--console-addr", console.trim_start_matches("http://")])
            .args(["--push-addr", &format!("127.0.0.1:{push_port}")])
            .env("BAILIWICK_REGION", REGION)
            .env("BAILIWICK_AUTH_BASE_URL", &self.place.auth)
            // Operators reach every control plane at one address.
            .env("BAILIWICK_CONSOLE_URL", &self.place.console)
            .env("BAILIWICK_LOG__FILTER", "debug")
            .env("BAILIWICK_LOG__FORMAT", "json");
        command
    }

    async fn start(&self) -> Running {
        let first = self.control_plane(&self.place.dir(), &self.place.console, self.push_port);
        self.place.run(first).await
    }

    /// A second control plane on the same database.
    async fn start_second(&self, dir: &Path, push_port: u16) -> Running {
        fs::create_dir(dir).unwrap();
        let kek = dir.join("kek");
        fs::copy(self.place.dir().join("kek"), &kek).unwrap();
        fs::set_permissions(&kek, fs::Permissions::from_mode(0o600)).unwrap();
        let console = format!("127.0.0.1:{}", free_port());
        let second = self.control_plane(dir, &console, push_port);
        self.place.run(second).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = client()
            .request(method, format!("{}/v1{path}", self.place.console))
            .bearer_auth(self.place.token(&[]).await);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap_or_default())
    }

    /// Registers a node and gives its id and a join token.
    async fn register(&self, name: &str) -> (String, String) {
        let new = json!({"name": name, "region": REGION});
        let (status, node) = self.ask(Method::POST, "/nodes", Some(new)).await;
        assert_eq!(status, 201, "{node}");
        let id = node["id"].as_str().unwrap().to_owned();
        let token = self.join_token(&id).await;
        (id, token)
    }

    async fn join_token(&self, node: &str) -> String {
        let path = format!("/nodes/{node}/join-tokens");
        let (status, made) = self.ask(Method::POST, &path, None).await;
        assert_eq!(status, 201, "{made}");
        let token = made["token"].as_str().unwrap().to_owned();
        remember([token.as_str()]);
        token
    }

    fn machine(&self, name: &str) -> Machine<'_> {
        let machine = Machine {
            fleet: self,
            name: name.to_owned(),
            home: tempfile::tempdir().unwrap(),
            port: free_port(),
        };
        fs::create_dir(machine.dir()).unwrap();
        // The nodes of a region open the same stores, so they share the key.
        machine.write("kek", &[7; 32]);
        machine
    }

    async fn connected(&self, node: &str) -> bool {
        let (_, node) = self.ask(Method::GET, &format!("/nodes/{node}"), None).await;
        node["connected"] == true
    }
}

impl Machine<'_> {
    fn dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.dir().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn node(&self) -> Command {
        let mut command = self.fleet.place.node_in(&self.dir(), self.port);
        command
            .env("BAILIWICK_AUTH_BASE_URL", &self.fleet.place.auth)
            .env("BAILIWICK_LOG__FORMAT", "json");
        command
    }

    fn joining(&self, token: &str) -> Command {
        let file = self.write("join-token", token.as_bytes());
        let mut command = self.node();
        command.arg("--join-token-file").arg(file);
        command
    }

    async fn readiness(&self) -> Option<(u16, Value)> {
        let url = format!("{}/readyz", self.base());
        let answer = client().get(url).send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.ok()?))
    }

    /// Waits until `/readyz` is as wanted.
    async fn until_ready(&self, node: &mut Running, wanted: impl Fn(u16, &str) -> bool) {
        let mut last = None;
        for _ in 0..TRIES {
            if let Some((status, report)) = self.readiness().await {
                let text = report.to_string();
                if wanted(status, &text) {
                    return;
                }
                last = Some((status, text));
            }
            assert!(node.is_alive(), "{} ended:\n{}", self.name, node.logged());
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{}: {last:?}\n{}", self.name, node.logged());
    }

    async fn serves(&self, tenant: &str) -> bool {
        let url = format!(
            "{}/t/{tenant}/.well-known/openid-configuration",
            self.base()
        );
        // As through the balancer that the region's address is of.
        let host = self.fleet.place.auth.trim_start_matches("http://");
        let answer = client().get(url).header("host", host).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    async fn until_serving(&self, node: &mut Running, tenant: &str) {
        for _ in 0..TRIES {
            if self.serves(tenant).await {
                return;
            }
            assert!(node.is_alive(), "{} ended:\n{}", self.name, node.logged());
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{} does not serve {tenant}:\n{}", self.name, node.logged());
    }
}

fn connected(status: u16, report: &str) -> bool {
    status == 200 && !report.contains("control_plane")
}

#[tokio::test]
async fn nodes_enrol_and_follow_the_control_plane_r_node_01_r_node_07() {
    let fleet = Fleet::new().await;
    let control = fleet.start().await;
    assert!(control.banner.contains("Nodes"), "{}", control.banner);
    let names: &[&str] = match fleet.place.is_shared() {
        true => &["eu-1", "eu-2"],
        false => &["eu-1"],
    };
    let mut machines = Vec::new();
    for name in names {
        let (id, token) = fleet.register(name).await;
        let machine = fleet.machine(name);
        let mut node = fleet.place.spawn(machine.joining(&token));
        machine.until_ready(&mut node, connected).await;
        assert!(machine.serves("platform").await);
        assert!(fleet.connected(&id).await);
        machines.push((machine, node, id));
    }
    let new =
        json!({"slug": "globex", "name": "Globex", "environment": "sandbox", "region": REGION});
    let (status, created) = fleet.ask(Method::POST, "/tenants", Some(new)).await;
    assert_eq!(status, 201, "{created}");
    for (machine, node, _) in &mut machines {
        machine.until_serving(node, "globex").await;
    }

    // Without the control plane they go on, and start again (R-NODE-07).
    control.stop().await;
    let (machine, node, _) = &mut machines[0];
    machine
        .until_ready(node, |status, report| {
            status == 200 && report.contains("not connected")
        })
        .await;
    node.signal("TERM");
    node.ended().await;
    // No token is needed again: the node has its identity.
    *node = fleet.place.spawn(machine.node());
    machine.until_serving(node, "globex").await;

    // The control plane comes back, and they find it.
    let control = fleet.start().await;
    for (machine, node, id) in &mut machines {
        machine.until_ready(node, connected).await;
        assert!(fleet.connected(id).await, "{}", control.logged());
    }
}

#[tokio::test]
async fn a_node_of_one_control_plane_follows_what_another_commits() {
    let fleet = Fleet::new().await;
    if !fleet.place.is_shared() {
        // On SQLite there is one control plane, and the suite for PostgreSQL runs this.
        return;
    }
    let _first = fleet.start().await;
    let home = tempfile::tempdir().unwrap();
    let push_port = free_port();
    let second = fleet
        .start_second(&home.path().join("second"), push_port)
        .await;
    let (id, token) = fleet.register("eu-1").await;
    let machine = fleet.machine("eu-1");
    let mut joining = machine.joining(&token);
    joining.env("BAILIWICK_PUSH__ADDRESS", format!("127.0.0.1:{push_port}"));
    let mut node = fleet.place.spawn(joining);
    machine.until_ready(&mut node, connected).await;

    // The API of the first; the node is with the second.
    let new =
        json!({"slug": "globex", "name": "Globex", "environment": "sandbox", "region": REGION});
    let (status, created) = fleet.ask(Method::POST, "/tenants", Some(new)).await;
    assert_eq!(status, 201, "{created}");
    machine.until_serving(&mut node, "globex").await;
    let reason = json!({"reason": "The machine was sold."});
    let path = format!("/nodes/{id}/revoke");
    let (status, revoked) = fleet.ask(Method::POST, &path, Some(reason)).await;
    assert_eq!(status, 200, "{revoked}");
    machine
        .until_ready(&mut node, |_, report| {
            report.contains("revoked by the control plane, serving nobody")
        })
        .await;
    assert!(!second.logged().contains("panicked"));
}

#[tokio::test]
async fn a_join_token_is_good_once_and_for_one_name_r_node_01() {
    let fleet = Fleet::new().await;
    let _control = fleet.start().await;
    let (_, token) = fleet.register("eu-1").await;
    let first = fleet.machine("eu-1");
    let mut node = fleet.place.spawn(first.joining(&token));
    first.until_ready(&mut node, connected).await;

    let second = fleet.machine("eu-1 again");
    let mut again = fleet.place.spawn(second.joining(&token));
    second
        .until_ready(&mut again, |status, report| {
            status == 503 && report.contains("refuses the join token")
        })
        .await;
    assert!(!again.logged().contains(token.trim()));
}

#[tokio::test]
async fn a_revoked_node_is_cut_off_and_serves_nobody_r_node_10() {
    let fleet = Fleet::new().await;
    let _control = fleet.start().await;
    let (id, token) = fleet.register("eu-1").await;
    let machine = fleet.machine("eu-1");
    let mut node = fleet.place.spawn(machine.joining(&token));
    machine.until_ready(&mut node, connected).await;

    let reason = json!({"reason": "The machine was sold."});
    let path = format!("/nodes/{id}/revoke");
    let (status, revoked) = fleet.ask(Method::POST, &path, Some(reason)).await;
    assert_eq!(status, 200, "{revoked}");
    machine
        .until_ready(&mut node, |_, report| {
            report.contains("revoked by the control plane, serving nobody")
        })
        .await;
    assert!(!fleet.connected(&id).await);
    assert!(!machine.serves("platform").await);
    let new =
        json!({"slug": "globex", "name": "Globex", "environment": "sandbox", "region": REGION});
    let (status, created) = fleet.ask(Method::POST, "/tenants", Some(new)).await;
    assert_eq!(status, 201, "{created}");
    assert!(!machine.serves("globex").await);
}

#[tokio::test]
async fn without_a_certificate_there_is_no_handshake_r_node_02() {
    let fleet = Fleet::new().await;
    let mut control = fleet.start().await;
    let url = format!("https://127.0.0.1:{}/push", fleet.push_port);
    #[expect(
        clippy::disallowed_methods,
        reason = "a stranger, who believes any certificate"
    )]
    let stranger = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .build()
        .unwrap();
    let refused = stranger.get(url).send().await;
    assert!(refused.is_err(), "{refused:?}");
    let plain = client()
        .get(format!("http://127.0.0.1:{}/push", fleet.push_port))
        .send()
        .await;
    assert!(plain.is_err(), "{plain:?}");
    assert!(control.is_alive());
}

#[tokio::test]
async fn settings_of_a_control_plane_are_checked() {
    let home = tempfile::tempdir().unwrap();
    for (settings, expected) in [
        (&[][..], "auth_base_url"),
        (
            &[("BAILIWICK_AUTH_BASE_URL", "http://auth.example/")],
            "https://",
        ),
        (
            &[
                ("BAILIWICK_AUTH_BASE_URL", "https://auth.example/"),
                ("BAILIWICK_PUSH_ADDRESS", "nowhere"),
            ],
            "push_address",
        ),
    ] {
        let mut command = bailiwick();
        command
            .args(["control-plane", "--console-addr", "127.0.0.1:0"])
            .args(["--push-addr", "127.0.0.1:0", "--data-dir"])
            .arg(home.path().join("data"))
            .envs(settings.iter().copied());
        let output = finish(command).await;
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(line.contains(expected), "{line}");
    }
}

/// Seconds for which a canary node is watched here.
const BAKE: &str = "8";

/// A canary node and a wide one, both connected.
async fn one_of_each_ring(fleet: &Fleet) -> Vec<(Machine<'_>, Running)> {
    let mut machines = Vec::new();
    for (name, ring) in [("eu-canary", "canary"), ("eu-wide", "wide")] {
        let new = json!({"name": name, "region": REGION, "ring": ring});
        let (status, made) = fleet.ask(Method::POST, "/nodes", Some(new)).await;
        assert_eq!(status, 201, "{made}");
        let id = made["id"].as_str().unwrap().to_owned();
        let token = fleet.join_token(&id).await;
        let machine = fleet.machine(name);
        let mut node = fleet.place.spawn(machine.joining(&token));
        machine.until_ready(&mut node, connected).await;
        machines.push((machine, node));
    }
    machines
}

#[tokio::test]
async fn a_release_is_tried_by_a_canary_node_and_its_traffic_lets_it_through_r_node_06() {
    let fleet = Fleet::new().await;
    let (dir, console) = (fleet.place.dir(), &fleet.place.console);
    let mut control = fleet.control_plane(&dir, console, fleet.push_port);
    control.env("BAILIWICK_ROLLOUT__BAKE_SECONDS", BAKE);
    let _control = fleet.place.run(control).await;
    let mut machines = one_of_each_ring(&fleet).await;
    let new =
        json!({"slug": "globex", "name": "Globex", "environment": "sandbox", "region": REGION});
    let (status, created) = fleet.ask(Method::POST, "/tenants", Some(new)).await;
    assert_eq!(status, 201, "{created}");
    for (machine, node) in &mut machines {
        machine.until_serving(node, "globex").await;
    }
    let renamed = client()
        .patch(format!("{console}/v1/tenants/globex"))
        .bearer_auth(fleet.place.token(&[]).await)
        .header("If-Match", "*")
        .json(&json!({"name": "Globex, renamed"}))
        .send()
        .await
        .unwrap();
    assert_eq!(renamed.status(), 200);

    let mut wide_was_spared = false;
    let mut last = Value::Null;
    for _ in 0..TRIES {
        for (machine, _) in &machines {
            for _ in 0..10 {
                assert!(machine.serves("globex").await);
            }
        }
        let (status, found) = fleet
            .ask(Method::GET, "/tenants/globex/rollouts", None)
            .await;
        assert_eq!(status, 200, "{found}");
        last = found["items"][0].clone();
        let applied = |wave: usize| last["waves"][wave]["nodes"][0]["applied"].clone();
        wide_was_spared |=
            last["state"] == "baking" && (applied(0), applied(1)) == (json!(2), json!(1));
        if last["state"] != "baking" && applied(1) == 2 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    assert!(wide_was_spared, "{last}");
    assert_eq!(
        (&last["state"], &last["release"]),
        (&json!("promoted"), &json!(2))
    );
    // Real requests, counted by real nodes: that is what let it through.
    let failures = &last["gates"][1];
    assert_eq!(
        (&failures["verdict"], &failures["measured"]),
        (&json!("passed"), &json!(0))
    );
    assert!(failures["samples"].as_u64() >= Some(20), "{failures}");
    assert_eq!(last["reason"], "No gate objects.");
}
