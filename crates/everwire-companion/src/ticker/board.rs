use everwire_companion_api::ticker::Stock;

use super::{Company, Trade};

/// The quotes of one stream, as its trades have made them.
#[derive(Debug)]
pub(super) struct Board {
    stocks: Vec<Stock>,
}

impl Board {
    pub(super) fn open(opening: Vec<(Company, f64)>) -> Self {
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

    pub(super) fn enter(&mut self, trade: Trade) {
        let stock = &mut self.stocks[trade.company];
        stock.price = trade.price;
        stock.low = stock.low.min(trade.price);
        stock.high = stock.high.max(trade.price);
    }

    pub(super) fn stocks(&self) -> &[Stock] {
        &self.stocks
    }
}
