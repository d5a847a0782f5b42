use std::time::Duration;

/// What all connections of a server together may use, and how long they have before they are WebSockets. Each limit refuses with an HTTP
/// status and a sentence.
///
/// Set what differs from the default in [`Builder::limits`](crate::Builder::limits).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Connections in all, each from the moment that it is accepted, whatever it is used for; a request on one more is refused with
    /// HTTP 503. [`Server`](crate::Server) holds fewer where the system permits too few open files. Where another server accepts the
    /// connections, each WebSocket counts, and each [admitted](crate::Everwire::admit) request.
    pub connections: usize,
    /// The same from one address (IPv6: one /64 network); more are refused with HTTP 429.
    pub connections_per_address: usize,
    /// How long a client of [`Server`](crate::Server) may take from TCP connect to the end of the head of its request, with TLS or
    /// without; then for the body of that request; and after the answer until its next one. What comes later is answered with HTTP
    /// 408, or not at all where no request was begun.
    pub handshake: Duration,
    /// How long a client of [`Server`](crate::Server) may take to read a part of an HTTP answer before it is cut.
    pub response: Duration,
    /// Bytes of unfinished messages and of unsent answers that all connections may hold together, in addition to what each reads at
    /// once (32 KiB). A message that finds no room is not read until others are done, and closes its connection with 1013
    /// when that takes longer than [`ConnectionLimits::message`]. The connections of one address may hold half, unless one address
    /// may have all [`connections`](Self::connections).
    pub buffered_bytes: usize,
}

/// What one WebSocket may use. Each limit closes the connection with a code and a reason.
///
/// Set what differs from the default for all endpoints in [`Builder::connection_limits`](crate::Builder::connection_limits), and for
/// one in [`Endpoint::limits`](crate::Endpoint::limits).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// Bytes in one message from a client; a larger one closes the connection with 1009.
    pub message_bytes: usize,
    /// Messages a second that the client may send, with a burst of as many; more closes the connection with 1008. 0 is no limit.
    pub messages_per_second: u32,
    /// How long the connection may be without a message in either direction before it is closed with 1001. Zero is no limit.
    pub idle: Duration,
    /// How long a message may take from its first byte to its last; one that takes longer closes the connection with 1008.
    /// Zero is no limit.
    pub message: Duration,
    /// Bytes that may wait for a slow reader before it is closed with 1013.
    pub backlog_bytes: usize,
    /// How long one message may take to be written before its reader is closed with 1013.
    pub write: Duration,
    /// How long a closing connection may take to exchange its close frames before it is cut.
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
