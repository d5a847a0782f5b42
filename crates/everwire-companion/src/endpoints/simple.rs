//! The small endpoints: echo, broadcast, hello, countdown, sum and clock.

use std::task::{Context, Poll};
use std::time::Duration;

use everwire_server::{Clock, Connection, Group, Handler, HandshakeError, Membership, Message};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use tokio::time::Instant;

use crate::protocol::{Parameters, SendJson, json};

/// `/echo`: returns every message unchanged, pings included.
pub(super) struct EchoHandler {
    connection: Connection,
}

impl EchoHandler {
    pub(super) fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone() }
    }
}

impl Handler for EchoHandler {
    fn on_message(&mut self, message: Message) {
        self.connection.send(message);
    }
}

/// `/broadcast`: sends every message to all clients, the sender included.
pub(super) struct BroadcastHandler {
    membership: Membership<()>,
}

impl BroadcastHandler {
    pub(super) fn new(group: &Group<()>, connection: &Connection) -> Self {
        Self { membership: group.join(connection, |_, _| Vec::new()) }
    }
}

impl Handler for BroadcastHandler {
    fn on_message(&mut self, message: Message) {
        self.membership.group().enqueue(|_, _| Some(message));
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.membership.group().poll_ready(context)
    }

    fn on_batch_end(&mut self) {
        self.membership.group().flush();
    }
}

/// `/hello`: answers a name with a greeting, then closes with 1000.
pub(super) struct HelloHandler {
    connection: Connection,
}

impl HelloHandler {
    pub(super) fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone() }
    }
}

impl Handler for HelloHandler {
    fn on_message(&mut self, message: Message) {
        match &message {
            Message::Text(name) if !name.trim().is_empty() => {
                self.connection.send(Message::text(format!("Hello {}!", name.trim())));
                self.connection.close(1000, "");
            }
            _ => self.connection.send_error("send your name as text, like Ann"),
        }
    }
}

/// The parameters of a countdown.
#[derive(Clone, Copy, Debug)]
pub(super) struct CountdownParameters {
    from: u32,
    every: Duration,
}

impl CountdownParameters {
    pub(super) fn from_query(query: &Parameters) -> Result<Self, HandshakeError> {
        let from = query.number("from", 0..=1_000_000, 10)?;
        let every = Duration::from_millis(query.number("every", 1..=3_600_000, 500)?);
        Ok(Self { from, every })
    }
}

/// `/countdown`: counts down to 0 with one message each step, then closes with 1000.
pub(super) struct CountdownHandler {
    connection: Connection,
    /// The number to send next, and when; nothing after 0.
    next: Option<(u32, Instant)>,
    every: Duration,
}

impl CountdownHandler {
    pub(super) fn new(parameters: CountdownParameters, connection: &Connection) -> Self {
        let next = Some((parameters.from, Instant::now()));
        Self { connection: connection.clone(), next, every: parameters.every }
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

/// The sum of all numbers that were sent, and their count.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Total {
    total: f64,
    count: u64,
}

/// `/sum`: adds the numbers of all clients, and sends the running total to all clients.
pub(super) struct SumHandler {
    membership: Membership<Total>,
}

impl SumHandler {
    pub(super) fn new(group: &Group<Total>, connection: &Connection) -> Self {
        Self { membership: group.join(connection, |total, _| vec![json(total)]) }
    }
}

impl Handler for SumHandler {
    fn on_message(&mut self, message: Message) {
        let number = match &message {
            Message::Text(text) => serde_json::from_str::<f64>(text).ok(),
            _ => None,
        };
        let Some(number) = number else {
            return self.membership.connection().send_error("send one JSON number as text, like 2.5");
        };
        self.membership.group().enqueue(|sum, _| {
            let total = sum.total + number;
            // An infinite total has no JSON form, and no later number could make it finite again.
            if !total.is_finite() {
                self.membership
                    .connection()
                    .send_error("with this number the total would be infinite; send a smaller one");
                return None;
            }
            *sum = Total { total, count: sum.count + 1 };
            Some(json(sum))
        });
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.membership.group().poll_ready(context)
    }

    fn on_batch_end(&mut self) {
        self.membership.group().flush();
    }
}

/// `/clock`: answers the client's time with both its and the server's.
pub(super) struct ClockHandler {
    clock: Clock,
    connection: Connection,
}

#[derive(Deserialize)]
struct Question {
    client_time: Number,
}

#[derive(Serialize)]
struct Answer {
    client_time: Number,
    server_time: f64,
}

impl ClockHandler {
    pub(super) fn new(clock: Clock, connection: &Connection) -> Self {
        Self { clock, connection: connection.clone() }
    }
}

impl Handler for ClockHandler {
    fn on_message(&mut self, message: Message) {
        let question = match &message {
            Message::Text(text) => serde_json::from_str::<Question>(text).ok(),
            _ => None,
        };
        match question {
            Some(Question { client_time }) => {
                self.connection.send_json(&Answer { client_time, server_time: self.clock.now_ms() });
            }
            None => self.connection.send_error(r#"send {"client_time":T} with T your time in milliseconds"#),
        }
    }
}

#[cfg(test)]
mod tests {
    use everwire_server::testing::Recorder;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_countdown_sends_one_number_each_step_and_closes_after_zero() {
        let recorder = Recorder::new();
        let every = Duration::from_millis(500);
        let mut countdown = CountdownHandler::new(CountdownParameters { from: 2, every }, recorder.connection());
        let start = Instant::now();
        let mut received = Vec::new();
        while let Some(due) = countdown.timer() {
            countdown.on_timer();
            let messages = recorder.messages();
            let text = messages[0].as_text().unwrap();
            received.push((text.to_owned(), (due - start).as_millis()));
        }
        let expected = [("2", 0), ("1", 500), ("0", 1000)].map(|(text, at)| (text.to_owned(), at));
        assert_eq!(received, expected);
        assert_eq!(recorder.closed(), Some((1000, String::new())));
    }
}
