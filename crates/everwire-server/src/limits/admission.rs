use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Limits;

/// How many connections over the limits are answered at once, in all and from one address. Each lasts for one request.
const REFUSALS: usize = 64;
const REFUSALS_PER_ADDRESS: usize = 8;
/// Files that answers are read from at once, in all.
const FILES: usize = 1024;
/// Descriptors that are neither a connection nor an answer: the listener, the log, the runtime. Never less than the first, and of
/// a high limit no more than the second.
const OTHER: (usize, usize) = (8, 256);

/// Counts what the peers hold open, in all and per address, and lets in no more than the limits allow.
#[derive(Debug)]
pub(crate) struct Admission {
    most: Most,
    open: Mutex<Open>,
}

/// The limits, lowered to what the system lets the process open. `accept` fails for everybody once all descriptors are taken, so that
/// no number of peers may take the last of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Most {
    connections: usize,
    connections_per_address: usize,
    refusals: usize,
    files: usize,
    files_per_address: usize,
}

#[derive(Debug, Default)]
struct Open {
    total: Count,
    by_address: HashMap<IpAddr, Count>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    connections: usize,
    refusals: usize,
    files: usize,
}

/// Why a connection was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The server holds as many connections as it may.
    Server,
    /// The client's address does.
    Address,
}

/// What a permit was given for.
#[derive(Clone, Copy, Debug)]
enum Use {
    Connection,
    Refusal,
    File,
}

/// One admitted connection, refusal or file; dropping it makes room for another.
#[derive(Debug)]
#[must_use = "dropping the permit gives the place away"]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    address: Option<IpAddr>,
    of: Use,
}

/// The place that a connection took when it was accepted.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// It counts among the connections for as long as a clone of the permit is held.
    Admitted(Arc<Permit>),
    /// There was no room: the next request is answered with the reason, and the connection ends.
    Refused { why: Full, _permit: Arc<Permit> },
}

impl Admission {
    /// The uploads are files that stay open, so that their number counts against what connections may have.
    pub(crate) fn new(limits: &Limits, uploads: usize) -> Arc<Self> {
        Arc::new(Self { most: Most::new(limits, uploads, descriptors()), open: Mutex::default() })
    }

    /// How many connections are let in, which may be fewer than the limit says.
    pub(crate) fn connections(&self) -> usize {
        self.most.connections
    }

    /// The same from one address.
    pub(crate) fn connections_per_address(&self) -> usize {
        self.most.connections_per_address
    }

    /// Takes a place. Without an address (a router mounted without connection info) only the total counts.
    pub(crate) fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Permit, Full> {
        let most = (self.most.connections, self.most.connections_per_address);
        self.take(address, Use::Connection, most)
    }

    /// The place of a connection that was accepted from this address. `None` where not even a refusal has room.
    pub(crate) fn accept(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        match self.admit(Some(address)) {
            Ok(permit) => Some(Place::Admitted(Arc::new(permit))),
            Err(full) => self.refuse(address).map(|permit| Place::Refused { why: full, _permit: Arc::new(permit) }),
        }
    }

    /// A place for a connection over the limits, to be told so. `None` where too many are being told already.
    fn refuse(self: &Arc<Self>, address: IpAddr) -> Option<Permit> {
        self.take(Some(address), Use::Refusal, (self.most.refusals, REFUSALS_PER_ADDRESS)).ok()
    }

