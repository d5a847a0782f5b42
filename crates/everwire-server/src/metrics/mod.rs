//! What the server counts, and how Prometheus reads it.

mod counter;
mod process;
mod text;

pub(crate) use counter::{Counter, this_worker};

use crate::endpoints::Endpoint;

/// The counters of one server.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    endpoints: [EndpointMetrics; Endpoint::ALL.len()],
    /// Connections that did not finish a request in time, and so belong to no endpoint.
    pub(crate) handshake_timeouts: Counter,
    /// Connections over the limits that were ended before they could ask for anything.
    pub(crate) connections_cut: Counter,
}

/// The counters of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct EndpointMetrics {
    pub(crate) opened: Counter,
    pub(crate) closed: Counter,
    pub(crate) messages_in: Counter,
    pub(crate) messages_out: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    drops: [Counter; DropReason::ALL.len()],
}

/// Why the server refused or ended a connection that its client would have kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    SlowReader,
    MessageTooBig,
    TooManyMessages,
    Idle,
    Unfinished,
    NoRoom,
    Malformed,
    ServerFull,
    AddressFull,
    StreamsFull,
    Origin,
    BadRequest,
    LateRequest,
    Draining,
    Fault,
}

impl DropReason {
    pub(crate) const ALL: [Self; 15] = [
        Self::SlowReader,
        Self::MessageTooBig,
        Self::TooManyMessages,
        Self::Idle,
        Self::Unfinished,
        Self::NoRoom,
        Self::Malformed,
        Self::ServerFull,
        Self::AddressFull,
        Self::StreamsFull,
        Self::Origin,
        Self::BadRequest,
        Self::LateRequest,
        Self::Draining,
        Self::Fault,
    ];

    /// The value of the `reason` label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::SlowReader => "slow_reader",
            Self::MessageTooBig => "message_too_big",
            Self::TooManyMessages => "too_many_messages",
            Self::Idle => "idle",
            Self::Unfinished => "unfinished",
            Self::NoRoom => "no_room",
            Self::Malformed => "malformed",
            Self::ServerFull => "server_full",
            Self::AddressFull => "address_full",
            Self::StreamsFull => "streams_full",
            Self::Origin => "origin",
            Self::BadRequest => "bad_request",
            Self::LateRequest => "late_request",
            Self::Draining => "draining",
            Self::Fault => "fault",
        }
    }
}

impl Metrics {
    pub(crate) fn of(&self, endpoint: Endpoint) -> &EndpointMetrics {
        &self.endpoints[endpoint as usize]
    }

    /// Everything in the text format of Prometheus.
    pub(crate) fn render(&self) -> String {
        text::render(self)
    }
}

impl EndpointMetrics {
    /// How many connections are open.
    pub(crate) fn connections(&self) -> u64 {
        // In this order one that ends in between counts as open. Another processor may see the counters in the other.
        let closed = self.closed.value();
        self.opened.value().saturating_sub(closed)
    }

    /// Counts messages that were written, and their payload.
    pub(crate) fn wrote(&self, messages: u64, payload: u64) {
        self.messages_out.add(messages);
        self.bytes_out.add(payload);
    }

    /// Counts a connection that was refused or ended.
    pub(crate) fn dropped(&self, reason: DropReason) {
        self.drops[reason as usize].add(1);
    }

    pub(crate) fn drops(&self, reason: DropReason) -> u64 {
        self.drops[reason as usize].value()
    }
}
