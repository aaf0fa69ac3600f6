//! One signal that everything which runs in the background listens to.
//!
//! A process that is asked to stop finishes its requests, flushes its telemetry and closes its stores.
//! Tasks therefore wait for this handle instead of installing handlers of their own: two handlers for
//! one signal would race. It must never end the process itself.

use std::{io, sync::Arc};

use tokio::sync::watch;

/// A request to stop, shared by all clones. Once made it cannot be withdrawn.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Shutdown {
    /// A handle that only [`Shutdown::trigger`] fires: for tests and for parts of a process.
    #[expect(
        clippy::new_without_default,
        reason = "a default that nobody triggers would hide a mistake"
    )]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// A handle that SIGINT and SIGTERM fire. Call once, inside a tokio runtime.
    ///
    /// # Errors
    /// When the operating system refuses to register the handlers.
    pub fn on_signals() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let shutdown = Self::new();
        let handle = shutdown.clone();
        tokio::spawn(async move {
            let name = tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            };
            tracing::info!(signal = name, "stopping");
            handle.trigger();
        });
        Ok(shutdown)
    }

    /// Asks everything to stop. Doing so twice is harmless.
    pub fn trigger(&self) {
        self.0.send_replace(true);
    }

    /// Whether stopping was asked for.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until stopping is asked for; returns at once when it already was.
    pub async fn requested(&self) {
        // The sender lives in self, so the channel cannot close while we wait.
        let _ = self.0.subscribe().wait_for(|stop| *stop).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_polite_kill_is_heard() {
        let shutdown = Shutdown::on_signals().unwrap();
        let process = std::process::id().to_string();
        let kill = tokio::process::Command::new("kill")
            .args(["-TERM", &process])
            .status();
        assert!(kill.await.unwrap().success());
        let heard = tokio::time::timeout(Duration::from_secs(10), shutdown.requested());
        heard.await.expect("SIGTERM reaches the handle");
    }

    #[tokio::test]
    async fn every_clone_hears_it_whether_early_or_late() {
        let shutdown = Shutdown::new();
        let early = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.requested().await }
        });
        assert!(!shutdown.is_requested());
        shutdown.clone().trigger();
        shutdown.trigger();
        early.await.unwrap();
        shutdown.requested().await;
        assert!(shutdown.is_requested());
    }
}
