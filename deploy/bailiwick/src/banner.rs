//! What a person sees when the product is ready: where to go next, and nothing else.
//!
//! Plain text on stdout; logs go to stderr, so both can be kept apart. The setup link is a secret and
//! appears here only, never in a log. Passwords do not appear at all: the banner names the file.

use std::{fmt, path::PathBuf};

/// The facts of the banner.
#[derive(Debug, Clone)]
pub struct Banner {
    /// Where the console is.
    pub console: String,
    /// Where the demo tenant's issuer is, if there is a demo.
    pub demo: Option<DemoPlace>,
    /// The one-time link for the first operator, while there is none.
    pub setup_link: Option<String>,
    /// Where mail can be read, or which server it goes to.
    pub mail: String,
    /// The data directory.
    pub data_dir: PathBuf,
}

/// Where the demo is.
#[derive(Debug, Clone)]
pub struct DemoPlace {
    /// The demo tenant's issuer.
    pub issuer: String,
    /// The file with its credentials.
    pub credentials: PathBuf,
}

/// The facts of a control plane whose nodes are elsewhere.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Where the console is.
    pub console: String,
    /// Where nodes connect, `host:port`.
    pub push: String,
    /// The one-time link for the first operator, while there is none.
    pub setup_link: Option<String>,
    /// The data directory.
    pub data_dir: PathBuf,
}

/// The line that programs wait for.
pub const READY: &str = "Bailiwick is ready.";

impl fmt::Display for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = set_up(self.setup_link.as_deref());
        rows.push(("Console", self.console.clone()));
        rows.push(("Nodes", format!("{} (add them in the console)", self.push)));
        rows.push(("Data", self.data_dir.display().to_string()));
        rows.push(("Stop", "Ctrl-C".into()));
        write(f, rows)
    }
}

impl fmt::Display for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = set_up(self.setup_link.as_deref());
        rows.push(("Console", self.console.clone()));
        if let Some(demo) = &self.demo {
            rows.push(("Demo tenant", demo.issuer.clone()));
            rows.push(("Sign in with", demo.credentials.display().to_string()));
        }
        rows.push(("Mail", self.mail.clone()));
        rows.push(("Data", self.data_dir.display().to_string()));
        rows.push(("Stop", "Ctrl-C".into()));
        write(f, rows)
    }
}

type Rows = Vec<(&'static str, String)>;

/// The rows of an installation without an owner: first, because until then nobody can sign in at the console.
fn set_up(link: Option<&str>) -> Rows {
    let owner = "nobody owns this installation yet: open the link within a day to become its owner";
    let rows = link.map(|link| vec![("Set up", link.to_owned()), ("", owner.to_owned())]);
    rows.unwrap_or_default()
}

fn write(f: &mut fmt::Formatter<'_>, rows: Rows) -> fmt::Result {
    writeln!(f, "\n  {READY}\n")?;
    for (name, value) in rows {
        writeln!(f, "  {name:<14}{value}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_start_reads_like_this() {
        let banner = Banner {
            console: "http://127.0.0.1:7000".into(),
            demo: None,
            setup_link: Some("http://127.0.0.1:7000/setup?token=…".into()),
            mail: "http://127.0.0.1:7000/mailbox".into(),
            data_dir: "/srv/data".into(),
        };
        insta::assert_snapshot!(banner.to_string());
    }

    #[test]
    fn a_control_plane_of_many_nodes_reads_like_this() {
        let banner = Fleet {
            console: "https://console.example".into(),
            push: "control.example:7200".into(),
            setup_link: None,
            data_dir: "/srv/data".into(),
        };
        insta::assert_snapshot!(banner.to_string());
    }

    #[test]
    fn a_demo_reads_like_this() {
        let banner = Banner {
            console: "http://127.0.0.1:7000".into(),
            demo: Some(DemoPlace {
                issuer: "http://127.0.0.1:7100/t/acme".into(),
                credentials: "/srv/data/demo.json".into(),
            }),
            setup_link: None,
            mail: "http://127.0.0.1:7000/mailbox".into(),
            data_dir: "/srv/data".into(),
        };
        insta::assert_snapshot!(banner.to_string());
    }
}
