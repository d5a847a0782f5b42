use core::time::Duration;
use std::collections::VecDeque;

use everwire::{Event, LatencySummary, Message, MessageId, Sent};
use everwire_core::Latency;

use super::log::{Body, Filter, Limits, Line, Log, Origin, Tone, Transmission, View};
use super::payload::Payload;
use super::told::{self, Told};
use super::traffic::{Echoes, Meter, Series};

/// Everything that the page has seen of a connection. Times are milliseconds since the Unix epoch, of a clock that is never
/// set back.
pub(super) struct Record {
    pub(super) log: Log,
    /// What the visitor wants to see of the log.
    pub(super) view: View,
    pub(super) heartbeats: Series,
    pub(super) echoes: Series,
    pub(super) messages_in: Meter,
    pub(super) messages_out: Meter,
    /// The messages in the outbox and the numbers of their lines, oldest first.
    queued: VecDeque<(MessageId, u64)>,
    waiting: Echoes,
    echo_latency: Latency,
    is_open: bool,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            log: Log::new(Limits::default()),
            view: View::default(),
            heartbeats: Series::default(),
            echoes: Series::default(),
            messages_in: Meter::default(),
            messages_out: Meter::default(),
            queued: VecDeque::new(),
            waiting: Echoes::default(),
            echo_latency: Latency::default(),
            is_open: false,
        }
    }

    /// The visitor connects, perhaps elsewhere: the log goes on, and the statistics start over.
    pub(super) fn connecting(&mut self, now: f64, address: &str) {
        // The outbox of the connection before goes with it.
        while let Some((id, _)) = self.queued.front() {
            self.left_outbox(*id, Transmission::Never);
        }
        let log = core::mem::replace(&mut self.log, Log::new(Limits::default()));
        let view = core::mem::take(&mut self.view);
        *self = Self { log, view, ..Self::new() };
        self.tell(now, (Tone::Plain, format!("Connecting to {address}")));
    }

    /// The socket accepted a message.
    pub(super) fn sent(&mut self, now: f64, payload: &Payload, sent: Sent) {
        let mut line = Line::new(now, Origin::Sent, payload.body());
        match sent {
            Sent::Transmitted(id) => {
                self.waiting.accepted(id, payload.bytes(), Some(since_epoch(now)));
                self.messages_out.count(now);
                self.log.push(line);
            }
            Sent::Queued(id) => {
                self.waiting.accepted(id, payload.bytes(), None);
                line.transmission = Transmission::Queued;
                let number = self.log.push(line);
                self.queued.push_back((id, number));
            }
        }
    }

    /// The socket had something to say.
    pub(super) fn happened(&mut self, now: f64, event: Event) {
        match event {
            Event::Message(message) => self.received(now, message),
            Event::Latency(round_trip) => self.heartbeats.record(now, ms(round_trip)),
            Event::Opened(event) => {
                self.is_open = true;
                self.tell(now, told::opened(&event));
            }
            Event::Dropped(event) => {
                let was_open = self.went_down();
                told::dropped(&event, was_open).into_iter().for_each(|told| self.tell(now, told));
            }
            Event::Transmitted(id) => {
                self.left_outbox(id, Transmission::Later(now));
                self.waiting.transmitted(id, since_epoch(now));
                self.messages_out.count(now);
            }
            Event::Discarded(event) => {
                self.left_outbox(event.id, Transmission::Never);
                self.waiting.discarded(event.id);
                self.tell(now, told::discarded(&event));
            }
            Event::Lagged { missed } => self.tell(now, told::lagged(missed)),
            Event::Closed(event) => {
                self.went_down();
                told::closed(&event).into_iter().for_each(|told| self.tell(now, told));
            }
            _ => {}
        }
    }

    /// Brings the view up to date, or as far as one frame allows. Says whether it is.
    pub(super) fn catch_up(&mut self) -> bool {
        /// What is searched in a few milliseconds.
        const BYTES_IN_A_FRAME: usize = 2 << 20;
        self.view.catch_up(&self.log, BYTES_IN_A_FRAME)
    }

    pub(super) fn filter(&mut self, filter: Filter) {
        self.view.set_filter(filter, &self.log);
    }

    /// The round trips of echoes.
    pub(super) fn echo_latency(&self) -> LatencySummary {
        self.echo_latency.summary()
    }

    fn received(&mut self, now: f64, message: Message) {
        let payload = Payload::from(message);
        self.messages_in.count(now);
        let lost_before = self.waiting.lost();
        let round_trip = self.waiting.received(payload.bytes(), since_epoch(now));
        self.count_lost(lost_before);
        if let Some(round_trip) = round_trip {
            self.echo_latency.record(Duration::ZERO, round_trip, None);
            self.echoes.record(now, ms(round_trip));
        }
        self.log.push(Line { round_trip, ..Line::new(now, Origin::Received, payload.body()) });
    }

    /// A message is not in the outbox any more.
    fn left_outbox(&mut self, id: MessageId, transmission: Transmission) {
        let Ok(index) = self.queued.binary_search_by_key(&id, |(id, _)| *id) else { return };
        if let Some((_, number)) = self.queued.remove(index) {
            self.log.set_transmission(number, transmission);
        }
    }

    /// Says whether there was a connection.
    fn went_down(&mut self) -> bool {
        let lost_before = self.waiting.lost();
        self.waiting.dropped();
        self.count_lost(lost_before);
        core::mem::replace(&mut self.is_open, false)
    }

    fn count_lost(&mut self, lost_before: u64) {
        (lost_before..self.waiting.lost()).for_each(|_| self.echo_latency.record_lost());
    }

    fn tell(&mut self, now: f64, (tone, words): Told) {
        let body = Body::Event(tone, words.into());
        self.log.push(Line::new(now, Origin::Connection, body));
    }
}

