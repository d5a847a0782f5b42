//! How a socket is configured: the builder, where an attempt connects to, and which losses are retried.

use core::{fmt, future::Future};

use everwire_core::{Backoff, Config, Decision, OutboxLimits, Protocols, ReconnectRules, Time, Watermarks};

use crate::{
    BinaryType, Cause, Heartbeat, InboxLimits, Message, Opened,
    event::without_credentials,
    threads::{BoxFuture, MaybeSend, MaybeSendSync, Pointer, shared_dyn},
};

/// The options of a [`Socket`](crate::Socket), with their defaults in parentheses. [`Socket::builder`](crate::Socket::builder) creates
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
    pub(crate) native: crate::native::Options,
    config: Config,
}

pub(crate) type OnOpenMessages = shared_dyn!(Fn(&Opened) -> Vec<Message>);

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
            native: crate::native::Options::default(),
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

    /// Which losses are retried. With a URL provider, the default that a policy amends
    /// [renews credentials](ReconnectPolicy::renewing_credentials).
    pub fn reconnect_policy(mut self, policy: ReconnectPolicy) -> Self {
        self.reconnect_policy = policy;
        self
    }

    /// How much may wait to be sent, and what happens beyond that.
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

    /// The messages to send first on every connection, before any that wait (none): credentials, subscriptions, for example.
    pub fn on_open_messages(mut self, messages: impl Fn(&Opened) -> Vec<Message> + MaybeSendSync + 'static) -> Self {
        self.on_open_messages = Some(Pointer::new(messages));
        self
    }

    /// Whether to report an [`Event::Transmitted`](crate::Event::Transmitted) when a message that waited in the outbox is handed to
    /// the platform (false): for an application that shows
    /// what has been sent, or measures from then. Events are kept until they are read.
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

/// Where to connect to: a URL, and the subprotocols to offer if they differ between attempts, as those that carry credentials do.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// `ws://` or `wss://`, or `http://` or `https://` with the same meaning; in a browser also relative to the page. Credentials
    /// (`wss://user:password@host/`) are sent as Basic authentication (RFC 7617); native programs refuse them in combination with a
    /// header `Authorization`.
    pub url: String,
    /// The subprotocols to offer in place of the builder's.
    pub protocols: Option<Protocols>,
}

impl Address {
    /// A URL, with the subprotocols of the builder.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), protocols: None }
    }

    /// Offers these subprotocols in place of the builder's.
    #[must_use]
    pub fn protocols(mut self, protocols: Protocols) -> Self {
        self.protocols = Some(protocols);
        self
    }
}

impl From<String> for Address {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

impl From<&str> for Address {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

/// Credentials are left out.
impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, protocols } = self;
        formatter.debug_struct("Address").field("url", &without_credentials(url)).field("protocols", protocols).finish()
    }
}

/// The attempt that an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// How many attempts failed since a connection was last stable: 0 for the first.
    pub failures: u32,
}

/// The future of an address, or of an error as text.
pub(crate) type AddressFuture = BoxFuture<Result<Address, String>>;

type ProvideFn = shared_dyn!(Fn(Attempt) -> AddressFuture);

/// Where the address of an attempt comes from.
#[derive(Clone)]
pub(crate) enum AddressSource {
    Fixed(String),
    Provider(Pointer<ProvideFn>),
}

impl fmt::Debug for AddressSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(url) => without_credentials(url).fmt(formatter),
            Self::Provider(_) => formatter.write_str("provider"),
        }
    }
}

/// Decides which losses are worth another attempt.
///
/// The default stops after a close code by which the server is done (1000) or would refuse the same client again (1002, 1003, 1007,
/// 1008, 1009, 1010, 3000, 3003, and 4400 to 4499 except 4408 and 4429, which private protocols derive from the HTTP statuses), and
/// retries everything else; see [`Self::renewing_credentials`] for the two codes that depend on the credentials. A policy is
/// not consulted about what the application or the page's life cycle caused ([`Cause::Requested`], [`Cause::Suspended`]), nor when no
/// retries are left.
///
/// ```
/// use everwire::{Cause, Decision, ReconnectPolicy, Socket};
///
/// let policy = ReconnectPolicy::amending(|cause, default| match cause {
///     Cause::Closed { code: 4404, .. } => Decision::Retry, // the room may be created again
///     _ => default,
/// });
/// let builder = Socket::builder("wss://example.org/room").reconnect_policy(policy);
/// ```
#[derive(Clone, Default)]
pub struct ReconnectPolicy {
    decide: Option<Pointer<DecideFn>>,
    renews_credentials: bool,
}

