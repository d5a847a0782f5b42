//! How a client and what it does are configured, and what each of its attempts offers the server.

use core::{fmt, future::Future};
use std::sync::{Mutex, MutexGuard, PoisonError};

use everwire_core::{
    Protocols, Time,
    protocol::{Cursor, Mode, SUBPROTOCOL, Start},
    session::{self, ClientSessionConfig, Negotiated},
};

use super::{driver::OnEvent, events::ClientEvent};
use crate::{
    Address, Attempt, Message, SocketBuilder,
    builder::{AddressFuture, AddressSource},
    threads::{BoxFuture, MaybeSend, MaybeSendSync, Pointer, shared_dyn},
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

/// The most messages that may wait in a subscription before it is paused.
const MAX_WAITING: usize = 1_024;

/// The most bytes of the messages that wait.
const MAX_WAITING_BYTES: usize = 4 << 20;

/// Where a subscription starts, and what it gets if it is slow.
///
/// ```
/// use everwire::client::SubscribeOptions;
///
/// let options = SubscribeOptions::default().last(50);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscribeOptions {
    /// Where it starts; `None`: with the next message, or where the channel is one of the latest messages by key, with these.
    pub start: Option<Start>,
    /// What it gets if it is slower than the channel (each message, later). Another subscription of the channel that wants each message
    /// makes it get each, too.
    pub mode: Mode,
    /// The most messages that may wait to be read (1,024). Above that, or above 4 MiB, the client has the server wait, and no message is
    /// lost. Room for less than a few hundred costs traffic: the server sends history in pages of up to 256 messages, and sends what a
    /// subscription had no room for again.
    pub max_waiting: usize,
    /// The most bytes of the messages that wait (4 MiB).
    pub max_waiting_bytes: usize,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self { start: None, mode: Mode::Each, max_waiting: MAX_WAITING, max_waiting_bytes: MAX_WAITING_BYTES }
    }
}

impl SubscribeOptions {
    /// Starts after this position, such as one that [`Subscription::cursor`](crate::client::Subscription::cursor) returned in an
    /// earlier run of the program.
    #[must_use]
    pub fn from(self, cursor: Cursor) -> Self {
        Self { start: Some(Start::From(cursor)), ..self }
    }

    /// Starts with so many of the latest messages.
    #[must_use]
    pub fn last(self, messages: u64) -> Self {
        Self { start: Some(Start::Last(messages)), ..self }
    }

    /// Starts with the next message.
    #[must_use]
    pub fn live(self) -> Self {
        Self { start: Some(Start::Live), ..self }
    }

    /// Starts with the latest message of each key, and does so again after a [gap](crate::Delivery::Gap).
    #[must_use]
    pub fn state(self) -> Self {
        Self { start: Some(Start::State), ..self }
    }

    /// If it is slower than the channel, gets only the latest message of each key.
    #[must_use]
    pub fn latest(self) -> Self {
        Self { mode: Mode::Latest, ..self }
    }

    /// Sets [`max_waiting`](field@Self::max_waiting).
    #[must_use]
    pub fn max_waiting(self, messages: usize) -> Self {
        Self { max_waiting: messages.max(1), ..self }
    }

    /// Sets [`max_waiting_bytes`](field@Self::max_waiting_bytes).
    #[must_use]
    pub fn max_waiting_bytes(self, bytes: usize) -> Self {
        Self { max_waiting_bytes: bytes, ..self }
    }
}

/// The options of a single publish.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PublishOptions {
    /// The message is the latest of this key: 1 to 128 bytes without spaces and control characters.
    pub key: Option<String>,
    /// How long it may wait to be sent, or sent again; `None`: as long as the client lives.
    pub time_to_live: Option<Time>,
}

impl PublishOptions {
    /// Sets [`key`](field@Self::key).
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets [`time_to_live`](field@Self::time_to_live).
    #[must_use]
    pub fn time_to_live(mut self, time: impl Into<Time>) -> Self {
        self.time_to_live = Some(time.into());
        self
    }
}

/// The options of a single request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RequestOptions {
    /// After which time the answer is no longer useful, also on the server. `None`: as long as the client lives.
    pub timeout: Option<Time>,
}

