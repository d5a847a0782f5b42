//! What an application sets for its channels: limits, the options of each channel, and an observer of sessions.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use everwire_core::Channel;

use super::authorize::{Authorize, DynAuthorize, Identity};
use crate::broker::{Broker, HistoryKind, Retention, SessionId};

/// Limits of the sessions and subscriptions of `everwire.v1`.
///
/// Change the defaults with [`Builder::channel_limits`](crate::Builder::channel_limits).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChannelLimits {
    /// The greatest number of sessions, detached ones included. Above it, a client without a session is refused with `unavailable`.
    /// 100,000 by default.
    pub sessions: usize,
    /// The greatest number of subscriptions of a connection. 256 by default.
    pub subscriptions: usize,
    /// Publishes and requests of a session that may be unanswered. 64 by default. The broker must keep as many
    /// [answers](crate::broker::BrokerConfig::answers).
    pub credits: usize,
    /// Bytes of answers to requests that are kept for a client that may have missed them. 256 KiB by default.
    pub answer_bytes: usize,
    /// Bytes of what [`Identity::with_presence`](super::Identity::with_presence) shows of a session. Anything larger is not shown. 1 KiB
    /// by default.
    pub presence_bytes: usize,
    /// How long a session is kept while it has no connection. 2 minutes by default.
    pub expires_after: Duration,
    /// Idle time after which clients send a `ping`. 25 s by default. A connection that is idle for three times as long is closed.
    pub heartbeat: Duration,
    /// Time limit for [`Authorize::authenticate`], and for a client to send `hello`. 10 s by default.
    pub hello: Duration,
}

impl Default for ChannelLimits {
    fn default() -> Self {
        Self {
            sessions: 100_000,
            subscriptions: 256,
            credits: 64,
            answer_bytes: 256 << 10,
            presence_bytes: 1 << 10,
            expires_after: Duration::from_secs(120),
            heartbeat: Duration::from_secs(25),
            hello: Duration::from_secs(10),
        }
    }
}

/// The options of a channel: how much history it keeps, and which messages it accepts.
///
/// ```
/// use std::time::Duration;
///
/// use everwire_server::channels::ChannelOptions;
/// use everwire_server::{Channel, Everwire};
///
/// const CHAT: Channel<String> = Channel::new("chat");
/// const PRICES: Channel<f64> = Channel::state("prices");
///
/// let everwire = Everwire::builder()
///     .channel(&CHAT, |options| options.retention = options.retention.with_age(Duration::from_secs(3_600)))
///     .channel(&PRICES, |options| options.message_bytes = 64)
///     .build();
/// # drop(everwire);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ChannelOptions {
    /// How much history the channel has.
    pub retention: Retention,
    /// The largest payload that a client may publish. By default only the connection's limit on messages applies.
    pub message_bytes: usize,
    /// Whether subscribers may see what was published before they subscribed. On by default; without it, the messages that a subscriber
    /// missed are a gap with the reason `refused`.
    pub has_history: bool,
}

impl Default for ChannelOptions {
    fn default() -> Self {
        Self { retention: Retention::stream(), message_bytes: usize::MAX, has_history: true }
    }
}

impl ChannelOptions {
    /// The options of a channel of values: the latest message of each key is kept.
    pub fn state() -> Self {
        Self { retention: Retention::state(), ..Self::default() }
    }

    fn of<T>(channel: &Channel<T>) -> Self {
        if channel.is_state() { Self::state() } else { Self::default() }
    }
}

type OptionsByName = dyn Fn(&str) -> ChannelOptions + Send + Sync;

/// The options of all channels.
#[derive(Clone, Default)]
pub(crate) struct ChannelOptionsMap {
    declared: HashMap<String, ChannelOptions>,
    others: Option<Arc<OptionsByName>>,
}

impl ChannelOptionsMap {
    pub(crate) fn declare<T>(&mut self, channel: &Channel<T>, change: impl FnOnce(&mut ChannelOptions)) {
        let options = self.declared.entry(channel.name().to_owned()).or_insert_with(|| ChannelOptions::of(channel));
        change(options);
    }

    pub(crate) fn set_others(&mut self, options: impl Fn(&str) -> ChannelOptions + Send + Sync + 'static) {
        self.others = Some(Arc::new(options));
    }

    pub(super) fn get(&self, name: &str) -> ChannelOptions {
        let others = || self.others.as_ref().map(|others| others(name));
        self.declared.get(name).copied().or_else(others).unwrap_or_default()
    }

    /// The options for a publish by the application, which knows the kind of the channel.
    pub(super) fn get_typed<T>(&self, channel: &Channel<T>) -> ChannelOptions {
        let mut options = self.get(channel.name());
        if channel.is_state() {
            options.retention.kind = HistoryKind::State;
        }
        options
    }
}

impl fmt::Debug for ChannelOptionsMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelOptionsMap").field("declared", &self.declared).finish_non_exhaustive()
    }
}

/// What an application sets for channels.
#[derive(Clone, Default)]
pub(crate) struct ChannelsConfig {
    pub(crate) broker: Option<Arc<dyn Broker>>,
    pub(super) authorizer: Option<Arc<dyn DynAuthorize>>,
    pub(crate) options: ChannelOptionsMap,
    pub(crate) limits: ChannelLimits,
    pub(crate) observer: Option<SessionObserver>,
}

impl ChannelsConfig {
    pub(crate) fn set_authorizer(&mut self, authorizer: impl Authorize) {
        self.authorizer = Some(Arc::new(authorizer));
    }
}

impl fmt::Debug for ChannelsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelsConfig")
            .field("broker", &self.broker)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// What happened to a session. See [`Builder::on_session`](crate::Builder::on_session).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionEvent {
    /// The session.
    pub session: SessionId,
    /// Who its client is.
    pub identity: Identity,
    /// What happened.
    pub change: SessionChange,
}

/// How a session changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionChange {
    /// A connection is attached to a new session.
    Started,
    /// A connection is attached to an existing session.
    Resumed,
    /// The session has no connection. It is kept for a while.
    Detached,
    /// The session is over: its client said goodbye, it expired, or the application ended it.
    Ended,
}

/// Receives the events of all sessions.
#[derive(Clone)]
pub(crate) struct SessionObserver(Arc<dyn Fn(SessionEvent) + Send + Sync>);

impl SessionObserver {
    pub(crate) fn new(observe: impl Fn(SessionEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }

    pub(super) fn observe(&self, event: SessionEvent) {
        (self.0)(event);
    }
}

impl fmt::Debug for SessionObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionObserver")
    }
}
