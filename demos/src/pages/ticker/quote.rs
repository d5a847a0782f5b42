use everwire_companion_api::ticker::Stock;
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
    pub(super) spark: Spark,
}

impl Quote {
    pub(super) fn new(stock: Stock) -> Self {
        Self {
            symbol: stock.symbol.into(),
            company: stock.company.into(),
            price: stock.price,
            open: stock.open,
            low: stock.low,
            high: stock.high,
            spark: Spark::default(),
        }
    }

    pub(super) fn change(&self) -> f64 {
        self.price - self.open
    }

    pub(super) fn change_in_percent(&self) -> f64 {
        if self.open == 0.0 { 0.0 } else { self.change() / self.open * 100.0 }
    }

    /// Applies a trade. Low and high are those of the day: every trade counts for them, whether it is ever drawn or not.
    pub(super) fn trade(&mut self, price: f64) {
        self.price = price;
        self.low = self.low.min(price);
        self.high = self.high.max(price);
    }
}
