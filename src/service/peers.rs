//! Who has how many connections: a limit for all together, and one for each peer, so that nobody alone takes every place.
//!
//! A peer is an IPv4 address or the /64 of an IPv6 one, which is what one subscriber has. Networks that the site file names (`limits.unlimited_peers`: this machine,
//! proxies that speak for many) have the common limit alone.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::site::{Limits, Network};

/// The bits of an IPv6 address that say whose it is.
const SUBSCRIBER: u128 = !0 << 64;

/// The places that connections take. Cheap to clone.
#[derive(Clone)]
pub(super) struct Peers {
    taken: Arc<Mutex<Taken>>,
    total: usize,
    per_peer: usize,
    unlimited: Arc<[Network]>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    /// Of those who have any.
    by_peer: HashMap<IpAddr, usize>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// All are taken.
    Total,
    /// This peer has as many as it may.
    Peer,
}

/// One connection's place, free again when dropped.
pub(super) struct Place {
    peers: Peers,
    /// Where its peer is counted.
    peer: Option<IpAddr>,
}

impl Peers {
    /// With the limits of the site file.
    pub(super) fn new(limits: &Limits) -> Peers {
        let unlimited = limits.unlimited_peers.as_slice().into();
        Peers { taken: Arc::default(), total: limits.connections, per_peer: limits.connections_per_peer, unlimited }
    }

    /// A place for a connection from `address`.
    ///
    /// # Errors
    /// Which limit there is no place for.
    pub(super) fn enter(&self, address: IpAddr) -> Result<Place, NoPlace> {
        let address = address.to_canonical();
        let peer = (!self.unlimited.iter().any(|network| network.contains(address))).then(|| peer_of(address));
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.total >= self.total {
            return Err(NoPlace::Total);
        }
        if let Some(peer) = peer {
            let own = taken.by_peer.entry(peer).or_default();
            if *own >= self.per_peer {
                return Err(NoPlace::Peer);
            }
            *own += 1;
        }
        taken.total += 1;
        Ok(Place { peers: self.clone(), peer })
    }

    /// Places that are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.peers.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total -= 1;
        if let Some(peer) = self.peer
            && let Some(own) = taken.by_peer.get_mut(&peer)
        {
            *own -= 1;
            if *own == 0 {
                taken.by_peer.remove(&peer);
            }
        }
    }
}

fn peer_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & SUBSCRIBER).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Site;

    fn peers(limits: &str) -> Peers {
        let text = format!("[[lane]]\nid = \"a\"\n[limits]\n{limits}\n");
        Peers::new(&Site::parse(&text, std::path::Path::new("."), []).unwrap_or_else(|mistakes| panic!("{mistakes:?}")).site.limits)
    }

    #[test]
    fn nobody_alone_takes_every_place() {
        let peers = peers("connections = 5\nconnections_per_peer = 2\nunlimited_peers = [\"127.0.0.0/8\", \"192.0.2.9\"]");
        let enter = |address: &str| peers.enter(address.parse().expect("an address"));
        let one = [enter("192.0.2.1").ok(), enter("::ffff:192.0.2.1").ok()];
        assert_eq!(enter("192.0.2.1").err(), Some(NoPlace::Peer));
        let other = [enter("2001:db8::1").ok(), enter("2001:db8::ffff:2").ok()];
        assert_eq!(enter("2001:db8::3").err(), Some(NoPlace::Peer), "one subscriber's network is one peer");
        let proxy = enter("192.0.2.9").ok();
        assert_eq!((enter("2001:db8:0:1::1").err(), enter("127.0.0.1").err()), (Some(NoPlace::Total), Some(NoPlace::Total)));
        drop(one);
        assert_eq!(peers.taken(), 3);
        let again = [enter("192.0.2.9").ok(), enter("192.0.2.1").ok()];
        assert!(again.iter().all(Option::is_some));
        drop((other, proxy, again));
        assert_eq!((peers.taken(), peers.taken.lock().expect("no panic").by_peer.len()), (0, 0), "nothing is left behind");
    }
}
