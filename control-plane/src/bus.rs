//! The bus: how replicas wake each other.
//!
//! It carries no content, only "look at the outbox": what is true stands in the database, so a ring that is lost
//! costs a second until the next look, and one that somebody else sends costs a query.

use std::fmt;

use async_trait::async_trait;
use tokio::sync::Notify;

/// A bell that every replica hears.
#[async_trait]
pub trait Bus: Send + Sync + fmt::Debug {
    /// Rings. Returns at once; several rings may become one.
    fn ring(&self);
    /// Waits for a ring since the last one that was waited for.
    async fn rung(&self);
}

/// For a replica that is the only one.
#[derive(Debug, Default)]
pub struct LocalBus(Notify);

#[async_trait]
impl Bus for LocalBus {
    fn ring(&self) {
        self.0.notify_one();
    }

    async fn rung(&self) {
        self.0.notified().await;
    }
}
