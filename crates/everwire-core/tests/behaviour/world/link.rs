use everwire_core::Time;

/// The network between the page and the server.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// One way.
    pub(crate) latency: Time,
    /// Whether what is under way waits for the link's return, as TCP sends it again.
    pub(crate) is_stalled: bool,
    /// Whether the platform has a network: without one an attempt fails at once, as in Chromium.
    pub(crate) has_network: bool,
    /// How many bytes a second the uplink takes; without a number, any.
    pub(crate) uplink: Option<f64>,
    /// What the operating system accepts before the platform's own buffer grows.
    pub(crate) kernel: u64,
    /// Overrides what the platform reports about its buffer.
    pub(crate) buffered: Option<u64>,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            latency: Time::from_millis(20),
            is_stalled: false,
            has_network: true,
            uplink: None,
            kernel: 256 << 10,
            buffered: None,
        }
    }
}

/// What one socket has yet to put on the wire.
#[derive(Debug)]
pub(crate) struct Uplink {
    free_at: Time,
    stuck: u64,
    is_dead: bool,
    /// What was handed over in the latest instant, and when. A browser counts it as buffered until its event loop turns.
    latest: (Time, u64),
}

impl Default for Uplink {
    fn default() -> Self {
        Self { free_at: Time::ZERO, stuck: 0, is_dead: false, latest: (Time::ZERO, 0) }
    }
}

impl Uplink {
    /// When the last of these bytes is on the wire; `None` where nothing moves.
    pub(crate) fn take(&mut self, now: Time, bytes: usize, link: &Link) -> Option<Time> {
        let before = if self.latest.0 == now { self.latest.1 } else { 0 };
        self.latest = (now, before + bytes as u64);
        if self.is_dead {
            self.stuck += bytes as u64;
            return None;
        }
        let takes = link.uplink.map_or(Time::ZERO, |rate| Time::from_millis_f64(bytes as f64 / rate * 1e3));
        self.free_at = self.free_at.max(now) + takes;
        Some(self.free_at)
    }

    /// The link died: what was not on the wire will never be.
    pub(crate) fn die(&mut self, now: Time, link: &Link) {
        self.stuck += self.unsent(now, link);
        self.free_at = now;
        self.is_dead = true;
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// What the platform would report about its buffer.
    pub(crate) fn buffered(&self, now: Time, link: &Link) -> u64 {
        let latest = if self.latest.0 == now { self.latest.1 } else { 0 };
        link.buffered.unwrap_or_else(|| (self.stuck + self.unsent(now, link)).saturating_sub(link.kernel).max(latest))
    }

    fn unsent(&self, now: Time, link: &Link) -> u64 {
        link.uplink.map_or(0, |rate| ((self.free_at - now).as_millis_f64() / 1e3 * rate) as u64)
    }
}
