//! What an operator can get wrong: one line that says what and why, and an exit code.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::{
    browser::Browser,
    harness::{Place, bailiwick, finish, free_port},
    start::setup_link,
};

/// Runs to the end and gives the one line on stderr.
async fn refused(command: Command, code: i32) -> String {
    let output = finish(command).await;
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(output.stdout.is_empty());
    // Log lines of a start that failed late come before; the last line is the reason.
    let line = errors.lines().last().unwrap_or_default().to_owned();
    assert!(line.starts_with("bailiwick: "), "{errors}");
    assert!(
        !errors.contains("panicked") && !errors.contains("backtrace"),
        "{errors}"
    );
    line
}

fn up(dir: &Path) -> Command {
    let mut command = bailiwick();
    command.args([
        "up", "--console-addr", "127.0.0.1:0", "--auth-addr", "127.0.0.1:0",
    ]);
    command.arg("--data-dir").arg(dir);
    command
}

#[tokio::test]
async fn wrong_places() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    for (dir, why) in [
        (file.clone(), "it is not a directory"),
        (file.join("below"), "it is not a directory"),
        (home.path().join("a/b/c"), "does not exist"),
    ] {
        let line = refused(up(&dir), 1).await;
        assert!(
            line.contains("cannot use the data directory") && line.contains(why),
            "{line}"
        );
        assert!(
            line.contains("--data-dir") && line.contains("BAILIWICK_DATA_DIR"),
            "{line}"
        );
    }
    let mut token = bailiwick();
    token.args(["token", "--data-dir"]).arg(home.path());
    let line = refused(token, 1).await;
    assert!(line.contains("nothing was ever started in it"), "{line}");
}

#[tokio::test]
async fn a_token_before_the_first_start_has_finished() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    let mut start = up(&dir);
    start.env("BAILIWICK_NODE__STATE_URL", "redis://127.0.0.1:1/");
    refused(start, 1).await;
    let mut token = bailiwick();
    token.args(["token", "--data-dir"]).arg(&dir);
    let line = refused(token, 1).await;
    assert!(
        line.contains("no start has finished on its database yet"),
        "{line}"
    );
}

#[tokio::test]
async fn a_role_that_does_not_exist() {
    for args in [&["token", "--role", "wizard"][..], &["token", "--help"]] {
        let mut command = bailiwick();
        command.args(args);
        let output = finish(command).await;
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        for role in contract::role::Role::ALL {
            assert!(told.contains(role.as_str()), "{role:?} in: {told}");
        }
    }
}

#[tokio::test]
async fn a_demo_in_an_installation_that_somebody_owns() {
    let place = Place::new().await;
    let running = place.run(place.up()).await;
    let mut browser = Browser::new();
    let page = browser.get(setup_link(&running.banner)).await;
    let owner = [("name", "Real Owner"), ("email", "owner@real.example")];
    let answered = browser.submit(page.form("email"), &owner).await;
    assert_eq!(answered.status, 303, "{}", answered.body);
    assert_eq!(running.stop().await.code(), Some(0));

    let mut demo = place.up();
    demo.arg("--demo");
    let line = refused(demo, 1).await;
    assert!(
        line.contains("cannot seed the demo") && line.contains("somebody owns"),
        "{line}"
    );
    for name in ["demo.json", "demo.sealed"] {
        assert!(!place.dir().join(name).exists(), "{name}");
    }
}

#[tokio::test]
async fn a_taken_port() {
    let home = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    for option in ["--console-addr", "--auth-addr"] {
        let mut command = bailiwick();
        command
            .args(["up", "--data-dir"])
            .arg(home.path().join("data"));
        for other in ["--console-addr", "--auth-addr"] {
            command.args([
                other,
                if other == option {
                    &addr
                } else {
                    "127.0.0.1:0"
                },
            ]);
        }
        let line = refused(command, 1).await;
        let variable = format!("BAILIWICK_{}", option[2..].to_uppercase().replace('-', "_"));
        for part in [addr.as_str(), "already taken", option, &variable] {
            assert!(line.contains(part), "{part} in: {line}");
        }
        assert!(
            !home.path().join("data").exists(),
            "a start that found no port leaves nothing behind"
        );
    }
}

