use std::time::Duration;

/// The network between the page and the server.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// One way.
    pub(crate) latency: Duration,
    /// Whether what is under way waits for the link's return, as TCP sends it again.
    pub(crate) is_stalled: bool,
    /// Whether the platform has a network: without one an attempt fails at once, as in Chromium.
    pub(crate) has_network: bool,
    /// How many bytes a second the uplink takes; without a number, any.
    pub(crate) uplink: Option<f64>,
    /// What the operating system takes in before the platform's own buffer grows.
    pub(crate) kernel: u64,
    /// Overrides what the platform says of its buffer.
    pub(crate) buffered: Option<u64>,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(20),
            is_stalled: false,
            has_network: true,
            uplink: None,
            kernel: 256 << 10,
            buffered: None,
        }
    }
}

/// What one socket has yet to put on the wire.
#[derive(Debug, Default)]
pub(crate) struct Uplink {
    free_at: Duration,
    stuck: u64,
    is_dead: bool,
}

impl Uplink {
    /// When the last of these bytes is on the wire; `None` where nothing moves.
    pub(crate) fn take(&mut self, now: Duration, bytes: usize, link: &Link) -> Option<Duration> {
        if self.is_dead {
            self.stuck += bytes as u64;
            return None;
        }
        let takes = link.uplink.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(bytes as f64 / rate));
        self.free_at = self.free_at.max(now) + takes;
        Some(self.free_at)
    }

    /// The link died: what was not on the wire will never be.
    pub(crate) fn die(&mut self, now: Duration, link: &Link) {
        self.stuck += self.unsent(now, link);
        self.free_at = now;
        self.is_dead = true;
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// What the platform would say of its buffer.
    pub(crate) fn buffered(&self, now: Duration, link: &Link) -> u64 {
        link.buffered.unwrap_or_else(|| (self.stuck + self.unsent(now, link)).saturating_sub(link.kernel))
    }

    fn unsent(&self, now: Duration, link: &Link) -> u64 {
        link.uplink.map_or(0, |rate| (self.free_at.saturating_sub(now).as_secs_f64() * rate) as u64)
    }
}
