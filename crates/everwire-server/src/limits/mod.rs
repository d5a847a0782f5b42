//! What one client, and all of them together, may use.

mod admission;
mod budget;
mod rate;

pub(crate) use admission::{Admission, Full, Permit, Place, network_of};
pub(crate) use budget::{Charge, MemoryBudget};
pub(crate) use rate::RateLimiter;

use std::time::Duration;

/// Limits of a server. Every one refuses in words: a close code with a reason, or an HTTP status with a sentence.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes in one message from a client; a larger one closes the connection with 1009.
    pub message_bytes: usize,
    /// Connections in all, each from the moment that it is accepted, whatever it is used for; a request on one more is refused with
    /// HTTP 503. [`Server`](crate::Server) holds fewer where the system permits too few open files. Where the routes are part of
    /// another application, WebSockets, downloads and requests of the lab are counted instead.
    pub connections: usize,
    /// The same from one address (IPv6: one /64 network); more are refused with HTTP 429.
    pub connections_per_address: usize,
    /// Messages a second that one connection may send, with a burst of as many; more closes it with 1008.
    /// 0 is no limit.
    pub messages_per_second: u32,
    /// How long a connection may be without a message in either direction before it is closed with 1001.
    /// Zero is no limit.
    pub idle: Duration,
    /// How long a client may take from TCP connect to the end of the head of its request, with TLS or without; then for the
    /// body of that request; and after the answer until its next one. What comes later is answered with HTTP 408, or not at
    /// all where no request was begun.
    pub handshake: Duration,
    /// How long a message may take from its first byte to its last; one that takes longer closes its connection with 1008.
    /// Zero is no limit.
    pub message: Duration,
    /// Bytes of unfinished messages and of unsent answers that all connections may hold together, beside what each reads at
    /// once (32 KiB). A message that finds no room is not read until others are done, and closes its connection with 1013
    /// when that takes longer than [`message`](Self::message). The connections of one address may hold half, unless one address
    /// may have all [`connections`](Self::connections).
    pub buffered_bytes: usize,
    /// Bytes that may wait for one slow reader before it is closed with 1013.
    pub backlog_bytes: usize,
    /// How long one message may take to be written before its reader is closed with 1013.
    pub write: Duration,
    /// How long a closing connection may take to exchange its close frames before it is cut.
    pub close: Duration,
    /// Distinct ticker streams (a stream is a selection of symbols and a rate); more are refused with HTTP 503.
    pub streams: usize,
    /// How many of them the connections of one address may listen to; more are refused with HTTP 429.
    pub streams_per_address: usize,
    /// Ticker updates a second that the connections of one address may listen to, all together; more are refused with
    /// HTTP 429.
    pub ticker_updates_per_address: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            connections: 10_000,
            connections_per_address: 1_000,
            messages_per_second: 10_000,
            idle: Duration::from_secs(300),
            handshake: Duration::from_secs(10),
            message: Duration::from_secs(60),
            buffered_bytes: 256 << 20,
            backlog_bytes: 4 << 20,
            write: Duration::from_secs(30),
            close: Duration::from_secs(5),
            streams: 64,
            streams_per_address: 16,
            ticker_updates_per_address: 400_000,
        }
    }
}
