use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Limits;

/// Counts the open connections, in all and per address, and lets in no more than the limits allow.
#[derive(Debug)]
pub(crate) struct Admission {
    connections: usize,
    per_address: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Why a connection was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The server holds as many connections as it may.
    Server,
    /// The client's address does.
    Address,
}

/// One admitted connection; dropping it makes room for another.
#[derive(Debug)]
#[must_use = "dropping the permit gives the place away"]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    address: Option<IpAddr>,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            connections: limits.connections,
            per_address: limits.connections_per_address,
            open: Mutex::default(),
        })
    }

    /// Takes a place. Without an address (a router mounted without connection info) only the total counts.
    pub(crate) fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Permit, Full> {
        let address = address.map(network_of);
        let mut open = self.open();
        if open.total >= self.connections {
            return Err(Full::Server);
        }
        if let Some(address) = address {
            let here = open.by_address.entry(address).or_default();
            if *here >= self.per_address {
                return Err(Full::Address);
            }
            *here += 1;
        }
        open.total += 1;
        drop(open);
        Ok(Permit { admission: Arc::clone(self), address })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.admission.open();
        open.total -= 1;
        if let Some(address) = self.address
            && let Some(here) = open.by_address.get_mut(&address)
        {
            *here -= 1;
            if *here == 0 {
                open.by_address.remove(&address);
            }
        }
    }
}

/// One household or server usually holds a whole IPv6 /64, so that single addresses of it would limit nobody.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, connections_per_address: usize) -> Arc<Admission> {
        Admission::new(&Limits { connections, connections_per_address, ..Limits::default() })
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_dropped_permit_makes_room_for_another() {
        let admission = admission(1, 1);
        let permit = admission.admit(address("10.0.0.1")).unwrap();
        assert_eq!(admission.admit(address("10.0.0.2")).unwrap_err(), Full::Server);
        drop(permit);
        let _permit = admission.admit(address("10.0.0.2")).unwrap();
        assert_eq!(admission.open().by_address.len(), 1, "an address without connections must not be remembered");
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let admission = admission(10, 2);
        let _first = admission.admit(address("10.0.0.1")).unwrap();
        let _second = admission.admit(address("::ffff:10.0.0.1")).unwrap();
        assert_eq!(admission.admit(address("10.0.0.1")).unwrap_err(), Full::Address);
        let _other = admission.admit(address("10.0.0.2")).unwrap();
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        let admission = admission(10, 1);
        let _first = admission.admit(address("2001:db8:1:2::1")).unwrap();
        assert_eq!(admission.admit(address("2001:db8:1:2:ffff::2")).unwrap_err(), Full::Address);
        let _other = admission.admit(address("2001:db8:1:3::1")).unwrap();
    }
}
