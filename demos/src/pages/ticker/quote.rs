use everwire_companion_api::ticker as api;
use yew::AttrValue;

use crate::components::Spark;

/// The prices of one stock.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quote {
    pub(super) symbol: AttrValue,
    pub(super) company: AttrValue,
    pub(super) price: f64,
    pub(super) open: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    /// How many trades it has had.
    pub(super) seq: u64,
    pub(super) spark: Spark,
}

impl Quote {
    pub(super) fn new(symbol: &str, quote: api::Quote) -> Self {
        let api::Quote { company, price, open, low, high, seq, .. } = quote;
        Self {
            symbol: symbol.to_owned().into(),
            company: company.into(),
            price,
            open,
            low,
            high,
            seq,
            spark: Spark::default(),
        }
    }

    /// Takes a later quote of the same company. Its low and high are those of all trades, whether they were sent or not.
    pub(super) fn update(&mut self, quote: api::Quote) {
        let api::Quote { price, open, low, high, seq, .. } = quote;
        (self.price, self.open, self.low, self.high, self.seq) = (price, open, low, high, seq);
    }

    pub(super) fn change(&self) -> f64 {
        self.price - self.open
    }

    pub(super) fn change_in_percent(&self) -> f64 {
        if self.open == 0.0 { 0.0 } else { self.change() / self.open * 100.0 }
    }
}
