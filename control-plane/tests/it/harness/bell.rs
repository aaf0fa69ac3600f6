//! A bus that every control plane of one test hears.

use control_plane::Bus;
use tokio::sync::{Mutex, watch};

#[derive(Debug)]
pub struct Bell {
    rings: watch::Sender<u64>,
    heard: Mutex<watch::Receiver<u64>>,
}

impl Default for Bell {
    fn default() -> Self {
        Self::on(watch::Sender::new(0))
    }
}

impl Bell {
    fn on(rings: watch::Sender<u64>) -> Self {
        let heard = Mutex::new(rings.subscribe());
        Self { rings, heard }
    }

    /// The same bell, heard by somebody else.
    pub fn another(&self) -> Self {
        Self::on(self.rings.clone())
    }
}

#[async_trait::async_trait]
impl Bus for Bell {
    fn ring(&self) {
        self.rings.send_modify(|rings| *rings += 1);
    }

    async fn rung(&self) {
        self.heard.lock().await.changed().await.unwrap();
    }
}
