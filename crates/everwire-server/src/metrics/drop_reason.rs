/// Why the server refused or ended a connection that its client would have kept: the label `reason` of the metric
/// `everwire_drops_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// The client reads too slowly.
    SlowReader,
    /// A message is larger than [`ConnectionLimits::message_bytes`](crate::ConnectionLimits::message_bytes).
    MessageTooBig,
    /// The client sends more than [`ConnectionLimits::messages_per_second`](crate::ConnectionLimits::messages_per_second).
    TooManyMessages,
    /// No message went in either direction for [`ConnectionLimits::idle`](crate::ConnectionLimits::idle).
    Idle,
    /// A message took longer than [`ConnectionLimits::message`](crate::ConnectionLimits::message) to arrive.
    Unfinished,
    /// A message found no room in [`Limits::buffered_bytes`](crate::Limits::buffered_bytes).
    NoRoom,
    /// The client broke a rule of the WebSocket protocol, or of the application's.
    Malformed,
    /// The server holds as many connections as it may.
    ServerFull,
    /// The client's address does.
    AddressFull,
    /// The page that connects, or the name by which it calls the server, is not allowed.
    Origin,
    /// The request is not a valid handshake.
    BadRequest,
    /// A part of a request did not arrive in time.
    LateRequest,
    /// The server is stopping.
    Draining,
    /// An [`Interceptor`](crate::Interceptor) ended the connection, or the application refused it to try its client.
    Fault,
    /// The application refused the handshake with a response that names no other reason.
    Rejected,
    /// A reason of the application's own, by its label. It appears in the metrics with the first connection that it drops.
    Application(&'static str),
}

impl DropReason {
    pub(crate) const BUILT_IN: [Self; 15] = [
        Self::SlowReader,
        Self::MessageTooBig,
        Self::TooManyMessages,
        Self::Idle,
        Self::Unfinished,
        Self::NoRoom,
        Self::Malformed,
        Self::ServerFull,
        Self::AddressFull,
        Self::Origin,
        Self::BadRequest,
        Self::LateRequest,
        Self::Draining,
        Self::Fault,
        Self::Rejected,
    ];

    /// The value of the label `reason`.
    pub fn label(self) -> &'static str {
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
            Self::Origin => "origin",
            Self::BadRequest => "bad_request",
            Self::LateRequest => "late_request",
            Self::Draining => "draining",
            Self::Fault => "fault",
            Self::Rejected => "rejected",
            Self::Application(label) => label,
        }
    }
}
