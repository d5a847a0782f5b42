//! The link and the server of the simulation.

use everwire_core::{SocketId, Time};

/// The server, and how it behaves.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) on_dial: OnDial,
    pub(crate) answers_pings: bool,
    /// Whether it answers each message with one of its own.
    pub(crate) answers_messages: bool,
    /// Whether the answer to a ping says which ping it answers.
    pub(crate) names_pings: bool,
    pub(crate) completes_closing: bool,
    /// How far its clock is ahead of the page's, in milliseconds.
    pub(crate) clock_ahead: f64,
    /// How often it sends a message by itself.
    pub(crate) sends_every: Option<Time>,
    pub(crate) received: Vec<(SocketId, String)>,
}

/// How the server answers a client that dials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum OnDial {
    Accept,
    Refuse,
    /// Never answers the handshake.
    Hang,
    /// Accepts, then cuts the connection after this time.
    AcceptThenCut(Time),
    /// Accepts, then closes with this code after this time.
    AcceptThenClose(u16, Time),
}

impl Default for Server {
    fn default() -> Self {
        Self {
            on_dial: OnDial::Accept,
            answers_pings: true,
            answers_messages: false,
            names_pings: true,
            completes_closing: true,
            clock_ahead: 0.0,
            sends_every: None,
            received: Vec::new(),
        }
    }
}

impl Server {
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.received.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// The network between the page and the server.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// One way.
    pub(crate) latency: Time,
    /// Whether bytes in flight wait for the link's return, as TCP retransmits them.
    pub(crate) is_stalled: bool,
    /// Whether the platform has a network: without one an attempt fails at once, as in Chromium.
    pub(crate) has_network: bool,
    /// The bytes per second of the uplink; without a number, it is unlimited.
    pub(crate) uplink: Option<f64>,
    /// The bytes that the operating system accepts before the platform's own buffer grows.
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

/// The bytes that a socket has yet to transmit.
#[derive(Debug)]
pub(crate) struct Uplink {
    free_at: Time,
    stuck: u64,
    is_dead: bool,
    /// The bytes handed over at the latest instant, and that instant. A browser counts them as buffered until its event loop turns.
    latest: (Time, u64),
}

impl Default for Uplink {
    fn default() -> Self {
        Self { free_at: Time::ZERO, stuck: 0, is_dead: false, latest: (Time::ZERO, 0) }
    }
}

impl Uplink {
    /// Takes bytes. Returns when the last of them is transmitted; `None` if the link is dead.
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

    /// Kills the link: bytes that were not transmitted never will be.
    pub(crate) fn die(&mut self, now: Time, link: &Link) {
        self.stuck += self.unsent(now, link);
        self.free_at = now;
        self.is_dead = true;
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// The bytes that the platform would report as buffered.
    pub(crate) fn buffered(&self, now: Time, link: &Link) -> u64 {
        let latest = if self.latest.0 == now { self.latest.1 } else { 0 };
        link.buffered.unwrap_or_else(|| (self.stuck + self.unsent(now, link)).saturating_sub(link.kernel).max(latest))
    }

    fn unsent(&self, now: Time, link: &Link) -> u64 {
        link.uplink.map_or(0, |rate| ((self.free_at - now).as_millis_f64() / 1e3 * rate) as u64)
    }
}
