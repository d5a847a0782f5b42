use super::{Company, Quote, Trade};

/// The quotes of one stream, as its trades have made them.
#[derive(Debug)]
pub(super) struct Board {
    quotes: Vec<Quote>,
}

impl Board {
    pub(super) fn open(opening: Vec<(Company, f64)>) -> Self {
        let quote = |(company, price): (Company, f64)| Quote {
            symbol: company.symbol,
            company: company.name,
            price,
            open: price,
            low: price,
            high: price,
        };
        Self { quotes: opening.into_iter().map(quote).collect() }
    }

    pub(super) fn enter(&mut self, trade: Trade) {
        let quote = &mut self.quotes[trade.company];
        quote.price = trade.price;
        quote.low = quote.low.min(trade.price);
        quote.high = quote.high.max(trade.price);
    }

    pub(super) fn quotes(&self) -> &[Quote] {
        &self.quotes
    }
}
