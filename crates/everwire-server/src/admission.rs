//! Admits connections and open files within the limits, in total and per address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::limits::{Limits, network_of};

/// Connections over the limits that are answered at the same time, in total and from one address. Each lasts for one request.
const REFUSALS: usize = 64;
const REFUSALS_PER_ADDRESS: usize = 8;
/// Files that responses are read from at the same time, in total.
const FILES: usize = 1024;
/// Descriptors that are kept for the listener, the log and the runtime: an eighth of the process's limit, within these bounds.
const RESERVED_DESCRIPTORS: (usize, usize) = (8, 256);

/// Counts the connections and files that peers hold open, in total and per address, and admits no more than the limits allow.
#[derive(Debug)]
pub(crate) struct Admission {
    capacity: Capacity,
    open: Mutex<UsageTable>,
}

/// The limits, lowered to what the system lets the process open. Peers must not be able to take the last descriptors: `accept`
/// then fails for every client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Capacity {
    connections: usize,
    connections_per_address: usize,
    refusals: usize,
    files: usize,
    files_per_address: usize,
}

#[derive(Debug, Default)]
struct UsageTable {
    total: Usage,
    by_address: HashMap<IpAddr, Usage>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Usage {
    connections: usize,
    refusals: usize,
    files: usize,
}

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdmissionError {
    /// The server has reached its limit of connections.
    ServerFull,
    /// The client's address has reached its limit of connections.
    AddressFull,
}

/// What a permit is counted as.
#[derive(Clone, Copy, Debug)]
enum Resource {
    Connection,
    Refusal,
    File,
}

/// A slot among the connections or the open files of a server. Dropping the last clone frees it for another request.
#[derive(Clone, Debug)]
#[must_use = "dropping the permit frees its slot"]
pub struct Permit {
    _slot: Arc<Slot>,
}

/// One admitted connection, refusal or file.
#[derive(Debug)]
struct Slot {
    admission: Arc<Admission>,
    address: Option<IpAddr>,
    resource: Resource,
}

/// The outcome of admission when a connection was accepted.
#[derive(Clone, Debug)]
pub(crate) enum AdmissionOutcome {
    /// The connection counts for as long as a clone of the permit is held.
    Admitted(Permit),
    /// There was no room. The first request is answered with the reason, and the connection closes.
    Refused { error: AdmissionError, _permit: Permit },
}

impl Admission {
    /// `uploads` is the greatest number of files that stay open for uploads. They are not available to connections.
    pub(crate) fn new(limits: &Limits, uploads: usize) -> Arc<Self> {
        Arc::new(Self { capacity: Capacity::new(limits, uploads, descriptors()), open: Mutex::default() })
    }

    /// The greatest number of connections, which may be lower than the configured limit.
    pub(crate) fn connections(&self) -> usize {
        self.capacity.connections
    }

    /// The greatest number of connections from one address.
    pub(crate) fn connections_per_address(&self) -> usize {
        self.capacity.connections_per_address
    }

    /// Admits a connection. Without an address (a router mounted without connection info) only the total is limited.
    pub(crate) fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Permit, AdmissionError> {
        let limits = (self.capacity.connections, self.capacity.connections_per_address);
        self.acquire(address, Resource::Connection, limits)
    }

    /// Decides about a connection from `address`. Returns `None` if there is not even room to refuse it with an answer.
    pub(crate) fn accept(self: &Arc<Self>, address: IpAddr) -> Option<AdmissionOutcome> {
        match self.admit(Some(address)) {
            Ok(permit) => Some(AdmissionOutcome::Admitted(permit)),
            Err(error) => self.refuse(address).map(|permit| AdmissionOutcome::Refused { error, _permit: permit }),
        }
    }

    /// A permit for a connection over the limits to receive its refusal. `None` if too many are being refused already.
    fn refuse(self: &Arc<Self>, address: IpAddr) -> Option<Permit> {
        self.acquire(Some(address), Resource::Refusal, (self.capacity.refusals, REFUSALS_PER_ADDRESS)).ok()
    }

