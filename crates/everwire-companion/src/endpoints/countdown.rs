use std::time::Duration;

use everwire_server::{Connection, Handler, HandshakeError, Message};
use tokio::time::Instant;

use crate::json::SendJson;
use crate::parameters::Parameters;

/// The parameters of a countdown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    from: u32,
    every: Duration,
}

impl Steps {
    pub(super) fn from_query(query: &Parameters) -> Result<Self, HandshakeError> {
        let from = query.number("from", 0..=1_000_000, 10)?;
        let every = Duration::from_millis(query.number("every", 1..=3_600_000, 500)?);
        Ok(Self { from, every })
    }
}

/// `/countdown`: counts down to 0, one message each step, then closes with 1000.
pub(super) struct CountdownHandler {
    connection: Connection,
    /// The number to send next, and when; nothing after 0.
    next: Option<(u32, Instant)>,
    every: Duration,
}

impl CountdownHandler {
    pub(super) fn new(steps: Steps, connection: &Connection) -> Self {
        let next = Some((steps.from, Instant::now()));
        Self { connection: connection.clone(), next, every: steps.every }
    }
}

impl Handler for CountdownHandler {
    fn on_message(&mut self, _: Message) {
        self.connection.send_error("the countdown only counts; set its start and step (ms) with ?from=10&every=500");
    }

    fn timer(&self) -> Option<Instant> {
        self.next.map(|(_, at)| at)
    }

    fn on_timer(&mut self) {
        let Some((number, at)) = self.next else { return };
        self.connection.send(Message::text(number.to_string()));
        self.next = number.checked_sub(1).map(|number| (number, at + self.every));
        if self.next.is_none() {
            self.connection.close(1000, "");
        }
    }
}

#[cfg(test)]
mod tests {
    use everwire_server::testing::Recorder;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_number_comes_each_step_and_the_end_after_zero() {
        let recorder = Recorder::new();
        let every = Duration::from_millis(500);
        let mut countdown = CountdownHandler::new(Steps { from: 2, every }, recorder.connection());
        let start = Instant::now();
        let mut heard = Vec::new();
        while let Some(due) = countdown.timer() {
            countdown.on_timer();
            let messages = recorder.messages();
            let text = messages[0].as_text().unwrap();
            heard.push((text.to_owned(), (due - start).as_millis()));
        }
        let expected = [("2", 0), ("1", 500), ("0", 1000)].map(|(text, at)| (text.to_owned(), at));
        assert_eq!(heard, expected);
        assert_eq!(recorder.closed(), Some((1000, String::new())));
    }
}
