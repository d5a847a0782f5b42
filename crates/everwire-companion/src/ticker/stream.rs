use std::fmt::Write;
use std::ops::Range;

use everwire_companion_api::ticker::{ServerMessage, Snapshot, Stock};
use everwire_server::{Clock, Connection, Group, Membership, Message};

use super::feed::{Company, Trade};
use super::market::Outlet;
use crate::protocol::json;

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
    quotes: Quotes,
}

/// The quotes of one stream after its trades so far.
#[derive(Debug)]
struct Quotes {
    stocks: Vec<Stock>,
}

/// The trades of one step of a market, encoded once for all of its streams.
#[derive(Debug, Default)]
pub(super) struct TradeBatch {
    /// When it was made.
    pub(super) time_ms: f64,
    time: String,
    pub(super) trades: Vec<Trade>,
    /// The JSON objects of the trades from behind their sequence numbers.
    text: String,
    places: Vec<Range<usize>>,
    /// The start of each, by company.
    heads: Vec<String>,
}

impl Stream {
    /// A stream with so many updates a second of these companies. The epoch distinguishes its sequence numbers from those of all
    /// other streams, also those of an earlier server.
    pub(super) fn new(opening: Vec<(Company, f64)>, rate: f64, epoch: String, clock: Clock) -> Self {
        Self { group: Group::new(State { epoch, rate, seq: 0, quotes: Quotes::new(opening) }), clock }
    }

    /// Sends a new subscriber a snapshot and all updates after it.
    pub(super) fn subscribe(&self, connection: &Connection) -> Membership<State> {
        self.group.join(connection, |state, _| vec![state.snapshot(self.clock.now_ms())])
    }
}

impl Outlet for Stream {
    fn has_room(&self) -> bool {
        self.group.is_ready()
    }

    fn is_encoded(&self) -> bool {
        true
    }

    fn play(&self, batch: &TradeBatch, trades: &mut dyn Iterator<Item = usize>) {
        self.group.update(|state, _| state.updates(batch, trades));
    }

    fn resume(&self, missed: u64, prices: &mut dyn Iterator<Item = Trade>) {
        self.group.enqueue(|state, _| {
            state.seq += missed;
            prices.for_each(|trade| state.quotes.apply(trade));
            None
        });
    }
}

impl State {
    fn snapshot(&self, server_time: f64) -> Message {
        let (epoch, stocks) = (self.epoch.clone(), self.quotes.stocks().to_vec());
        json(&ServerMessage::Snapshot(Snapshot { epoch, seq: self.seq, server_time, rate: self.rate, stocks }))
    }

    /// Applies the trades. Their JSON was encoded once for all streams, except for the sequence numbers.
    fn updates(&mut self, batch: &TradeBatch, trades: impl Iterator<Item = usize>) -> Option<Message> {
        let mut trades = trades.peekable();
        trades.peek()?;
        let mut text = format!(r#"{{"type":"updates","server_time":{},"updates":["#, batch.time());
        for index in trades {
            let (trade, encoded) = batch.trade(index);
            self.quotes.apply(trade);
            self.seq += 1;
            // Writing to a String cannot fail.
            let _ = write!(text, r#"{{"seq":{}{encoded}"#, self.seq);
        }
        text.pop();
        text.push_str("]}");
        Some(Message::text(text))
    }
}

impl Quotes {
    fn new(opening: Vec<(Company, f64)>) -> Self {
        let stock = |(company, price): (Company, f64)| Stock {
            symbol: company.symbol,
            company: company.name,
            price,
            open: price,
            low: price,
            high: price,
        };
        Self { stocks: opening.into_iter().map(stock).collect() }
    }

    fn apply(&mut self, trade: Trade) {
        let stock = &mut self.stocks[trade.company];
        stock.price = trade.price;
        stock.low = stock.low.min(trade.price);
        stock.high = stock.high.max(trade.price);
    }

    fn stocks(&self) -> &[Stock] {
        &self.stocks
    }
}

impl TradeBatch {
    /// An empty batch for the trades of these companies.
    pub(super) fn new(opening: &[(Company, f64)]) -> Self {
        let head = |(company, _): &(Company, f64)| {
            let symbol = serde_json::Value::from(company.symbol.as_str());
            format!(r#","symbol":{symbol},"price":"#)
        };
        Self { heads: opening.iter().map(head).collect(), ..Self::default() }
    }

    pub(super) fn clear(&mut self) {
        self.trades.clear();
        self.text.clear();
        self.places.clear();
    }

    /// Encodes the trades.
    pub(super) fn encode(&mut self) {
        // Finite numbers have the same form in Rust and in JSON.
        self.time = format!("{:?}", self.time_ms);
        for trade in &self.trades {
            let start = self.text.len();
            let (head, price, time) = (&self.heads[trade.company], trade.price, &self.time);
            // Writing to a String cannot fail.
            let _ = write!(self.text, r#"{head}{price:?},"time":{time}}},"#);
            self.places.push(start..self.text.len());
        }
    }

    /// The time of the batch as JSON.
    fn time(&self) -> &str {
        &self.time
    }

    /// A trade and its JSON from behind the sequence number, with the comma that separates it from the next.
    fn trade(&self, index: usize) -> (Trade, &str) {
        (self.trades[index], &self.text[self.places[index].clone()])
    }
}
