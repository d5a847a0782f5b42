use std::collections::HashMap;

use everwire_companion_api::ticker as api;

use super::quote::Quote;

/// All quotes, and how much of the feed was missed.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    /// By company.
    quotes: Vec<Quote>,
    places: HashMap<String, usize>,
    missed: Missed,
    /// The quotes follow once more, and their numbers may begin again.
    is_refilled: bool,
}

/// What did not arrive. The quotes that follow make up for all of it: each includes every trade of its company.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missed {
    /// How often messages of the channel did not arrive.
    pub(super) gaps: u64,
    /// How many messages, and trades whose numbers were taken back.
    pub(super) updates: u64,
    /// How often the channel has begun again, which hides how many updates were missed.
    pub(super) restarts: u64,
}

impl Book {
    /// Takes the latest quote of a company. Returns the number of its trades since the quote before.
    pub(super) fn take(&mut self, symbol: &str, quote: api::Quote) -> u64 {
        let Some(place) = self.places.get(symbol) else {
            self.places.insert(symbol.to_owned(), self.quotes.len());
            self.quotes.push(Quote::new(symbol, quote));
            return 0;
        };
        let known = &mut self.quotes[*place];
        let trades = quote.seq.saturating_sub(known.seq);
        if quote.seq < known.seq && !self.is_refilled {
            // The server forgot trades, and said nothing of a gap.
            self.missed.gaps += 1;
            self.missed.updates += known.seq - quote.seq;
        }
        known.update(quote);
        if self.is_refilled { 0 } else { trades }
    }

    /// Messages of the channel do not come. The quotes follow once more.
    pub(super) fn gap(&mut self, missed: Option<u64>, is_restart: bool) {
        self.is_refilled = true;
        if is_restart {
            self.missed.restarts += 1;
        } else {
            self.missed.gaps += 1;
            self.missed.updates += missed.unwrap_or_default();
        }
    }

    /// All quotes have arrived. Returns whether the rows are others than before.
    pub(super) fn caught_up(&mut self) -> bool {
        self.is_refilled = false;
        if self.quotes.is_sorted_by(|one, other| one.company <= other.company) {
            return false;
        }
        self.quotes.sort_by(|one, other| one.company.cmp(&other.company));
        self.places = self.quotes.iter().enumerate().map(|(place, quote)| (quote.symbol.to_string(), place)).collect();
        true
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(company: &str, seq: u64, price: f64) -> api::Quote {
        api::Quote { company: company.to_owned(), price, open: 50.0, low: price.min(50.0), high: 60.0, seq, time: 0.0 }
    }

    /// A book of two companies.
    fn opened() -> Book {
        let mut book = Book::default();
        book.take("XOM", quote("Exxon", 7, 50.0));
        book.take("DIS", quote("Disney", 3, 50.0));
        assert!(book.caught_up());
        book
    }

    fn symbols(book: &Book) -> Vec<&str> {
        book.quotes().iter().map(|quote| &*quote.symbol).collect()
    }

    #[test]
    fn rows_are_by_company_in_whichever_order_they_arrive() {
        let mut book = opened();
        assert_eq!(symbols(&book), ["DIS", "XOM"]);
        book.take("XOM", quote("Exxon", 8, 51.0));
        assert!(!book.caught_up());
        assert_eq!((book.quotes()[1].price, book.quotes()[0].price), (51.0, 50.0));
    }

    #[test]
    fn a_quote_that_stands_for_many_trades_counts_all_of_them_and_misses_none() {
        let mut book = opened();
        assert_eq!(book.take("XOM", quote("Exxon", 107, 40.0)), 100);
        assert_eq!((book.quotes()[1].low, book.missed()), (40.0, Missed::default()));
    }

    #[test]
    fn a_return_that_gets_what_has_changed_misses_nothing() {
        let mut book = opened();
        // Of one that was away, each company comes once at most.
        assert_eq!(book.take("DIS", quote("Disney", 5_003, 51.0)), 5_000);
        book.caught_up();
        assert_eq!(book.missed(), Missed::default());
    }

    #[test]
    fn a_gap_is_counted_and_what_makes_up_for_it_is_no_update() {
        let mut book = opened();
        book.gap(Some(12), false);
        assert_eq!(book.take("DIS", quote("Disney", 40, 51.0)), 0);
        book.caught_up();
        assert_eq!(book.missed(), Missed { gaps: 1, updates: 12, restarts: 0 });
        assert_eq!(book.take("DIS", quote("Disney", 41, 52.0)), 1);
    }

    #[test]
    fn a_server_that_began_again_is_counted_and_its_numbers_are_not_compared() {
        let mut book = opened();
        book.gap(None, true);
        book.take("XOM", quote("Exxon", 0, 50.0));
        book.caught_up();
        assert_eq!(book.missed(), Missed { gaps: 0, updates: 0, restarts: 1 });
        assert_eq!(book.take("XOM", quote("Exxon", 2, 50.0)), 2);
    }

    #[test]
    fn a_server_that_takes_trades_back_without_a_gap_is_found_out() {
        let mut book = opened();
        assert_eq!(book.take("XOM", quote("Exxon", 5, 50.0)), 0);
        assert_eq!(book.missed(), Missed { gaps: 1, updates: 2, restarts: 0 });
    }

    #[test]
    fn the_past_of_a_price_outlives_a_gap() {
        let mut book = opened();
        book.sample();
        book.gap(None, true);
        book.take("XOM", quote("Exxon", 0, 60.0));
        book.sample();
        assert_eq!(book.quotes()[1].spark.points().split_whitespace().count(), 2);
    }
}
