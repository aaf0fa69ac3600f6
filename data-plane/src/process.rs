//! What a process needs around a node: settings, a data directory, listeners, an honest end.
//!
//! Two binaries run a node: `bailiwick-node` alone, and `bailiwick up` beside a control plane. They
//! share this module, so that both read settings alike, fail with the same sentences and serve tenants
//! through the same server. URLs choose implementations in [`choose`] and nowhere else.
//!
//! Nothing below the two `main.rs` may use it: a plane is given values, it does not read settings.

pub mod choose;
pub mod config;
pub mod data_dir;
pub mod entry;
pub mod failure;
pub mod server;
pub mod settings;

pub use self::{
    data_dir::DataDir,
    failure::Failure,
    settings::{Log, Mail, NodeSettings, PushSettings, SecretSetting, Tls},
};
