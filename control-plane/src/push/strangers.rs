//! How many connections there may be of whom we do not know yet.
//!
//! Until the handshake and the greeting are over, a connection is a stranger's and costs memory and time. There are
//! only so many places, and one network has only some of them, so that a flood from there keeps nobody else
//! out. Who finds no place is turned away at once: a node tries again, and a waiting line would be the next
//! thing to flood.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Places in all; about 30 kB each.
const PLACES: usize = 1024;
/// Places of one network: what a site may take whose nodes all come back at once.
const PLACES_PER_NETWORK: usize = 512;
/// Bits of an IPv6 address that name a network: whoever has one has all addresses in it (RFC 6177).
const NETWORK_BITS: u32 = 64;

/// The places.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A place that is taken, until this is dropped.
#[must_use = "the place is free again as soon as this is dropped"]
pub(super) struct Place {
    places: Places,
    network: IpAddr,
}

impl Places {
    /// Takes a place for somebody at `address`, if there is one.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let network = network_of(address);
        let mut taken = self.taken();
        let here = taken.get(&network).copied().unwrap_or_default();
        if here >= PLACES_PER_NETWORK || taken.values().sum::<usize>() >= PLACES {
            return None;
        }
        taken.insert(network, here + 1);
        Some(Place {
            places: self.clone(),
            network,
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Nothing panics while it holds the lock; were that to change, the counts would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match taken.get_mut(&self.network) {
            Some(here) if *here > 1 => *here -= 1,
            _ => {
                taken.remove(&self.network);
            }
        }
    }
}

fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mask = u128::MAX << (Ipv6Addr::BITS - NETWORK_BITS);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_cannot_take_every_place() {
        let places = Places::default();
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut taken: Vec<_> = (0..PLACES_PER_NETWORK)
            .map(|host| places.take(at(&format!("2001:db8::{host:x}"))).unwrap())
            .collect();
        assert!(places.take(at("2001:db8::ffff")).is_none());
        let other = places.take(at("2001:db8:0:1::1")).unwrap();
        taken.pop();
        assert!(places.take(at("2001:db8::ffff")).is_some());
        drop((taken, other));
        assert!(places.taken().is_empty());
    }

    #[test]
    fn there_are_only_so_many_places() {
        let places = Places::default();
        let taken: Vec<_> = (0..PLACES)
            .map_while(|n| places.take(IpAddr::from([10, 0, (n / 256) as u8, (n % 256) as u8])))
            .collect();
        assert_eq!(taken.len(), PLACES);
        assert!(places.take(IpAddr::from([192, 0, 2, 1])).is_none());
        // The same address, written in two ways.
        drop(taken);
        let _four = places.take(IpAddr::from([192, 0, 2, 1])).unwrap();
        let _six = places.take("::ffff:192.0.2.1".parse().unwrap()).unwrap();
        assert_eq!(places.taken().len(), 1);
    }
}