type DecideFn = shared_dyn!(Fn(&Cause, Decision) -> Decision);

impl ReconnectPolicy {
    /// A policy that the application writes from scratch.
    pub fn new(decide: impl Fn(&Cause) -> Decision + MaybeSendSync + 'static) -> Self {
        Self::amending(move |cause, _| decide(cause))
    }

    /// A policy that receives the default's decision, to change a case and keep the rest.
    pub fn amending(decide: impl Fn(&Cause, Decision) -> Decision + MaybeSendSync + 'static) -> Self {
        Self { decide: Some(Pointer::new(decide)), renews_credentials: false }
    }

    /// The same policy for a connection that gets new credentials for each attempt, because a provider returns its address: the default
    /// then retries 3000 and 4401, by which a server rejects the credentials, such as an expired token. 1008 and the codes for what is
    /// forbidden (3003, 4403) stay final: another token does not change a policy that the client violates or a right that it lacks.
    #[must_use]
    pub fn renewing_credentials(self) -> Self {
        Self { renews_credentials: true, ..self }
    }

    /// The decision for this cause.
    pub fn decide(&self, cause: &Cause) -> Decision {
        let (cause_of_core, _) = cause.clone().split();
        self.amended(cause, self.rules().default_decision(&cause_of_core))
    }

    /// The decision for this cause, for which the core's rules say `default`.
    pub(crate) fn amended(&self, cause: &Cause, default: Decision) -> Decision {
        match (&self.decide, cause) {
            (Some(decide), cause) if !matches!(cause, Cause::Requested | Cause::Suspended) => decide(cause, default),
            _ => default,
        }
    }

    /// The part of the policy that the core needs to know.
    pub(crate) fn rules(&self) -> ReconnectRules {
        ReconnectRules { renews_credentials: self.renews_credentials, asks_application: self.decide.is_some() }
    }
}

impl fmt::Debug for ReconnectPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ReconnectPolicy")
            .field("renews_credentials", &self.renews_credentials)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logged_address_has_no_credentials() {
        let address = Address::from("wss://user:pass@host/");
        let source = AddressSource::Fixed(address.url.clone());
        assert!(!format!("{address:?} {source:?}").contains("pass"));
    }

    fn closed(code: u16) -> Cause {
        Cause::closed(code, "", true)
    }

    #[test]
    fn an_amended_policy_keeps_what_it_does_not_change() {
        let policy = ReconnectPolicy::amending(|cause, default| match cause {
            Cause::Closed { code: 4_404, .. } => Decision::Retry,
            _ => default,
        });
        assert_eq!(policy.decide(&closed(4_404)), Decision::Retry);
        assert_eq!(policy.decide(&closed(4_401)), Decision::Stop);
        assert_eq!(policy.decide(&Cause::NetworkChanged), Decision::RetrySoon);
    }

    #[test]
    fn an_amended_policy_receives_what_the_default_says_about_credentials() {
        let policy = ReconnectPolicy::amending(|_, default| default).renewing_credentials();
        assert_eq!(policy.decide(&closed(4_401)), Decision::Retry);
        assert_eq!(ReconnectPolicy::default().decide(&closed(4_401)), Decision::Stop);
    }

    #[test]
    fn a_policy_is_not_consulted_about_what_the_application_or_the_page_caused() {
        let policy = ReconnectPolicy::new(|_| Decision::Stop);
        assert_eq!(policy.decide(&Cause::ConnectTimeout), Decision::Stop);
        for cause in [Cause::Requested, Cause::Suspended] {
            assert_eq!(policy.decide(&cause), Decision::Retry);
        }
    }
}
