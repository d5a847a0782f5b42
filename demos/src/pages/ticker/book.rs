use std::collections::HashMap;

use everwire_companion_api::ticker::{ServerMessage, Snapshot, Update};

use super::quote::Quote;

/// All quotes, and how much of the feed was missed.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    quotes: Vec<Quote>,
    places: HashMap<String, usize>,
    epoch: String,
    /// The last update that is part of the quotes.
    seq: u64,
    missed: Missed,
}

/// What did not arrive. A snapshot makes up for all of it, since it includes every update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missed {
    /// How often sequence numbers were left out.
    pub(super) gaps: u64,
    /// How many updates that were.
    pub(super) updates: u64,
    /// How often the feed has restarted, which hides how many updates were missed.
    pub(super) restarts: u64,
}

/// What a message did to the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// So many updates are part of the book now.
    Updates(u64),
    /// The book was replaced.
    Snapshot,
    /// Updates are missing before these, within one connection. Only another snapshot brings the book up to date.
    Gap,
}

impl Book {
    /// Applies a message to the quotes.
    pub(super) fn take(&mut self, message: ServerMessage) -> Taken {
        match message {
            ServerMessage::Snapshot(snapshot) => {
                self.replace(snapshot);
                Taken::Snapshot
            }
            ServerMessage::Updates(updates) => self.fold(&updates.updates),
        }
    }

    pub(super) fn quotes(&self) -> &[Quote] {
        &self.quotes
    }

    pub(super) fn missed(&self) -> Missed {
        self.missed
    }

    /// Adds the current prices to the sparklines.
    pub(super) fn sample(&mut self) {
        for quote in &mut self.quotes {
            quote.spark.sample(quote.price);
        }
    }

    fn fold(&mut self, updates: &[Update]) -> Taken {
        let before = self.seq;
        let mut gap = false;
        for update in updates {
            // What the snapshot has already must not count twice.
            if update.seq <= self.seq {
                continue;
            }
            if update.seq > self.seq + 1 {
                self.missed.gaps += 1;
                self.missed.updates += update.seq - self.seq - 1;
                gap = true;
            }
            self.seq = update.seq;
            if let Some(place) = self.places.get(&update.symbol) {
                self.quotes[*place].trade(update.price);
            }
        }
        if gap { Taken::Gap } else { Taken::Updates(self.seq - before) }
    }

    fn replace(&mut self, snapshot: Snapshot) {
        let is_first = self.epoch.is_empty();
        if is_first {
            // Nothing was missed before the first snapshot.
        } else if self.epoch != snapshot.epoch {
            self.missed.restarts += 1;
        } else if snapshot.seq > self.seq {
            self.missed.gaps += 1;
            self.missed.updates += snapshot.seq - self.seq;
        }
        self.epoch = snapshot.epoch;
        self.seq = snapshot.seq;

        let mut sparks: HashMap<_, _> = self.quotes.drain(..).map(|quote| (quote.symbol, quote.spark)).collect();
        self.quotes = snapshot.stocks.into_iter().map(Quote::new).collect();
        for quote in &mut self.quotes {
            // The price's past on this page is still its past.
            quote.spark = sparks.remove(&quote.symbol).unwrap_or_default();
        }
        self.places = self.quotes.iter().enumerate().map(|(place, quote)| (quote.symbol.to_string(), place)).collect();
    }
}

#[cfg(test)]
mod tests {
    use everwire_companion_api::ticker::{Stock, Updates};
    use proptest::prelude::*;

    use super::*;

    const SYMBOLS: [&str; 3] = ["NVDA", "XOM", "DIS"];

    fn snapshot(epoch: &str, seq: u64, price: f64) -> ServerMessage {
        let stock = |symbol: &&str| Stock {
            symbol: (*symbol).to_owned(),
            company: format!("{symbol} Inc."),
            price,
            open: price,
            low: price,
            high: price,
        };
        let stocks = SYMBOLS.iter().map(stock).collect();
        ServerMessage::Snapshot(Snapshot { epoch: epoch.to_owned(), seq, server_time: 0.0, rate: 20.0, stocks })
    }

    fn updates(updates: impl IntoIterator<Item = Update>) -> ServerMessage {
        ServerMessage::Updates(Updates { server_time: 0.0, updates: updates.into_iter().collect() })
    }