    /// A permit for a file that a response is read from. `None` if the process would run out of descriptors.
    pub(crate) fn open_file(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Permit> {
        self.acquire(address, Resource::File, (self.capacity.files, self.capacity.files_per_address)).ok()
    }

    fn acquire(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        resource: Resource,
        limits: (usize, usize),
    ) -> Result<Permit, AdmissionError> {
        let address = address.map(network_of);
        let mut open = self.open();
        if *open.total.of(resource) >= limits.0 {
            return Err(AdmissionError::ServerFull);
        }
        if let Some(address) = address {
            let count = open.by_address.entry(address).or_default();
            if *count.of(resource) >= limits.1 {
                // An address that holds nothing must not be remembered.
                if *count == Usage::default() {
                    open.by_address.remove(&address);
                }
                return Err(AdmissionError::AddressFull);
            }
            *count.of(resource) += 1;
        }
        *open.total.of(resource) += 1;
        drop(open);
        Ok(Permit { _slot: Arc::new(Slot { admission: Arc::clone(self), address, resource }) })
    }

    fn open(&self) -> MutexGuard<'_, UsageTable> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Capacity {
    fn new(limits: &Limits, uploads: usize, descriptors: Option<usize>) -> Self {
        let &Limits { connections, connections_per_address, .. } = limits;
        let Some(descriptors) = descriptors else {
            let (files, refusals) = (FILES, REFUSALS);
            return Self { connections, connections_per_address, refusals, files, files_per_address: files / 2 };
        };
        let eighth = descriptors / 8;
        let room = descriptors
            .saturating_sub(eighth.clamp(RESERVED_DESCRIPTORS.0, RESERVED_DESCRIPTORS.1) + uploads.min(eighth));
        let (refusals, files) = ((room / 8).min(REFUSALS), (room / 8).min(FILES));
        let possible = room - refusals - files;
        Self {
            connections: connections.min(possible),
            // If one address may not have all configured connections, it may not have all possible ones either.
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

impl Usage {
    fn of(&mut self, resource: Resource) -> &mut usize {
        match resource {
            Resource::Connection => &mut self.connections,
            Resource::Refusal => &mut self.refusals,
            Resource::File => &mut self.files,
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.admission.open();
        *open.total.of(self.resource) -= 1;
        if let Some(address) = self.address
            && let Some(count) = open.by_address.get_mut(&address)
        {
            *count.of(self.resource) -= 1;
            if *count == Usage::default() {
                open.by_address.remove(&address);
            }
        }
    }
}

impl Permit {
    /// Holds the permit until the response has been written or its reader has gone.
    pub fn hold(self, response: Response) -> Response {
        response.map(|body| Body::new(PermitBody { body, _permit: self }))
    }
}

/// The body of a response that holds a permit.
struct PermitBody {
    body: Body,
    _permit: Permit,
}

impl HttpBody for PermitBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The system's limit on open files of this process, where there is one.
#[cfg(unix)]
fn descriptors() -> Option<usize> {
    let (soft, _) = rlimit::Resource::NOFILE.get().ok()?;
    usize::try_from(soft).ok()
}

#[cfg(not(unix))]
fn descriptors() -> Option<usize> {
    None
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
        assert_eq!(admission.admit(address("10.0.0.2")).unwrap_err(), AdmissionError::ServerFull);
        drop(permit);
        let _permit = admission.admit(address("10.0.0.2")).unwrap();
        assert_eq!(admission.open().by_address.len(), 1, "an address without connections must not be remembered");
    }

    #[test]
    fn one_address_cannot_take_every_slot() {
        let admission = admission(10, 2);
        let _first = admission.admit(address("10.0.0.1")).unwrap();
        let _second = admission.admit(address("::ffff:10.0.0.1")).unwrap();
        assert_eq!(admission.admit(address("10.0.0.1")).unwrap_err(), AdmissionError::AddressFull);
        let _other = admission.admit(address("10.0.0.2")).unwrap();
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one() {
        let admission = admission(10, 1);
        let _first = admission.admit(address("2001:db8:1:2::1")).unwrap();
        assert_eq!(admission.admit(address("2001:db8:1:2:ffff::2")).unwrap_err(), AdmissionError::AddressFull);
        let _other = admission.admit(address("2001:db8:1:3::1")).unwrap();
    }

    #[test]
    fn a_few_connections_over_the_limits_are_refused_with_an_answer() {
        let admission = admission(1, 1);
        let here = address("10.0.0.1").unwrap();
        let _permit = admission.admit(Some(here)).unwrap();
        let refused: Vec<_> = std::iter::from_fn(|| admission.refuse(here)).collect();
        assert_eq!(refused.len(), REFUSALS_PER_ADDRESS);
        assert!(admission.refuse(address("10.0.0.2").unwrap()).is_some(), "other addresses get an answer, too");
    }

    #[test]
    fn an_address_that_holds_nothing_is_not_remembered() {
        let admission = admission(10, 0);
        assert_eq!(admission.admit(address("10.0.0.1")).unwrap_err(), AdmissionError::AddressFull);
        assert!(admission.open().by_address.is_empty());
    }

    #[test]
    fn peers_cannot_take_the_last_descriptors_and_one_address_cannot_take_all_of_the_others() {
        for descriptors in [0, 1, 16, 64, 256, 1024, 4096, 20_000, 1 << 20] {
            for uploads in [0, 100, 100_000] {
                let capacity = Capacity::new(&Limits::default(), uploads, Some(descriptors));
                let peers = capacity.connections + capacity.refusals + capacity.files;
                assert!(peers + 8 <= descriptors || peers == 0, "{capacity:?} of {descriptors}");
                assert!(capacity.connections_per_address <= (capacity.connections * 3).div_ceil(4), "{capacity:?}");
            }
        }
        let capacity = Capacity::new(&Limits::default(), 100, Some(1024));
        assert!(capacity.connections > 512, "most descriptors can be used: {capacity:?}");
    }

    #[test]
    fn the_limits_hold_as_configured_if_there_are_enough_descriptors() {
        let limits = Limits::default();
        for descriptors in [Some(20_000), None] {
            let capacity = Capacity::new(&limits, 100, descriptors);
            assert_eq!(
                (capacity.connections, capacity.connections_per_address),
                (limits.connections, limits.connections_per_address)
            );
        }
    }

    #[test]
    fn an_address_that_may_have_all_connections_may_have_all_possible_ones() {
        let limits = Limits { connections: 30_000, connections_per_address: 30_000, ..Limits::default() };
        let capacity = Capacity::new(&limits, 100, Some(20_000));
        assert!(
            capacity.connections > 18_000 && capacity.connections_per_address >= capacity.connections,
            "{capacity:?}"
        );
    }
}
