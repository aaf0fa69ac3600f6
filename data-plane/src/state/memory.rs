//! Short-lived state in this process: for one node on one machine, and for tests.
//!
//! Life is measured by the node's clock, so tests advance time instead of sleeping. Ended values are
//! swept whenever the map has grown by half since the last sweep, which keeps memory proportional to
//! what is alive without a background task. It must never be used by two nodes of one region.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use contract::ids::TenantId;
use host::Clock;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Admission, Kind, Pace, StateError, StateKey, StateStore};

const FIRST_SWEEP: usize = 4096;

/// State in memory.
#[derive(Debug)]
pub struct MemoryState {
    clock: Clock,
    values: Mutex<Values>,
}

#[derive(Debug)]
struct Values {
    map: HashMap<String, Entry>,
    sweep_at: usize,
}

#[derive(Debug)]
struct Entry {
    value: Vec<u8>,
    ends: DateTime<Utc>,
}

/// The value of attempts in a row.
#[derive(Default, Serialize, Deserialize)]
struct Attempts {
    /// How many were admitted.
    number: u64,
    /// When the next may be, in milliseconds since 1970.
    ready: i64,
}

impl MemoryState {
    /// An empty store whose values end by `clock`.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            values: Mutex::new(Values {
                map: HashMap::new(),
                sweep_at: FIRST_SWEEP,
            }),
        }
    }

    fn values(&self) -> MutexGuard<'_, Values> {
        // No method panics between two writes, so a poisoned map is still a consistent one.
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry(&self, value: &[u8], life: Duration) -> Entry {
        Entry {
            value: value.to_vec(),
            ends: self.clock.now() + life,
        }
    }
}

impl Values {
    fn alive(&self, key: &str, now: DateTime<Utc>) -> Option<&Entry> {
        self.map.get(key).filter(|entry| now < entry.ends)
    }

    fn read<T: DeserializeOwned>(
        &self,
        key: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<T>, StateError> {
        let entry = self.alive(key, now);
        Ok(entry
            .map(|entry| serde_json::from_slice(&entry.value))
            .transpose()?)
    }

    /// Changes a value without changing when it ends; one that ended stays ended.
    fn rewrite(&mut self, key: &str, value: Vec<u8>) {
        if let Some(entry) = self.map.get_mut(key) {
            entry.value = value;
        }
    }

    fn insert(&mut self, key: String, entry: Entry, now: DateTime<Utc>) {
        self.map.insert(key, entry);
        if self.map.len() >= self.sweep_at {
            self.map.retain(|_, entry| now < entry.ends);
            self.sweep_at = FIRST_SWEEP.max(self.map.len() + self.map.len() / 2);
        }
    }
}

#[async_trait]
impl StateStore for MemoryState {
    async fn put(&self, key: StateKey<'_>, value: &[u8], life: Duration) -> Result<(), StateError> {
        let entry = self.entry(value, life);
        self.values()
            .insert(key.to_string(), entry, self.clock.now());
        Ok(())
    }

    async fn replace(
        &self,
        key: StateKey<'_>,
        value: &[u8],
        life: Duration,
    ) -> Result<bool, StateError> {
        let (key, now) = (key.to_string(), self.clock.now());
        let entry = self.entry(value, life);
        let mut values = self.values();
        let present = values.alive(&key, now).is_some();
        if present {
            values.insert(key, entry, now);
        }
        Ok(present)
    }

    async fn get(&self, key: StateKey<'_>) -> Result<Option<Vec<u8>>, StateError> {
        let values = self.values();
        let entry = values.alive(&key.to_string(), self.clock.now());
        Ok(entry.map(|entry| entry.value.clone()))
    }

    async fn values(
        &self,
        kind: Kind,
        tenant: TenantId,
        most: usize,
    ) -> Result<Vec<Vec<u8>>, StateError> {
        let (start, now) = (
            StateKey::new(kind, tenant, "").to_string(),
            self.clock.now(),
        );
        let values = self.values();
        let alive = values
            .map
            .iter()
            .filter(|(key, entry)| key.starts_with(&start) && now < entry.ends);
        Ok(alive
            .take(most)
            .map(|(_, entry)| entry.value.clone())
            .collect())
    }

    async fn take(&self, key: StateKey<'_>) -> Result<Option<Vec<u8>>, StateError> {
        let now = self.clock.now();
        let taken = self.values().map.remove(&key.to_string());
        Ok(taken
            .filter(|entry| now < entry.ends)
            .map(|entry| entry.value))
    }

    async fn increment(&self, key: StateKey<'_>, life: Duration) -> Result<u64, StateError> {
        let (key, now) = (key.to_string(), self.clock.now());
        let mut values = self.values();
        let count = values.read(&key, now)?.unwrap_or(0_u64).saturating_add(1);
        let entry = self.entry(count.to_string().as_bytes(), life);
        values.insert(key, entry, now);
        Ok(count)
    }

    async fn decrement(&self, key: StateKey<'_>) -> Result<(), StateError> {
        let (key, now) = (key.to_string(), self.clock.now());
        let mut values = self.values();
        let count: u64 = values.read(&key, now)?.unwrap_or(0);
        values.rewrite(&key, count.saturating_sub(1).to_string().into_bytes());
        Ok(())
    }

    async fn admit(&self, key: StateKey<'_>, pace: &Pace) -> Result<Admission, StateError> {
        let (key, now) = (key.to_string(), self.clock.now());
        let mut values = self.values();
        let earlier = values.read(&key, now)?;
        let Attempts { number, ready } = earlier.unwrap_or_default();
        let left = ready - now.timestamp_millis();
        if left > 0 {
            let left = Duration::milliseconds(left);
            return Ok(Admission::Wait { left });
        }
        let number = number.saturating_add(1);
        let pause = pace.pause_after(number);
        let ready = now.timestamp_millis() + pause;
        let life = pace.memory.max(Duration::milliseconds(pause));
        let value = serde_json::to_vec(&Attempts { number, ready })?;
        values.insert(key, self.entry(&value, life), now);
        Ok(Admission::Admitted { number })
    }

    async fn give_back(&self, key: StateKey<'_>, number: u64) -> Result<(), StateError> {
        let (key, now) = (key.to_string(), self.clock.now());
        let mut values = self.values();
        let Some(mut attempts) = values.read::<Attempts>(&key, now)? else {
            return Ok(());
        };
        if attempts.number < number {
            return Ok(());
        }
        if attempts.number == number {
            attempts.ready = 0;
        }
        attempts.number -= 1;
        values.rewrite(&key, serde_json::to_vec(&attempts)?);
        Ok(())
    }

    async fn delete(&self, key: StateKey<'_>) -> Result<(), StateError> {
        self.values().map.remove(&key.to_string());
        Ok(())
    }

    async fn ping(&self) -> Result<(), StateError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use contract::ids::{TenantId, TypedId};
    use uuid::Uuid;

    use super::*;
    use crate::state::Kind;

    #[tokio::test]
    async fn ended_values_do_not_pile_up() {
        let (clock, time) = Clock::manual(DateTime::UNIX_EPOCH);
        let state = MemoryState::new(clock);
        let tenant = TenantId::from_uuid(Uuid::from_u128(1));
        for round in 0..20 {
            for n in 0..1000 {
                let name = format!("{round}-{n}");
                let key = StateKey::new(Kind::Request, tenant, &name);
                state.put(key, b"x", Duration::seconds(1)).await.unwrap();
            }
            time.advance(Duration::seconds(2));
        }
        assert!(state.values().map.len() <= FIRST_SWEEP);
    }
}