    /// A place for a file that an answer is read from. `None` where the system would soon permit no more.
    pub(crate) fn open_file(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Permit> {
        self.take(address, Use::File, (self.most.files, self.most.files_per_address)).ok()
    }

    fn take(self: &Arc<Self>, address: Option<IpAddr>, of: Use, most: (usize, usize)) -> Result<Permit, Full> {
        let address = address.map(network_of);
        let mut open = self.open();
        if *open.total.of(of) >= most.0 {
            return Err(Full::Server);
        }
        if let Some(address) = address {
            let here = open.by_address.entry(address).or_default();
            if *here.of(of) >= most.1 {
                // What is refused everything leaves no trace.
                if *here == Count::default() {
                    open.by_address.remove(&address);
                }
                return Err(Full::Address);
            }
            *here.of(of) += 1;
        }
        *open.total.of(of) += 1;
        drop(open);
        Ok(Permit { admission: Arc::clone(self), address, of })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Most {
    fn new(limits: &Limits, uploads: usize, descriptors: Option<usize>) -> Self {
        let &Limits { connections, connections_per_address, .. } = limits;
        let Some(descriptors) = descriptors else {
            let (files, refusals) = (FILES, REFUSALS);
            return Self { connections, connections_per_address, refusals, files, files_per_address: files / 2 };
        };
        let eighth = descriptors / 8;
        let room = descriptors.saturating_sub(eighth.clamp(OTHER.0, OTHER.1) + uploads.min(eighth));
        let (refusals, files) = ((room / 8).min(REFUSALS), (room / 8).min(FILES));
        let possible = room - refusals - files;
        Self {
            connections: connections.min(possible),
            // Where one address may not have all of what was configured, it may not have all of what is possible.
            connections_per_address: if connections_per_address < connections {
                connections_per_address.min(possible - possible / 4)
            } else {
                connections_per_address
            },
            refusals,
            files,
            files_per_address: files.div_ceil(2),
        }
    }
}

impl Count {
    fn of(&mut self, of: Use) -> &mut usize {
        match of {
            Use::Connection => &mut self.connections,
            Use::Refusal => &mut self.refusals,
            Use::File => &mut self.files,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.admission.open();
        *open.total.of(self.of) -= 1;
        if let Some(address) = self.address
            && let Some(here) = open.by_address.get_mut(&address)
        {
            *here.of(self.of) -= 1;
            if *here == Count::default() {
                open.by_address.remove(&address);
            }
        }
    }
}

/// How many files the system lets this process have open, where it says so.
#[cfg(unix)]
fn descriptors() -> Option<usize> {
    let (soft, _) = rlimit::Resource::NOFILE.get().ok()?;
    usize::try_from(soft).ok()
}

#[cfg(not(unix))]
fn descriptors() -> Option<usize> {
    None
}

/// One household or server usually holds a whole IPv6 /64, so that single addresses of it would limit nobody.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
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
        Admission::new(&Limits { connections, connections_per_address, ..Limits::default() }, 0)
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

    #[test]
    fn a_connection_over_the_limits_has_a_place_to_be_told_so_and_a_few_have() {
        let admission = admission(1, 1);
        let here = address("10.0.0.1").unwrap();
        let _permit = admission.admit(Some(here)).unwrap();
        let told: Vec<_> = std::iter::from_fn(|| admission.refuse(here)).collect();
        assert_eq!(told.len(), REFUSALS_PER_ADDRESS);
        assert!(admission.refuse(address("10.0.0.2").unwrap()).is_some(), "others are told, too");
    }

    #[test]
    fn an_address_that_is_let_nothing_is_not_remembered() {
        let admission = admission(10, 0);
        assert_eq!(admission.admit(address("10.0.0.1")).unwrap_err(), Full::Address);
        assert!(admission.open().by_address.is_empty());
    }

    #[test]
    fn no_number_of_peers_takes_the_last_descriptors_nor_one_address_all_that_peers_may_have() {
        for descriptors in [0, 1, 16, 64, 256, 1024, 4096, 20_000, 1 << 20] {
            for uploads in [0, 100, 100_000] {
                let most = Most::new(&Limits::default(), uploads, Some(descriptors));
                let peers = most.connections + most.refusals + most.files;
                assert!(peers + 8 <= descriptors || peers == 0, "{most:?} of {descriptors}");
                assert!(most.connections_per_address <= (most.connections * 3).div_ceil(4), "{most:?}");
            }
        }
        let most = Most::new(&Limits::default(), 100, Some(1024));
        assert!(most.connections > 512, "most of what there is can be used: {most:?}");
    }

    #[test]
    fn where_there_is_enough_the_limits_are_what_was_asked_for() {
        let limits = Limits::default();
        for descriptors in [Some(20_000), None] {
            let most = Most::new(&limits, 100, descriptors);
            assert_eq!(
                (most.connections, most.connections_per_address),
                (limits.connections, limits.connections_per_address)
            );
        }
    }

    #[test]
    fn an_address_that_may_have_all_connections_keeps_that_right() {
        let limits = Limits { connections: 30_000, connections_per_address: 30_000, ..Limits::default() };
        let most = Most::new(&limits, 100, Some(20_000));
        assert!(most.connections > 18_000 && most.connections_per_address >= most.connections, "{most:?}");
    }
}