fn since_epoch(now: f64) -> Duration {
    Duration::try_from_secs_f64(now / 1e3).unwrap_or_default()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use everwire::{Cause, DiscardReason, Discarded, Dropped, Opened};

    use super::*;

    /// A time of which a float still holds microseconds.
    const START: f64 = 1_700_000_000_000.0;

    fn text(text: &str) -> Payload {
        Payload::Text(text.into())
    }

    fn dropped() -> Event {
        Event::Dropped(Dropped::new(Cause::closed(1006, "", false)))
    }

    fn open() -> Record {
        let mut record = Record::new();
        record.connecting(START, "ws://h/echo");
        record.happened(START, Event::Opened(Opened::default()));
        record
    }

    fn words(record: &Record) -> Vec<String> {
        let numbers = record.log.first()..record.log.end();
        numbers.filter_map(|number| record.log.line(number)).map(|line| line.preview()).collect()
    }

    #[test]
    fn an_echo_carries_its_round_trip_and_makes_a_sample() {
        let mut record = open();
        record.sent(START, &text("a"), Sent::Transmitted(MessageId(1)));
        record.happened(START + 12.5, Event::Message(Message::from("a")));
        let reply = record.log.line(record.log.end() - 1).unwrap();
        let round_trip = reply.round_trip.unwrap().as_secs_f64() * 1e3;
        assert!((round_trip - 12.5).abs() < 1e-3, "{round_trip}");
        assert_eq!((record.echo_latency().count, record.echoes.bins().count()), (1, 1));
    }

    fn transmission(record: &Record, number: u64) -> Transmission {
        record.log.line(number).unwrap().transmission
    }

    #[test]
    fn a_message_that_waited_is_sent_when_it_leaves_the_outbox_and_its_round_trip_starts_there() {
        let mut record = open();
        record.happened(START, dropped());
        let number = record.log.end();
        record.sent(START + 1.0, &text("a"), Sent::Queued(MessageId(1)));
        assert_eq!(transmission(&record, number), Transmission::Queued);
        assert_eq!(record.messages_out.in_the_last_second(START + 500.0), 0);

        let back = START + 60_000.0;
        record.happened(back, Event::Opened(Opened::default()));
        record.happened(back, Event::Transmitted(MessageId(1)));
        assert_eq!(transmission(&record, number), Transmission::Later(back));
        assert_eq!(record.messages_out.in_the_last_second(back + 500.0), 1);
        record.happened(back + 12.5, Event::Message(Message::from("a")));
        let round_trip = record.log.line(record.log.end() - 1).unwrap().round_trip.unwrap().as_secs_f64() * 1e3;
        assert!((round_trip - 12.5).abs() < 1e-3, "{round_trip}");
        assert_eq!(record.echo_latency().count, 1, "it says something about the link like any other");
    }

    #[test]
    fn a_message_that_never_leaves_the_outbox_is_not_sent() {
        let mut record = Record::new();
        record.connecting(START, "ws://h/echo");
        let number = record.log.end();
        for id in 1..=3 {
            record.sent(START, &text("a"), Sent::Queued(MessageId(id)));
        }
        record.happened(START, Event::Discarded(Discarded::new(MessageId(2), "a", DiscardReason::Closed)));
        let all = |record: &Record| [0, 1, 2].map(|after| transmission(record, number + after));
        assert_eq!(all(&record), [Transmission::Queued, Transmission::Never, Transmission::Queued]);
        // Another connection has another outbox, and names its messages from 1 again.
        record.connecting(START, "ws://h/sum");
        record.happened(START, Event::Transmitted(MessageId(1)));
        assert_eq!(all(&record), [Transmission::Never; 3]);
    }

    #[test]
    fn a_log_that_was_cleared_meanwhile_does_no_harm() {
        let mut record = open();
        record.sent(START, &text("a"), Sent::Queued(MessageId(1)));
        record.log.clear();
        record.happened(START, Event::Transmitted(MessageId(1)));
        assert_eq!(record.log.len(), 0);
    }

    #[test]
    fn what_was_under_way_at_a_drop_is_counted_as_lost_by_an_echo() {
        let mut record = open();
        for payload in ["a", "b", "c"] {
            record.sent(START, &text(payload), Sent::Transmitted(MessageId(1)));
        }
        record.happened(START + 1.0, Event::Message(Message::from("a")));
        record.happened(START + 2.0, dropped());
        assert_eq!((record.echo_latency().count, record.echo_latency().lost), (1, 2));
    }

    #[test]
    fn every_event_leaves_its_line_in_the_log() {
        let mut record = open();
        record.happened(START, dropped());
        record.happened(START, dropped());
        let words = words(&record);
        let starts = ["Connecting to", "Connected to", "Connection lost:", "Connection failed:"];
        assert_eq!(words.len(), starts.len());
        for (words, start) in words.iter().zip(starts) {
            assert!(words.starts_with(start), "{words}");
        }
    }

    #[test]
    fn another_connection_starts_its_statistics_over_and_keeps_the_log() {
        let mut record = open();
        record.sent(START, &text("a"), Sent::Transmitted(MessageId(1)));
        record.happened(START + 1.0, Event::Message(Message::from("a")));
        let lines = record.log.len();
        record.connecting(START + 2.0, "ws://h/sum");
        assert_eq!((record.log.len(), record.echo_latency().count), (lines + 1, 0));
    }
}
