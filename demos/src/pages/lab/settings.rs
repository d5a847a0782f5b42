//! What is compared, and under which conditions: the transports, the feed and the network.

use everwire_companion_api::lab::Usage;

/// A way for messages to get from a server to a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Transport {
    Polling,
    LongPolling,
    Streaming,
    Events,
    WebSocket,
}

impl Transport {
    /// From the oldest to the newest.
    pub(super) const ALL: [Self; 5] =
        [Self::Polling, Self::LongPolling, Self::Streaming, Self::Events, Self::WebSocket];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Polling => "Polling",
            Self::LongPolling => "Long polling",
            Self::Streaming => "HTTP streaming",
            Self::Events => "Server-sent events",
            Self::WebSocket => "WebSocket",
        }
    }

    /// Its name in URLs and file names.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Polling => "poll",
            Self::LongPolling => "long-poll",
            Self::Streaming => "stream",
            Self::Events => "events",
            Self::WebSocket => "socket",
        }
    }

    /// What it does, in a few words.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Polling => "A request at each interval, answered at once",
            Self::LongPolling => "A request that is held until there is a message",
            Self::Streaming => "One response that never ends, in chunks",
            Self::Events => "The same, read by EventSource",
            Self::WebSocket => "One connection for both directions",
        }
    }

    /// The CSS custom property of its colour.
    pub(super) fn color(self) -> &'static str {
        match self {
            Self::Polling => "--lab-poll",
            Self::LongPolling => "--lab-long-poll",
            Self::Streaming => "--lab-stream",
            Self::Events => "--lab-events",
            Self::WebSocket => "--lab-socket",
        }
    }

    /// Whether each message, or each poll for one, takes a request.
    pub(super) fn is_polling(self) -> bool {
        matches!(self, Self::Polling | Self::LongPolling)
    }

    /// The bytes per second that one message per second adds to its payload. Where the client polls, that is the overhead of a request,
    /// since each message takes one.
    pub(super) fn overhead_per_second(self, usage: &Usage) -> Option<f64> {
        if self.is_polling() { usage.overhead_per_request() } else { usage.overhead_per_message() }
    }
}

/// The feed and the network that it goes over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Settings {
    /// Messages per second.
    pub(super) rate: u32,
    /// Bytes of each message.
    pub(super) size: u32,
    /// Milliseconds between two polls.
    pub(super) period: u32,
    pub(super) network: Network,
}

/// The network conditions that the server simulates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Network {
    /// Milliseconds.
    pub(super) delay: u32,
    /// The most milliseconds that are added at random.
    pub(super) jitter: u32,
    /// Percent of the messages that have to be sent again.
    pub(super) loss: u32,
}

impl Settings {
    pub(super) const RATES: [u32; 5] = [1, 2, 5, 10, 20];
    /// 64 and 100 take a frame header of two bytes; above 125 bytes of payload it has four.
    pub(super) const SIZES: [u32; 4] = [64, 100, 400, 1000];
    pub(super) const PERIODS: [u32; 5] = [100, 200, 500, 1000, 2000];

    /// The same with a perfect network if the server simulates none.
    pub(super) fn for_server(self, offers_faults: bool) -> Self {
        let network = if offers_faults { self.network } else { Network::default() };
        Self { network, ..self }
    }

    /// The query parameters of the feed.
    pub(super) fn feed(&self) -> String {
        format!("rate={}&size={}{}", self.rate, self.size, self.network.parameter())
    }
}

impl Default for Settings {
    fn default() -> Self {
        // As many polls as messages, as in the classic comparison.
        Self { rate: 5, size: 100, period: 200, network: Network::default() }
    }
}

impl Network {
    pub(super) const DELAYS: [u32; 5] = [0, 20, 50, 200, 500];
    pub(super) const JITTERS: [u32; 4] = [0, 10, 50, 200];
    pub(super) const LOSSES: [u32; 5] = [0, 1, 2, 5, 10];

    /// The query parameter that requests it; empty for a perfect network.
    pub(super) fn parameter(self) -> String {
        let Self { delay, jitter, loss } = self;
        let faults = [("delay", delay), ("jitter", jitter), ("loss", loss)];
        let faults: Vec<String> =
            faults.iter().filter(|(_, size)| *size > 0).map(|(name, size)| format!("{name}:{size}")).collect();
        if faults.is_empty() { String::new() } else { format!("&fault={}", faults.join(",")) }
    }
}

/// The transports that run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Selection([bool; 5]);

impl Default for Selection {
    fn default() -> Self {
        Self([true; 5])
    }
}

impl Selection {
    pub(super) fn has(self, transport: Transport) -> bool {
        self.0[transport as usize]
    }

    pub(super) fn with(mut self, transport: Transport, is_selected: bool) -> Self {
        self.0[transport as usize] = is_selected;
        self
    }

    pub(super) fn transports(self) -> Vec<Transport> {
        Transport::ALL.into_iter().filter(|transport| self.has(*transport)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_network_needs_no_parameter() {
        assert_eq!(Settings::default().feed(), "rate=5&size=100");
    }

    #[test]
    fn a_bad_network_is_requested_in_the_grammar_of_the_server() {
        assert_eq!(Network { delay: 50, jitter: 10, loss: 0 }.parameter(), "&fault=delay:50,jitter:10");
        assert_eq!(Network { loss: 2, ..Network::default() }.parameter(), "&fault=loss:2");
    }

    #[test]
    fn transports_are_selected_one_by_one() {
        let selection = Selection::default().with(Transport::Polling, false).with(Transport::Events, false);
        assert_eq!(selection.transports(), [Transport::LongPolling, Transport::Streaming, Transport::WebSocket]);
    }
}