#[tokio::test]
async fn addresses_that_make_no_sense() {
    let home = tempfile::tempdir().unwrap();
    let start = |console: &str, auth: &str| {
        let mut command = bailiwick();
        command
            .args(["up", "--data-dir"])
            .arg(home.path().join("data"));
        command
            .env("BAILIWICK_CONSOLE_ADDR", console)
            .env("BAILIWICK_AUTH_ADDR", auth);
        command
    };
    let free = format!("127.0.0.1:{}", free_port());
    let line = refused(start(&free, &free), 1).await;
    for part in [
        &free, "--console-addr", "BAILIWICK_CONSOLE_ADDR", "--auth-addr", "BAILIWICK_AUTH_ADDR",
    ] {
        assert!(line.contains(part), "{part} in: {line}");
    }
    let line = refused(start("console.internal:7000", &free), 1).await;
    for part in [
        "BAILIWICK_CONSOLE_ADDR",
        "an IP address and a port",
        "localhost",
    ] {
        assert!(line.contains(part), "{part} in: {line}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let by_name = format!("localhost:{}", addr.port());
    let line = refused(start(&by_name, "127.0.0.1:0"), 1).await;
    assert!(line.contains(&format!("{addr} is already taken")), "{line}");
    assert!(!home.path().join("data").exists());
}

#[tokio::test]
async fn a_directory_that_cannot_be_written() {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let dir = if fs::write(home.path().join("probe"), "").is_ok() {
        // Permissions bind everyone but root; in the kernel's own tree root makes nothing either.
        Path::new("/sys/bailiwick-data").to_owned()
    } else {
        home.path().join("data")
    };
    let line = refused(up(&dir), 1).await;
    for part in [
        "cannot be written by this user",
        "--data-dir",
        "BAILIWICK_DATA_DIR",
    ] {
        assert!(line.contains(part), "{part} in: {line}");
    }
}

#[tokio::test]
async fn unreachable_stores() {
    let home = tempfile::tempdir().unwrap();
    for (key, url, place) in [
        (
            "BAILIWICK_CONTROL_PLANE__DATABASE_URL",
            "postgres://bob:geheim-1@127.0.0.1:1/x",
            "127.0.0.1:1",
        ),
        (
            "BAILIWICK_NODE__IDENTITY_URL",
            "postgres://bob:geheim-1@127.0.0.1:1/x",
            "127.0.0.1:1",
        ),
        (
            "BAILIWICK_NODE__STATE_URL",
            "redis://:geheim-1@127.0.0.1:1/",
            "127.0.0.1:1",
        ),
        (
            "BAILIWICK_CONTROL_PLANE__DATABASE_URL",
            "mysql://geheim-1",
            "sqlite://",
        ),
        (
            "BAILIWICK_NODE__STATE_URL",
            "memcached://geheim-1",
            "redis://",
        ),
        (
            "BAILIWICK_NODE__STATE_URL",
            "redis://:geheim-1@127.0.0.1:port/",
            "redis://cache:6379/0",
        ),
    ] {
        let mut command = up(&home.path().join("data"));
        command.env(key, url);
        let line = refused(command, 1).await;
        assert!(line.contains(place) && line.contains(key), "{line}");
        assert!(!line.contains("geheim-1"), "{line}");
    }
}

#[tokio::test]
async fn wrong_settings() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("bailiwick.toml");
    let table = [
        ("regoin = \"eu\"", "regoin"),
        ("[node]\nstat_url = \"memory:\"", "node.stat_url"),
        ("[log]\nformat = \"xml\"", "log.format"),
        ("region = \"EU\"", "region"),
        ("console_addr = \"nowhere\"", "console_addr"),
        ("console_url = \"http://console.example\"", "console_url"),
        (
            "[tls]\ncert_file = \"/nonexistent/c.pem\"\nkey_file = \"/nonexistent/k.pem\"",
            "tls.cert_file",
        ),
        ("[mail]\nfrom = \"a@b.example\"", "mail.smtp_url_file"),
        ("[egress]\nallow = [\"nowhere\"]", "egress.allow"),
        ("[log]\nfilter = \"a=b=c\"", "BAILIWICK_LOG__FILTER"),
        ("otlp_endpoint = \"nowhere\"", "BAILIWICK_OTLP_ENDPOINT"),
        ("trusted_proxies = [\"proxy.internal\"]", "trusted_proxies"),
        ("[node]\nhash_workers = -1", "a whole number"),
        ("[tls]\ncert_file = \"c.pem\"", "tls.key_file"),
        ("this is not toml", "bailiwick.toml"),
    ];
    for (text, named) in table {
        fs::write(&file, text).unwrap();
        let mut command = bailiwick();
        command
            .args(["up", "--config"])
            .arg(&file)
            .arg("--data-dir")
            .arg(home.path().join("data"));
        command.env("BAILIWICK_AUTH_ADDR", "127.0.0.1:0");
        if !text.contains("console_addr") {
            command.env("BAILIWICK_CONSOLE_ADDR", "127.0.0.1:0");
        }
        let line = refused(command, 1).await;
        assert!(line.contains(named), "{named} in: {line}");
    }
    let mut command = up(&home.path().join("data"));
    command.env("BAILIWICK_NODE__STATE_ULR", "memory:");
    let line = refused(command, 1).await;
    assert!(line.contains("node.state_ulr"), "{line}");
    let mut command = up(&home.path().join("data"));
    command.args(["--config", "/nonexistent/bailiwick.toml"]);
    assert!(refused(command, 1).await.contains("there is no such file"));
}

#[tokio::test]
async fn wrong_command_lines() {
    for args in [
        &["up", "--nonsense"][..],
        &["fly"],
        &["token", "--ttl", "2h"],
        &["token", "--role", "king"],
        &[],
    ] {
        let mut command = bailiwick();
        command.args(args);
        let output = finish(command).await;
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
    let mut command = bailiwick();
    command.arg("--version");
    let output = finish(command).await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        concat!("bailiwick ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[tokio::test]
async fn a_key_file_of_another_installation() {
    let place = Place::new().await;
    let running = place.run(place.up()).await;
    assert_eq!(running.stop().await.code(), Some(0));
    fs::write(place.dir().join("kek"), [7; 32]).unwrap();
    let line = refused(place.up(), 1).await;
    assert!(
        line.contains("cannot be opened") || line.contains("key"),
        "{line}"
    );
}
