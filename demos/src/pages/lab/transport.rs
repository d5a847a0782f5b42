use everwire_companion_api::lab::Usage;

/// A way for messages from a server to a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Transport {
    Polling,
    LongPolling,
    Streaming,
    Events,
    WebSocket,
}

impl Transport {
    /// From the oldest to the youngest.
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

    /// Its name in addresses and files.
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
    pub(super) fn explained(self) -> &'static str {
        match self {
            Self::Polling => "A request each period, answered at once",
            Self::LongPolling => "A request held until there is news",
            Self::Streaming => "One answer that never ends, in chunks",
            Self::Events => "The same, as EventSource reads it",
            Self::WebSocket => "One connection for both directions",
        }
    }

    /// The design token of its colour.
    pub(super) fn color(self) -> &'static str {
        match self {
            Self::Polling => "--lab-poll",
            Self::LongPolling => "--lab-long-poll",
            Self::Streaming => "--lab-stream",
            Self::Events => "--lab-events",
            Self::WebSocket => "--lab-socket",
        }
    }

    /// Whether each message, or each look for one, takes a request.
    pub(super) fn asks(self) -> bool {
        matches!(self, Self::Polling | Self::LongPolling)
    }

    /// The bytes that one message a second costs a second, beside the message: where the client asks, what a request costs, since
    /// there is one for each message.
    pub(super) fn overhead_a_second(self, since: &Usage) -> Option<f64> {
        if self.asks() { since.overhead_per_request() } else { since.overhead_per_message() }
    }
}
