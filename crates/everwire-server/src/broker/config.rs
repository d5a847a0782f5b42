use crate::time::Clock;

/// Limits that all channels and all sessions of a broker have together.
///
/// ```
/// use everwire_server::broker::{BrokerConfig, Memory};
///
/// let mut config = BrokerConfig::default();
/// config.bytes = 1 << 30;
/// let broker = Memory::new(config);
/// # drop(broker);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BrokerConfig {
    /// The most bytes of all messages together, [as each counts](super::Stored::size). Above it, the history of the channel that was
    /// published to longest ago is trimmed first. 256 MiB by default.
    pub bytes: u64,
    /// The most channels whose position is known. Above it, the channel that was published to longest ago is forgotten; when it is used
    /// again, its epoch is another one. 100,000 by default, which take about 50 MB.
    pub channels: usize,
    /// The most sessions. Above it, the detached session that would expire first is removed. 100,000 by default.
    pub sessions: usize,
    /// How many stored publishes of each session are remembered: at least as many as it may have unanswered. 64 by default; each
    /// takes 32 bytes.
    pub answers: usize,
    /// The offset before the first message of a channel, 0 by default. Another one shows whether clients read offsets above 2⁵³.
    pub first_offset: u64,
    /// The clock for the times of messages, their age and the sessions' expiry.
    pub clock: Clock,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        let clock = Clock::system();
        Self { bytes: 256 << 20, channels: 100_000, sessions: 100_000, answers: 64, first_offset: 0, clock }
    }
}

impl BrokerConfig {
    /// Milliseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.clock.now_ms() as u64
    }
}