    fn update(seq: u64, symbol: &str, price: f64) -> Update {
        Update { seq, symbol: symbol.to_owned(), price, time: 0.0 }
    }

    fn opened(seq: u64) -> Book {
        let mut book = Book::default();
        assert_eq!(book.take(snapshot("a", seq, 50.0)), Taken::Snapshot);
        book
    }

    proptest! {
        #[test]
        fn folding_in_batches_equals_applying_one_by_one(
            trades in prop::collection::vec((0..3_usize, 1.0..100.0_f64), 0..200),
            cuts in prop::collection::vec(1..40_usize, 1..50),
        ) {
            let trades: Vec<Update> =
                (8..).zip(&trades).map(|(seq, (symbol, price))| update(seq, SYMBOLS[*symbol], *price)).collect();
            let mut one_by_one = opened(7);
            for trade in &trades {
                one_by_one.take(updates([trade.clone()]));
            }
            let mut in_batches = opened(7);
            let mut rest = trades.as_slice();
            for cut in cuts.into_iter().chain(std::iter::repeat(40)) {
                if rest.is_empty() {
                    break;
                }
                let (batch, later) = rest.split_at(cut.min(rest.len()));
                prop_assert_eq!(in_batches.take(updates(batch.to_vec())), Taken::Updates(batch.len() as u64));
                rest = later;
            }
            prop_assert_eq!(in_batches.quotes(), one_by_one.quotes());

            // Neither may be wrong in the same way: low and high are those of all prices there ever were.
            for quote in in_batches.quotes() {
                let of_symbol = trades.iter().filter(|trade| *trade.symbol == *quote.symbol).map(|trade| trade.price);
                let prices: Vec<f64> = std::iter::once(50.0).chain(of_symbol).collect();
                prop_assert_eq!(quote.low, prices.iter().copied().fold(f64::INFINITY, f64::min));
                prop_assert_eq!(quote.high, prices.iter().copied().fold(f64::NEG_INFINITY, f64::max));
                prop_assert_eq!(quote.price, prices[prices.len() - 1]);
                prop_assert_eq!(quote.open, 50.0);
            }
            prop_assert_eq!(in_batches.missed(), Missed::default());
        }
    }

    #[test]
    fn what_was_missed_between_two_connections_is_in_the_snapshot_and_counted() {
        let mut book = opened(7);
        book.take(updates([update(8, "XOM", 51.0)]));
        book.take(snapshot("a", 20, 40.0));
        assert_eq!(book.missed(), Missed { gaps: 1, updates: 12, restarts: 0 });
        assert_eq!(book.quotes()[1].low, 40.0);
        assert_eq!(book.take(updates([update(21, "XOM", 39.0)])), Taken::Updates(1));
    }

    #[test]
    fn a_reconnect_that_missed_nothing_counts_nothing() {
        let mut book = opened(7);
        book.take(snapshot("a", 7, 50.0));
        assert_eq!(book.missed(), Missed::default());
    }

    #[test]
    fn a_server_that_restarted_is_counted_and_its_numbers_are_not_compared() {
        let mut book = opened(7_000);
        book.take(snapshot("b", 3, 50.0));
        assert_eq!(book.missed(), Missed { gaps: 0, updates: 0, restarts: 1 });
        assert_eq!(book.take(updates([update(4, "DIS", 51.0)])), Taken::Updates(1));
    }

    #[test]
    fn a_gap_within_a_connection_is_reported() {
        let mut book = opened(7);
        assert_eq!(book.take(updates([update(8, "DIS", 51.0), update(11, "DIS", 52.0)])), Taken::Gap);
        assert_eq!(book.missed(), Missed { gaps: 1, updates: 2, restarts: 0 });
    }

    #[test]
    fn an_update_that_the_snapshot_has_already_changes_nothing() {
        let mut book = opened(7);
        assert_eq!(book.take(updates([update(6, "DIS", 1.0), update(7, "DIS", 1.0)])), Taken::Updates(0));
        assert_eq!(book.quotes()[2].low, 50.0);
    }

    #[test]
    fn the_past_of_a_price_outlives_a_reconnect() {
        let mut book = opened(7);
        book.sample();
        book.take(snapshot("a", 9, 60.0));
        book.sample();
        assert_eq!(book.quotes()[0].spark.points().split_whitespace().count(), 2);
    }
}
