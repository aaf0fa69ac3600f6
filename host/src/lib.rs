//! What a process asks of its host: time, chance, sealed files, databases, telemetry, outbound calls.
//!
//! The planes decide; the host only supplies. Gathering these few powers in one leaf crate means that a
//! test can replace time and chance, that a reviewer finds every outbound call and every key file in one
//! place, and that a plane which does not hold a handle cannot use the power.
//!
//! It must never know a tenant, a policy or a user, and never depend on another crate of this workspace.

pub mod clock;
pub mod database;
pub mod egress;
pub mod entropy;
pub mod headers;
pub mod health;
pub mod http_metrics;
pub mod listen;
pub mod request_id;
pub mod seal;
pub mod sealed_file;
pub mod secret;
pub mod shutdown;
pub mod statement;
pub mod telemetry;
pub mod wire;

pub use clock::{Clock, ManualClock, Stopwatch};
pub use database::DatabaseError;
pub use egress::{Egress, EgressError, EgressPolicy, HostPort};
pub use entropy::Entropy;
pub use headers::security_headers;
pub use health::{Health, HealthHandle};
pub use http_metrics::HttpMetrics;
pub use listen::bind;
pub use request_id::{Observe, RequestId, record_tenant};
pub use seal::{Kek, SealContext, SealKey};
pub use sealed_file::{SealedFile, SealedFileError, write_atomically};
pub use secret::Secret;
pub use shutdown::Shutdown;
pub use telemetry::{LogFormat, Telemetry, TelemetryConfig};
