//! Short-lived state in Redis (6.2 or newer): for the nodes of a region.
//!
//! Each verb is one command or one `MULTI` block, so it is atomic whichever node sends it. Life is
//! measured by Redis, because the nodes' clocks differ. An error is returned after a bounded wait and
//! never hidden: what Redis cannot confirm did not happen (design section 6).

use std::time::Duration as Wait;

use async_trait::async_trait;
use chrono::Duration;
use redis::{
    AsyncCommands, Client, ExistenceCheck, RedisError, SetExpiry, SetOptions,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use super::{StateError, StateKey, StateStore};

const ANSWER_WITHIN: Wait = Wait::from_millis(500);
const CONNECT_WITHIN: Wait = Wait::from_secs(2);

/// State in Redis.
#[derive(Clone)]
pub struct RedisState {
    connection: ConnectionManager,
    prefix: String,
}

impl RedisState {
    /// Connects to `url` (`redis://…`); every key begins with `prefix`, so installations can share a server.
    ///
    /// # Errors
    /// An address that cannot be read, or a server that does not answer.
    pub async fn connect(url: &str, prefix: &str) -> Result<Self, StateError> {
        let client = Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN))
            .set_number_of_retries(1);
        Ok(Self {
            connection: ConnectionManager::new_with_config(client, config).await?,
            prefix: prefix.to_owned(),
        })
    }

    fn name(&self, key: StateKey<'_>) -> String {
        format!("{}:{key}", self.prefix)
    }

    async fn set(
        &self,
        key: StateKey<'_>,
        value: &[u8],
        life: Duration,
        only_if: Option<ExistenceCheck>,
    ) -> Result<bool, StateError> {
        let mut options = SetOptions::default().with_expiration(SetExpiry::PX(milliseconds(life)));
        if let Some(check) = only_if {
            options = options.conditional_set(check);
        }
        let answer: Option<String> = self
            .connection
            .clone()
            .set_options(self.name(key), value, options)
            .await?;
        Ok(answer.is_some())
    }
}

/// Redis refuses a life of zero; one millisecond is as good as none.
fn milliseconds(life: Duration) -> u64 {
    u64::try_from(life.num_milliseconds()).unwrap_or(0).max(1)
}

impl From<RedisError> for StateError {
    fn from(error: RedisError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

#[async_trait]
impl StateStore for RedisState {
    async fn put(&self, key: StateKey<'_>, value: &[u8], life: Duration) -> Result<(), StateError> {
        self.set(key, value, life, None).await.map(|_| ())
    }

    async fn put_if_absent(
        &self,
        key: StateKey<'_>,
        value: &[u8],
        life: Duration,
    ) -> Result<bool, StateError> {
        self.set(key, value, life, Some(ExistenceCheck::NX)).await
    }

    async fn replace(
        &self,
        key: StateKey<'_>,
        value: &[u8],
        life: Duration,
    ) -> Result<bool, StateError> {
        self.set(key, value, life, Some(ExistenceCheck::XX)).await
    }

    async fn get(&self, key: StateKey<'_>) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.connection.clone().get(self.name(key)).await?)
    }

    async fn take(&self, key: StateKey<'_>) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.connection.clone().get_del(self.name(key)).await?)
    }

    async fn increment(&self, key: StateKey<'_>, life: Duration) -> Result<u64, StateError> {
        let name = self.name(key);
        let life = i64::try_from(milliseconds(life)).unwrap_or(i64::MAX);
        let (count,): (u64,) = redis::pipe()
            .atomic()
            .incr(&name, 1)
            .pexpire(&name, life)
            .ignore()
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(count)
    }

    async fn delete(&self, key: StateKey<'_>) -> Result<(), StateError> {
        let _: u64 = self.connection.clone().del(self.name(key)).await?;
        Ok(())
    }

    async fn ping(&self) -> Result<(), StateError> {
        let _: String = redis::cmd("PING")
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(())
    }
}
