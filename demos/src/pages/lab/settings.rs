use super::transport::Transport;

/// What the visitor chose for the feed and the way to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Settings {
    /// Messages a second.
    pub(super) rate: u32,
    /// Bytes of each.
    pub(super) size: u32,
    /// Milliseconds between two polls.
    pub(super) period: u32,
    pub(super) network: Network,
}

/// What the server makes of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Network {
    /// Milliseconds.
    pub(super) delay: u32,
    /// Up to so many milliseconds more.
    pub(super) jitter: u32,
    /// Percent of the messages that have to be sent again.
    pub(super) loss: u32,
}

impl Settings {
    pub(super) const RATES: [u32; 5] = [1, 2, 5, 10, 20];
    /// A frame says the length of up to 125 bytes in its own two, and takes two more for longer ones.
    pub(super) const SIZES: [u32; 4] = [64, 100, 400, 1000];
    pub(super) const PERIODS: [u32; 5] = [100, 200, 500, 1000, 2000];

    /// The same without a bad network, where the server makes none.
    pub(super) fn on_a_server_that(self, offers_faults: bool) -> Self {
        let network = if offers_faults { self.network } else { Network::default() };
        Self { network, ..self }
    }

    /// The parameters of the feed.
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

    /// The parameter that asks the server for it; nothing where there is nothing to ask for.
    pub(super) fn parameter(self) -> String {
        let Self { delay, jitter, loss } = self;
        let faults = [("delay", delay), ("jitter", jitter), ("loss", loss)];
        let faults: Vec<String> =
            faults.iter().filter(|(_, size)| *size > 0).map(|(name, size)| format!("{name}:{size}")).collect();
        if faults.is_empty() { String::new() } else { format!("&fault={}", faults.join(",")) }
    }
}

/// Which transports run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen([bool; 5]);

impl Default for Chosen {
    fn default() -> Self {
        Self([true; 5])
    }
}

impl Chosen {
    pub(super) fn has(self, transport: Transport) -> bool {
        self.0[transport as usize]
    }

    pub(super) fn with(mut self, transport: Transport, is_chosen: bool) -> Self {
        self.0[transport as usize] = is_chosen;
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
    fn a_good_network_asks_the_server_for_nothing() {
        assert_eq!(Settings::default().feed(), "rate=5&size=100");
    }

    #[test]
    fn a_bad_network_is_asked_for_by_the_grammar_of_the_server() {
        assert_eq!(Network { delay: 50, jitter: 10, loss: 0 }.parameter(), "&fault=delay:50,jitter:10");
        assert_eq!(Network { loss: 2, ..Network::default() }.parameter(), "&fault=loss:2");
    }

    #[test]
    fn transports_are_chosen_one_by_one() {
        let chosen = Chosen::default().with(Transport::Polling, false).with(Transport::Events, false);
        assert_eq!(chosen.transports(), [Transport::LongPolling, Transport::Streaming, Transport::WebSocket]);
    }
}
