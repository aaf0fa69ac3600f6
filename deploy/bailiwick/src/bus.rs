//! The bus between control planes over Redis publish and subscribe.
//!
//! Nothing depends on it: whoever hears no ring looks at the outbox once a second.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use control_plane::Bus;
use futures::StreamExt;
use redis::{AsyncCommands, Client, RedisError};
use tokio::sync::Notify;

/// Pause before a broken connection is made again.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest time a ring may take.
const RING_LIMIT: Duration = Duration::from_secs(1);

/// Over Redis publish and subscribe.
#[derive(Debug)]
pub struct RedisBus {
    heard: Arc<Notify>,
    to_ring: Arc<Notify>,
}

impl RedisBus {
    /// Listens and rings on `channel` of the server at `url` for as long as the process lives. A server that is
    /// away is tried again every second, and told once in the log.
    ///
    /// # Errors
    /// `url` is not one of Redis. Whether the server answers is not asked: nothing depends on it.
    pub fn start(url: &str, channel: &str) -> Result<Self, RedisError> {
        let client = Client::open(url)?;
        let bus = Self {
            heard: Arc::default(),
            to_ring: Arc::default(),
        };
        let (heard, to_ring) = (Arc::clone(&bus.heard), Arc::clone(&bus.to_ring));
        tokio::spawn(listen(client.clone(), channel.to_owned(), heard));
        tokio::spawn(publish(client, channel.to_owned(), to_ring));
        Ok(bus)
    }
}

#[async_trait]
impl Bus for RedisBus {
    fn ring(&self) {
        // What was committed here is heard here also when Redis is away.
        self.heard.notify_one();
        self.to_ring.notify_one();
    }

    async fn rung(&self) {
        self.heard.notified().await;
    }
}

async fn listen(client: Client, channel: String, heard: Arc<Notify>) {
    let mut told = false;
    loop {
        let listening = async {
            let mut pubsub = client.get_async_pubsub().await?;
            pubsub.subscribe(&channel).await?;
            told = false;
            // What was rung while nobody listened.
            heard.notify_one();
            let mut rings = pubsub.on_message();
            while rings.next().await.is_some() {
                heard.notify_one();
            }
            Ok::<_, RedisError>(())
        };
        if let Err(error) = listening.await
            && !std::mem::replace(&mut told, true)
        {
            tracing::warn!(%error, "the bus between control planes is away; they poll");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn publish(client: Client, channel: String, to_ring: Arc<Notify>) {
    let mut connection = None;
    loop {
        to_ring.notified().await;
        if connection.is_none() {
            let connecting = client.get_multiplexed_async_connection();
            connection = tokio::time::timeout(RING_LIMIT, connecting)
                .await
                .ok()
                .and_then(Result::ok);
        }
        let Some(open) = &mut connection else {
            continue;
        };
        let ringing = open.publish::<_, _, ()>(&channel, "outbox");
        if !matches!(tokio::time::timeout(RING_LIMIT, ringing).await, Ok(Ok(()))) {
            connection = None;
        }
    }
}
