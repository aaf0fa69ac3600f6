//! Short-lived state in Redis (6.2 or newer): for the nodes of a region.
//!
//! Each verb is one command, one `MULTI` block or one script, so it is atomic whichever node sends it. Life is
//! measured by Redis, because the nodes' clocks differ. An error is returned after a bounded wait and
//! never hidden: what Redis cannot confirm did not happen (design section 6).

use std::{sync::LazyLock, time::Duration as Wait};

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use contract::ids::TenantId;
use redis::{
    AsyncCommands, Client, ExistenceCheck, RedisError, Script, SetExpiry, SetOptions,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use super::{Admission, Kind, Pace, StateError, StateKey, StateStore};

const ANSWER_WITHIN: Wait = Wait::from_millis(500);
const CONNECT_WITHIN: Wait = Wait::from_secs(2);

/// Takes one off a counter that is above zero.
static DECREMENT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end
        ",
    )
});

/// Attempts are `number:ready`, `ready` being Redis's own time in milliseconds. Arguments: how long they
/// are remembered, then the pauses. Answers the attempt's number, or 0 and how long to wait.
static ADMIT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local number, ready = string.match(redis.call('GET', KEYS[1]) or '0:0', '^(%d+):(%d+)$')
        if now < tonumber(ready) then return {0, tonumber(ready) - now} end
        number = number + 1
        local pause = tonumber(ARGV[1 + math.min(number, #ARGV - 1)])
        local value = string.format('%d:%d', number, now + pause)
        redis.call('SET', KEYS[1], value, 'PX', math.max(tonumber(ARGV[1]), pause))
        return {number, 0}
        ",
    )
});

/// Argument: the number of the attempt that is taken back.
static GIVE_BACK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local value = redis.call('GET', KEYS[1])
        if not value then return end
        local number, ready = string.match(value, '^(%d+):(%d+)$')
        local given = tonumber(ARGV[1])
        number = tonumber(number)
        if number < given then return end
        if number == given then ready = '0' end
        redis.call('SET', KEYS[1], string.format('%d:%s', number - 1, ready), 'KEEPTTL')
        ",
    )
});

/// Keys that one step of a scan looks at.
const SCANNED_AT_ONCE: usize = 1000;

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
}

fn until(life: Duration) -> SetOptions {
    SetOptions::default().with_expiration(SetExpiry::PX(milliseconds(life)))
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
        let mut connection = self.connection.clone();
        Ok(connection
            .set_options(self.name(key), value, until(life))
            .await?)
    }

    async fn replace(
        &self,
        key: StateKey<'_>,
        value: &[u8],
        life: Duration,
    ) -> Result<bool, StateError> {
        let options = until(life).conditional_set(ExistenceCheck::XX);
        let mut connection = self.connection.clone();
        let answer: Option<String> = connection
            .set_options(self.name(key), value, options)
            .await?;
        Ok(answer.is_some())
    }

    async fn get(&self, key: StateKey<'_>) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.connection.clone().get(self.name(key)).await?)
    }

    async fn values(
        &self,
        kind: Kind,
        tenant: TenantId,
        most: usize,
    ) -> Result<Vec<Vec<u8>>, StateError> {
        let mut connection = self.connection.clone();
        let pattern = format!("{}*", self.name(StateKey::new(kind, tenant, "")));
        let mut found = Vec::new();
        let mut cursor = 0_u64;
        loop {
            let (next, keys): (u64, Vec<String>) = redis::cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(&pattern)
                .arg("COUNT")
                .arg(SCANNED_AT_ONCE)
                .query_async(&mut connection)
                .await?;
            if !keys.is_empty() {
                let values: Vec<Option<Vec<u8>>> = connection.mget(&keys).await?;
                // One that is absent ended between the two questions.
                found.extend(values.into_iter().flatten());
            }
            cursor = next;
            if cursor == 0 || found.len() >= most {
                found.truncate(most);
                return Ok(found);
            }
        }
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

    async fn decrement(&self, key: StateKey<'_>) -> Result<(), StateError> {
        Ok(DECREMENT
            .key(self.name(key))
            .invoke_async(&mut self.connection.clone())
            .await?)
    }

    async fn admit(&self, key: StateKey<'_>, pace: &Pace) -> Result<Admission, StateError> {
        let mut script = ADMIT.key(self.name(key));
        script.arg(milliseconds(pace.memory));
        if pace.pauses.is_empty() {
            script.arg(0);
        }
        for pause in &pace.pauses {
            script.arg(pause.num_milliseconds().max(0));
        }
        let (number, left): (u64, i64) = script.invoke_async(&mut self.connection.clone()).await?;
        Ok(match number {
            0 => Admission::Wait {
                left: Duration::milliseconds(left),
            },
            number => Admission::Admitted { number },
        })
    }

    async fn give_back(&self, key: StateKey<'_>, number: u64) -> Result<(), StateError> {
        Ok(GIVE_BACK
            .key(self.name(key))
            .arg(number)
            .invoke_async(&mut self.connection.clone())
            .await?)
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

    async fn time(&self) -> Result<Option<DateTime<Utc>>, StateError> {
        let (seconds, micros): (i64, i64) = redis::cmd("TIME")
            .query_async(&mut self.connection.clone())
            .await?;
        let whole = DateTime::from_timestamp(seconds, 0);
        Ok(whole.map(|whole| whole + Duration::microseconds(micros)))
    }
}
