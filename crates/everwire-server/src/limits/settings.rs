use std::time::Duration;

/// Limits of all connections together, and time limits of HTTP. A request over one of them is refused with an HTTP status and a
/// sentence.
///
/// Change the defaults with [`Builder::limits`](crate::Builder::limits).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Connections in total. Each counts from the moment that it is accepted, whatever it is used for; a request on one more is
    /// refused with HTTP 503. [`Server`](crate::Server) holds fewer if the system permits too few open files. If another server
    /// accepts the connections, WebSockets and [admitted](crate::Everwire::admit) requests count.
    pub connections: usize,
    /// Connections from one address (IPv6: one /64 network); more are refused with HTTP 429.
    pub connections_per_address: usize,
    /// Time limit of [`Server`](crate::Server) from accepting a connection to the end of the head of its request, TLS included; then
    /// for the body of the request; and from a response to the next request. A late request is answered with HTTP 408; a connection
    /// without a request is closed without an answer.
    pub handshake: Duration,
    /// Time limit of [`Server`](crate::Server) for the client to read a part of an HTTP response. Then the connection is cut.
    pub response: Duration,
    /// Bytes that all connections together may hold for incomplete messages and unsent answers, in addition to up to 32 KiB that each
    /// has read but not decoded. A message without room is not read until others are complete; its connection closes with 1013 if that
    /// takes longer than [`ConnectionLimits::message`]. The connections of one address may hold half of it, unless one address may
    /// have all [`connections`](Self::connections).
    pub buffered_bytes: usize,
}

/// Limits of one WebSocket. A connection over one of them is closed with a code and a reason.
///
/// Change the defaults for all endpoints with [`Builder::connection_limits`](crate::Builder::connection_limits), and for one with
/// [`Endpoint::limits`](crate::Endpoint::limits).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// Bytes of one message from the client. A larger one closes the connection with 1009.
    pub message_bytes: usize,
    /// Messages a second from the client, with a burst of as many. More close the connection with 1008. 0 is no limit.
    pub messages_per_second: u32,
    /// Time without a message in either direction after which the connection closes with 1001. Zero is no limit.
    pub idle: Duration,
    /// Time limit for a message from its first byte to its last. A slower one closes the connection with 1008. Zero is no limit.
    pub message: Duration,
    /// Bytes that may be queued for the client. The first message over it closes the connection with 1013.
    pub backlog_bytes: usize,
    /// Time limit for writing one message. A slower reader is closed with 1013.
    pub write: Duration,
    /// Time limit for the closing handshake, after which TCP is cut.
    pub close: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 1_000,
            handshake: Duration::from_secs(10),
            response: Duration::from_secs(30),
            buffered_bytes: 256 << 20,
        }
    }
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            messages_per_second: 10_000,
            idle: Duration::from_secs(300),
            message: Duration::from_secs(60),
            backlog_bytes: 4 << 20,
            write: Duration::from_secs(30),
            close: Duration::from_secs(5),
        }
    }
}
