use super::{Feed, Quote, Trade};

/// The quotes of one stream, as its trades have made them.
#[derive(Debug)]
pub(super) struct Board {
    quotes: Vec<Quote>,
}

impl Board {
    pub(super) fn open(feed: &dyn Feed) -> Self {
        let quote = |(company, price): (super::Company, f64)| Quote {
            symbol: company.symbol,
            company: company.name,
            price,
            open: price,
            low: price,
            high: price,
        };
        Self { quotes: feed.opening().into_iter().map(quote).collect() }
    }

    /// Enters a trade and returns the symbol that it is of.
    pub(super) fn enter(&mut self, trade: Trade) -> &str {
        let quote = &mut self.quotes[trade.company];
        quote.price = trade.price;
        quote.low = quote.low.min(trade.price);
        quote.high = quote.high.max(trade.price);
        &quote.symbol
    }

    pub(super) fn quotes(&self) -> &[Quote] {
        &self.quotes
    }
}
