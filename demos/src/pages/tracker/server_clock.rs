/// The server's clock before the first ping was answered. Every message says when it was written, and it was not written
/// later than it came: so the server's clock is at least that far ahead of this machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ServerClock {
    ahead: Option<f64>,
}

impl ServerClock {
    /// A message that was written at `written` by the server's clock came at `now` by this machine's.
    pub(super) fn observe(&mut self, written: f64, now: f64) {
        let ahead = written - now;
        self.ahead = Some(self.ahead.map_or(ahead, |known| known.max(ahead)));
    }

    /// The time at the server when it is `now` here; none before the first message.
    pub(super) fn at(&self, now: f64) -> Option<f64> {
        self.ahead.map(|ahead| now + ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_freshest_message_sets_the_clock() {
        let mut clock = ServerClock::default();
        assert_eq!(clock.at(0.0), None);
        clock.observe(9_000.0, 1_000.0);
        clock.observe(9_500.0, 1_200.0);
        clock.observe(9_000.0, 1_400.0);
        assert_eq!(clock.at(2_000.0), Some(10_300.0));
    }
}