impl RequestOptions {
    /// Sets [`timeout`](field@Self::timeout).
    #[must_use]
    pub fn timeout(mut self, time: impl Into<Time>) -> Self {
        self.timeout = Some(time.into());
        self
    }
}

type CredentialsFuture = BoxFuture<Result<Message, String>>;

/// Provides the credentials of each attempt.
#[derive(Clone)]
pub(super) struct CredentialsSource(Pointer<shared_dyn!(Fn(Attempt) -> CredentialsFuture)>);

impl CredentialsSource {
    pub(super) fn new<F, Fut, C, E>(provide: F) -> Self
    where
        F: Fn(Attempt) -> Fut + MaybeSendSync + 'static,
        Fut: Future<Output = Result<C, E>> + MaybeSend + 'static,
        C: Into<Message>,
        E: fmt::Display,
    {
        Self(Pointer::new(move |attempt| -> CredentialsFuture {
            let credentials = provide(attempt);
            Box::pin(async move { credentials.await.map(Into::into).map_err(|error| error.to_string()) })
        }))
    }
}

impl fmt::Debug for CredentialsSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("provider")
    }
}

/// Subprotocol and credentials of an attempt, shared by the source of addresses, which starts it, and the driver.
#[derive(Debug, Default)]
pub(super) struct Negotiation(Mutex<NegotiationState>);

#[derive(Default)]
struct NegotiationState {
    credentials: Option<Message>,
    /// Counts the attempts, so that late credentials of an earlier one do not replace those of the latest.
    attempt: u64,
    machine: session::Negotiation,
}

impl Negotiation {
    /// Wraps a source of addresses, so that each attempt offers the subprotocol and requests credentials.
    pub(super) fn source(
        negotiation: &Pointer<Self>,
        address: AddressSource,
        credentials: Option<CredentialsSource>,
    ) -> AddressSource {
        let negotiation = Pointer::clone(negotiation);
        AddressSource::Provider(Pointer::new(move |attempt| -> AddressFuture {
            let address: AddressFuture = match &address {
                AddressSource::Fixed(url) => Box::pin(core::future::ready(Ok(Address::from(url.as_str())))),
                AddressSource::Provider(provide) => provide(attempt),
            };
            let credentials = credentials.as_ref().map(|source| source.0(attempt));
            let (number, protocols) = negotiation.begin();
            let negotiation = Pointer::clone(&negotiation);
            Box::pin(async move {
                let address = address.await?;
                if let Some(credentials) = credentials {
                    let credentials = credentials.await?;
                    let mut state = negotiation.lock();
                    if state.attempt == number {
                        state.credentials = Some(credentials).filter(|credentials| !credentials.is_empty());
                    }
                }
                Ok(address.protocols(protocols))
            })
        }))
    }

    pub(super) fn set_credentials(&self, credentials: Option<Message>) {
        self.lock().credentials = credentials;
    }

    pub(super) fn credentials(&self) -> Option<Message> {
        self.lock().credentials.clone()
    }

    /// A socket opened with this subprotocol.
    pub(super) fn opened(&self, protocol: &str) -> Negotiated {
        self.lock().machine.opened(protocol == SUBPROTOCOL)
    }

    /// An attempt failed without a close frame. `is_certain`: the platform reported that the server chose no subprotocol. Returns
    /// whether that proves that the server does not support it.
    pub(super) fn failed(&self, is_certain: bool) -> bool {
        self.lock().machine.failed(is_certain)
    }

    fn begin(&self) -> (u64, Protocols) {
        let mut state = self.lock();
        state.attempt += 1;
        let protocols = if state.machine.offers_subprotocol() {
            // The name is a valid token.
            Protocols::new([SUBPROTOCOL]).unwrap_or_default()
        } else {
            Protocols::default()
        };
        (state.attempt, protocols)
    }

    fn lock(&self) -> MutexGuard<'_, NegotiationState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Omits credentials.
impl fmt::Debug for NegotiationState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("NegotiationState").field("machine", &self.machine).finish_non_exhaustive()
    }
}
