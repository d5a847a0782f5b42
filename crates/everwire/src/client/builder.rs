//! How a client is configured.

use core::{fmt, future::Future};

use everwire_core::{Time, session::ClientSessionConfig};

use super::{
    events::{ClientEvent, OnEvent},
    negotiation::CredentialsSource,
};
use crate::{
    Attempt, Message, SocketBuilder,
    threads::{MaybeSend, MaybeSendSync, Pointer},
};

/// The options of a [`Client`](crate::Client), with their defaults in parentheses; [`Client::builder`](crate::Client::builder)
/// creates one.
///
/// ```no_run
/// use everwire::{Backoff, Client};
///
/// # async fn fetch_token() -> Result<String, String> { Ok(String::new()) }
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::builder("wss://example.org/everwire")
///     .credentials_provider(|_attempt| async { fetch_token().await }) // for each attempt
///     .socket(|socket| socket.backoff(Backoff::default()))
///     .on_event(|event| println!("{event:?}"))
///     .connect()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder connects only after connect()"]
pub struct ClientBuilder {
    pub(super) socket: SocketBuilder,
    pub(super) credentials: Option<Message>,
    pub(super) provider: Option<CredentialsSource>,
    pub(super) ping_every: Option<Time>,
    pub(super) config: ClientSessionConfig,
    pub(super) on_event: Option<Pointer<OnEvent>>,
}

impl ClientBuilder {
    pub(super) fn new(socket: SocketBuilder) -> Self {
        let config = ClientSessionConfig::default();
        Self { socket, credentials: None, provider: None, ping_every: None, config, on_event: None }
    }

    /// What the server's `authorize` gets to identify the client (nothing): a token, as a text or bytes.
    pub fn credentials(mut self, credentials: impl Into<Message>) -> Self {
        self.credentials = Some(credentials.into());
        self
    }

    /// The source of the credentials, called for each attempt: for tokens that expire. An error is a failed attempt, and so is a
    /// provider that takes longer than the connect timeout. An empty text means none. Replaces [`Self::credentials`].
    pub fn credentials_provider<F, Fut, C, E>(mut self, provide: F) -> Self
    where
        F: Fn(Attempt) -> Fut + MaybeSendSync + 'static,
        Fut: Future<Output = Result<C, E>> + MaybeSend + 'static,
        C: Into<Message>,
        E: fmt::Display,
    {
        self.provider = Some(CredentialsSource::new(provide));
        self
    }

    /// Changes the options of the connection: backoff, timeouts, TLS, proxy. The client itself sets subprotocol, heartbeat, on-open
    /// messages, inbox and binary type.
    pub fn socket(mut self, change: impl FnOnce(SocketBuilder) -> SocketBuilder) -> Self {
        self.socket = change(self.socket);
        self
    }

    /// Pings after this much silence at most, and measures the round trip as often, even if the server's heartbeat is longer (the server's
    /// heartbeat); at least 1 s. For displays of the connection, and to detect a dead link earlier.
    pub fn ping_every(mut self, interval: impl Into<Time>) -> Self {
        self.ping_every = Some(interval.into());
        self
    }

    /// The most publishes and requests that may wait to be sent or be unanswered (4,096).
    pub fn max_pending(mut self, publishes_and_requests: usize) -> Self {
        self.config = self.config.max_pending(publishes_and_requests);
        self
    }

    /// The most bytes of pending publishes and requests (8 MiB).
    pub fn max_pending_bytes(mut self, bytes: usize) -> Self {
        self.config = self.config.max_bytes(bytes);
        self
    }

    /// Reports what happens to the client, for logs and displays (nothing). The function must not block.
    pub fn on_event(mut self, on_event: impl Fn(&ClientEvent) + MaybeSendSync + 'static) -> Self {
        self.on_event = Some(Pointer::new(on_event));
        self
    }
}

/// Omits credentials.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { socket, provider, config, .. } = self;
        formatter
            .debug_struct("ClientBuilder")
            .field("socket", socket)
            .field("credentials", provider)
            .field("config", config)
            .finish_non_exhaustive()
    }
}
