use std::fmt::Write;

use everwire_companion_api::ticker::{ServerMessage, Snapshot};
use everwire_server::{Clock, Connection, Group, Membership, Message};

use super::board::Board;
use super::{Company, Step, Trade};
use crate::json::json;

/// The updates of one selection at one rate, with sequence numbers: a part of the trades of a market.
#[derive(Debug)]
pub(crate) struct Stream {
    group: Group<State>,
    clock: Clock,
}

/// The state of a stream.
#[derive(Debug)]
pub(crate) struct State {
    epoch: String,
    rate: f64,
    seq: u64,
    board: Board,
}

impl Stream {
    /// A stream with so many updates a second of these companies. The epoch distinguishes its sequence numbers from those of all
    /// other streams, also those of an earlier server.
    pub(super) fn new(opening: Vec<(Company, f64)>, rate: f64, epoch: String, clock: Clock) -> Self {
        Self { group: Group::new(State { epoch, rate, seq: 0, board: Board::open(opening) }), clock }
    }

    /// Sends a new subscriber a snapshot and all updates after it.
    pub(super) fn subscribe(&self, connection: &Connection) -> Membership<State> {
        self.group.join(connection, |state, _| vec![state.snapshot(self.clock.now_ms())])
    }

    /// Whether the subscribers have been sent most of the earlier updates.
    pub(super) fn has_room(&self) -> bool {
        self.group.is_ready()
    }

    /// Sends the subscribers these trades of a step.
    pub(super) fn play(&self, step: &Step, trades: impl Iterator<Item = usize>) {
        self.group.update(|state, _| state.updates(step, trades));
    }

    /// Resumes a stream without subscribers: so many updates were missed, and these are the prices now.
    pub(super) fn resume(&self, missed: u64, prices: impl Iterator<Item = Trade>) {
        self.group.enqueue(|state, _| {
            state.seq += missed;
            prices.for_each(|trade| state.board.enter(trade));
            None
        });
    }
}

impl State {
    fn snapshot(&self, server_time: f64) -> Message {
        let (epoch, stocks) = (self.epoch.clone(), self.board.stocks().to_vec());
        json(&ServerMessage::Snapshot(Snapshot { epoch, seq: self.seq, server_time, rate: self.rate, stocks }))
    }

    /// Applies the trades. Their JSON was encoded once for all streams, except for the sequence numbers.
    fn updates(&mut self, step: &Step, trades: impl Iterator<Item = usize>) -> Option<Message> {
        let mut trades = trades.peekable();
        trades.peek()?;
        let mut text = format!(r#"{{"type":"updates","server_time":{},"updates":["#, step.time());
        for index in trades {
            let (trade, encoded) = step.trade(index);
            self.board.enter(trade);
            self.seq += 1;
            // Writing to a String cannot fail.
            let _ = write!(text, r#"{{"seq":{}{encoded}"#, self.seq);
        }
        text.pop();
        text.push_str("]}");
        Some(Message::text(text))
    }
}
