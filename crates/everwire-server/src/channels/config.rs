use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use everwire_core::Channel;

use crate::broker::{HistoryKind, Retention};

/// Limits of the sessions and subscriptions of `everwire.v1`.
///
/// Change the defaults with [`Builder::channel_limits`](crate::Builder::channel_limits).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChannelLimits {
    /// Sessions in all, detached ones included. A client without a session that comes above it is refused with `unavailable`. 100,000
    /// by default.
    pub sessions: usize,
    /// Channels to which a connection may be subscribed. 256 by default.
    pub subscriptions: usize,
    /// Publishes and requests of a session that may be unanswered. 64 by default. The broker must keep as many
    /// [answers](crate::broker::BrokerConfig::answers).
    pub credits: usize,
    /// Bytes of answers to requests that are kept for a client that may have missed them. 256 KiB by default.
    pub answer_bytes: usize,
    /// Bytes of what [`Identity::with_presence`](super::Identity::with_presence) shows of a session. More is not shown. 1 KiB by
    /// default.
    pub presence_bytes: usize,
    /// How long a session is kept while it has no connection. 2 minutes by default.
    pub expires_after: Duration,
    /// The silence after which clients send a `ping`. 25 s by default. A connection that is silent for three times as long is closed.
    pub heartbeat: Duration,
    /// Time limit for [`Authorize::authenticate`](super::Authorize::authenticate), and for a client to send `hello`. 10 s by default.
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

/// What a channel keeps and takes.
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
/// let wire = Everwire::builder()
///     .channel(&CHAT, |options| options.retention = options.retention.with_age(Duration::from_secs(3_600)))
///     .channel(&PRICES, |options| options.message_bytes = 64)
///     .build();
/// # drop(wire);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ChannelOptions {
    /// How much history the channel has.
    pub retention: Retention,
    /// The largest payload that a client may publish. Without a limit of its own by default: that of a message of the connection holds.
    pub message_bytes: usize,
    /// Whether subscribers may see what was published before they subscribed. On by default; without it, whatever a subscriber missed is a
    /// gap with the reason `refused`.
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
pub(crate) struct ChannelTable {
    declared: HashMap<String, ChannelOptions>,
    others: Option<Arc<OptionsByName>>,
}

impl ChannelTable {
    pub(crate) fn declare<T>(&mut self, channel: &Channel<T>, change: impl FnOnce(&mut ChannelOptions)) {
        let options = self.declared.entry(channel.name().to_owned()).or_insert_with(|| ChannelOptions::of(channel));
        change(options);
    }

    pub(crate) fn set_others(&mut self, options: impl Fn(&str) -> ChannelOptions + Send + Sync + 'static) {
        self.others = Some(Arc::new(options));
    }

    pub(super) fn options(&self, name: &str) -> ChannelOptions {
        let others = || self.others.as_ref().map(|others| others(name));
        self.declared.get(name).copied().or_else(others).unwrap_or_default()
    }

    /// The options for a publish by the application, which knows the kind of the channel.
    pub(super) fn typed_options<T>(&self, channel: &Channel<T>) -> ChannelOptions {
        let mut options = self.options(channel.name());
        if channel.is_state() {
            options.retention.kind = HistoryKind::State;
        }
        options
    }
}

impl fmt::Debug for ChannelTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelTable").field("declared", &self.declared).finish_non_exhaustive()
    }
}
