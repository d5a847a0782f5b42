use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;

use super::board::Board;
use super::{Feed, Quote, Trade};
use crate::Clock;
use crate::connection::{Mailbox, json};
use crate::hub::{Hub, Membership};

/// Trades within this time share a message: the eye sees no difference, and a message for each of 100,000 a second
/// would cost more than its content.
const STEP: Duration = Duration::from_millis(5);

/// One feed, played to all its subscribers.
#[derive(Debug)]
pub(crate) struct Stream {
    hub: Arc<Hub<Market>>,
    clock: Clock,
}

/// How a stream stands.
#[derive(Debug)]
pub(crate) struct Market {
    epoch: String,
    rate: f64,
    seq: u64,
    board: Board,
    /// Since when nobody listens.
    lonely_since: Option<Instant>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum News<'a> {
    Snapshot { epoch: &'a str, seq: u64, server_time: f64, rate: f64, stocks: &'a [Quote] },
    Updates { server_time: f64, updates: &'a [Update] },
}

#[derive(Serialize)]
struct Update {
    seq: u64,
    symbol: String,
    price: f64,
    time: f64,
}

impl Stream {
    /// A stream that stands still until it is [played](Self::play). The epoch tells its sequence numbers from
    /// those of any other stream, also of an earlier server.
    pub(super) fn new(feed: &dyn Feed, epoch: String, clock: Clock) -> Self {
        let market = Market { epoch, rate: feed.rate(), seq: 0, board: Board::open(feed), lonely_since: None };
        Self { hub: Hub::new(market), clock }
    }

    /// Sends the newcomer a snapshot, and everything that happens after it.
    pub(super) fn subscribe(&self, mailbox: &Arc<Mailbox>) -> Membership<Market> {
        self.hub.join(mailbox, |market, _| vec![market.snapshot(self.clock.now_ms())])
    }

    /// Plays the feed until `may_end` agrees, which is asked when nobody has listened for `linger`.
    pub(super) async fn play(&self, mut feed: Box<dyn Feed>, linger: Duration, may_end: impl Fn() -> bool) {
        let start = Instant::now();
        let mut step = start;
        let mut trades = Vec::new();
        while let Some(next) = feed.next() {
            step = (step + STEP).max(start + next);
            sleep_until(step).await;
            self.hub.room().await;
            step = Instant::now();
            trades.clear();
            feed.advance(step - start, &mut trades);
            let mut lonely = Duration::ZERO;
            self.hub.update(|market, subscribers| {
                lonely = market.lonely_for(subscribers, step);
                market.trade(&trades, subscribers > 0, self.clock.now_ms())
            });
            if lonely >= linger && may_end() {
                return;
            }
        }
    }
}

impl Market {
    fn snapshot(&self, server_time: f64) -> Message {
        let (epoch, seq, rate, stocks) = (self.epoch.as_str(), self.seq, self.rate, self.board.quotes());
        json(&News::Snapshot { epoch, seq, server_time, rate, stocks })
    }

    /// Enters the trades; the message about them is only made when somebody listens.
    fn trade(&mut self, trades: &[Trade], heard: bool, time: f64) -> Option<Message> {
        let mut updates = Vec::with_capacity(if heard { trades.len() } else { 0 });
        for trade in trades {
            self.seq += 1;
            let symbol = self.board.enter(*trade);
            if heard {
                updates.push(Update { seq: self.seq, symbol: symbol.to_owned(), price: trade.price, time });
            }
        }
        (!updates.is_empty()).then(|| json(&News::Updates { server_time: time, updates: &updates }))
    }

    fn lonely_for(&mut self, subscribers: usize, now: Instant) -> Duration {
        if subscribers > 0 {
            self.lonely_since = None;
            return Duration::ZERO;
        }
        now - *self.lonely_since.get_or_insert(now)
    }
}
