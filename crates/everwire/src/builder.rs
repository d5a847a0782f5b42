use core::{fmt, future::Future};

use everwire_core::{Backoff, Config, OutboxLimits, Protocols, Time, Watermarks};

use crate::{
    Address, Attempt, BinaryType, Heartbeat, InboxLimits, Message, Opened, ReconnectPolicy,
    address::{AddressFuture, AddressSource},
    threads::{MaybeSend, MaybeSendSync, Pointer},
};

/// The options of a [`Socket`](crate::Socket), with their defaults in parentheses; [`Socket::builder`](crate::Socket::builder) makes
/// one.
///
/// ```no_run
/// use core::time::Duration;
/// use everwire::{Heartbeat, Message, OutboxLimits, Protocols, Socket, WhenFull};
///
/// # async fn fetch_url_with_token() -> Result<String, String> { Ok(String::new()) }
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let socket = Socket::builder_with_url_provider(|_attempt| async { fetch_url_with_token().await }) // for each attempt
///     .protocols(Protocols::new(["chat.v1"])?)
///     .on_open_messages(|_opened| vec![Message::from(r#"{"subscribe":"news"}"#)]) // first on every connection
///     .heartbeat(Heartbeat::silence(Duration::from_secs(30)))
///     .outbox(OutboxLimits::default().when_full(WhenFull::DropOldest))
///     .open()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a builder connects only after open()"]
pub struct SocketBuilder {
    pub(crate) source: AddressSource,
    pub(crate) protocols: Protocols,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) inbox: InboxLimits,
    pub(crate) binary_type: BinaryType,
    pub(crate) on_open_messages: Option<Pointer<OnOpenMessages>>,
    pub(crate) report_transmitted: bool,
    pub(crate) reconnect_policy: ReconnectPolicy,
    #[cfg(not(target_family = "wasm"))]
    pub(crate) native: crate::native::options::Options,
    config: Config,
}

#[cfg(target_family = "wasm")]
pub(crate) type OnOpenMessages = dyn Fn(&Opened) -> Vec<Message>;
#[cfg(not(target_family = "wasm"))]
pub(crate) type OnOpenMessages = dyn Fn(&Opened) -> Vec<Message> + Send + Sync;

impl SocketBuilder {
    pub(crate) fn new(source: AddressSource) -> Self {
        Self {
            source,
            protocols: Protocols::default(),
            heartbeat: Heartbeat::default(),
            inbox: InboxLimits::default(),
            binary_type: BinaryType::default(),
            on_open_messages: None,
            report_transmitted: false,
            reconnect_policy: ReconnectPolicy::default(),
            #[cfg(not(target_family = "wasm"))]
            native: crate::native::options::Options::default(),
            config: Config::default(),
        }
    }

    pub(crate) fn with_provider<F, Fut, A, E>(provide: F) -> Self
    where
        F: Fn(Attempt) -> Fut + MaybeSendSync + 'static,
        Fut: Future<Output = Result<A, E>> + MaybeSend + 'static,
        A: Into<Address>,
        E: fmt::Display,
    {
        let provide = move |attempt| -> AddressFuture {
            let address = provide(attempt);
            Box::pin(async move { address.await.map(Into::into).map_err(|error| error.to_string()) })
        };
        Self::new(AddressSource::Provider(Pointer::new(provide)))
    }

    /// The subprotocols to offer (none).
    pub fn protocols(mut self, protocols: Protocols) -> Self {
        self.protocols = protocols;
        self
    }

    /// How a dead link is detected ([`Heartbeat::ping`]).
    pub fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// How long to wait before each attempt.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.config.backoff = backoff;
        self
    }

    /// Which losses are worth another attempt. With a URL provider, the default that a policy amends
    /// [renews credentials](ReconnectPolicy::renewing_credentials).
    pub fn reconnect_policy(mut self, policy: ReconnectPolicy) -> Self {
        self.reconnect_policy = policy;
        self
    }

    /// How much may wait to be sent, and what happens above that.
    pub fn outbox(mut self, limits: OutboxLimits) -> Self {
        self.config.outbox = limits;
        self
    }

    /// How much may wait to be read.
    pub fn inbox(mut self, limits: InboxLimits) -> Self {
        self.inbox = limits;
        self
    }

    /// How much may wait in the platform's buffer.
    pub fn watermarks(mut self, watermarks: Watermarks) -> Self {
        self.config.watermarks = watermarks;
        self
    }

    /// How long an attempt may take, including the URL provider (15 s; at least 10 s for browsers, see
    /// [`Config::connect_timeout`](everwire_core::Config::connect_timeout)).
    pub fn connect_timeout(mut self, timeout: impl Into<Time>) -> Self {
        self.config.connect_timeout = timeout.into();
        self
    }

    /// How long closing waits for the server's close frame (3 s).
    pub fn close_timeout(mut self, timeout: impl Into<Time>) -> Self {
        self.config.close_timeout = timeout.into();
        self
    }

    /// How a browser returns binary messages.
    pub fn binary_type(mut self, binary_type: BinaryType) -> Self {
        self.binary_type = binary_type;
        self
    }

    /// The messages to send first on every connection, before any that wait (none): credentials, subscriptions.
    pub fn on_open_messages(mut self, messages: impl Fn(&Opened) -> Vec<Message> + MaybeSendSync + 'static) -> Self {
        self.on_open_messages = Some(Pointer::new(messages));
        self
    }

    /// Whether to report an [`Event::Transmitted`](crate::Event::Transmitted) when a message that waited in the outbox is handed to
    /// the platform (false): for an application that shows what has left, or measures from then. Each is kept until it is read.
    pub fn report_transmitted(mut self, report: bool) -> Self {
        self.report_transmitted = report;
        self
    }

    pub(crate) fn core_config(&self) -> Config {
        let heartbeat = self.heartbeat.mode;
        let mut config = Config { heartbeat, reconnect: self.reconnect_policy.rules(), ..self.config.clone() };
        if matches!(self.source, AddressSource::Provider(_)) {
            config.reconnect.renews_credentials = true;
        }
        config
    }
}

impl fmt::Debug for SocketBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SocketBuilder")
            .field("source", &self.source)
            .field("protocols", &self.protocols)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
