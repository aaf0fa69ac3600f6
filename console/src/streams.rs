//! How many streams of events are open, and for whom: a browser that forgets to close one must not hold many.
//!
//! Of a session the newest count: a page that was reloaded takes the place of its earlier stream, of which the server
//! may not have heard that it is gone. Of a tenant as many are open as a room full of people needs, no more.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use contract::ids::{OperatorId, TenantId};
use tokio::sync::oneshot;

/// Streams of one session.
const OF_A_SESSION: usize = 4;
/// Streams of one tenant.
const OF_A_TENANT: usize = 64;

/// A session, by whose it is and when it began: nothing that lets anybody in.
pub(crate) type Whose = (OperatorId, DateTime<Utc>);

/// The streams that are open in this process. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    count: u64,
    /// By number, which is the order in which they were opened.
    seats: BTreeMap<u64, Taken>,
    is_closed: bool,
}

struct Taken {
    whose: Whose,
    tenant: TenantId,
    /// Dropped to end the stream.
    _kept: oneshot::Sender<()>,
}

/// One stream, open for as long as this lives.
pub(crate) struct Seat {
    number: u64,
    streams: Streams,
    lost: oneshot::Receiver<()>,
}

impl Streams {
    /// Opens a stream; the session's oldest ends if it has too many. `None` if the tenant has too many, or if this
    /// process is about to end.
    pub(crate) fn join(&self, whose: Whose, tenant: TenantId) -> Option<Seat> {
        let mut open = self.open();
        let own = open.seats.iter().filter(|(_, taken)| taken.whose == whose);
        let own: Vec<u64> = own.map(|(number, _)| *number).collect();
        let surplus = (own.len() + 1).saturating_sub(OF_A_SESSION);
        for number in &own[..surplus] {
            open.seats.remove(number);
        }
        let of_tenant = open.seats.values().filter(|taken| taken.tenant == tenant);
        if open.is_closed || of_tenant.count() >= OF_A_TENANT {
            return None;
        }
        open.count += 1;
        let number = open.count;
        let (kept, lost) = oneshot::channel();
        let taken = Taken {
            whose,
            tenant,
            _kept: kept,
        };
        open.seats.insert(number, taken);
        Some(Seat {
            number,
            streams: self.clone(),
            lost,
        })
    }

    /// Ends every stream, and lets none begin.
    pub(crate) fn close(&self) {
        let mut open = self.open();
        open.is_closed = true;
        open.seats.clear();
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while it holds the lock; were that to change, the map would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Ends when another stream took this one's place, or all are to end.
    pub(crate) async fn lost(&mut self) {
        let _ = (&mut self.lost).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.streams.open().seats.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use contract::ids::TypedId;
    use futures::FutureExt;
    use uuid::Uuid;

    use super::*;

    fn whose(number: u128) -> Whose {
        let operator = OperatorId::from_uuid(Uuid::from_u128(number));
        (operator, DateTime::UNIX_EPOCH)
    }

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    fn is_lost(seat: &mut Seat) -> bool {
        seat.lost().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_of_a_session_gives_way() {
        let streams = Streams::default();
        let join = || streams.join(whose(1), tenant(1)).unwrap();
        let mut other = streams.join(whose(2), tenant(1)).unwrap();
        let mut seats: Vec<Seat> = (0..OF_A_SESSION).map(|_| join()).collect();
        assert!(!seats.iter_mut().any(is_lost));
        let mut newest = join();
        assert!(is_lost(&mut seats[0]) && !is_lost(&mut seats[1]));
        assert!(!is_lost(&mut newest) && !is_lost(&mut other));
        // A seat that is given back makes room.
        drop(newest);
        let _again = join();
        assert!(!is_lost(&mut seats[1]));
    }

    #[test]
    fn a_tenant_has_so_many_and_no_more() {
        let streams = Streams::default();
        let all: Vec<Option<Seat>> = (0..=OF_A_TENANT as u128)
            .map(|number| streams.join(whose(number), tenant(1)))
            .collect();
        assert_eq!(
            all.iter().filter(|seat| seat.is_some()).count(),
            OF_A_TENANT
        );
        assert!(streams.join(whose(1_000), tenant(2)).is_some());
        drop(all);
        assert!(streams.join(whose(1_001), tenant(1)).is_some());
    }

    #[test]
    fn at_the_end_all_end_and_none_begins() {
        let streams = Streams::default();
        let mut seat = streams.join(whose(1), tenant(1)).unwrap();
        streams.close();
        assert!(is_lost(&mut seat));
        assert!(streams.join(whose(1), tenant(1)).is_none());
    }
}
