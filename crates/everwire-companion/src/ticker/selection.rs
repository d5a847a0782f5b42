use std::collections::BTreeSet;
use std::sync::Arc;

use everwire_companion_api::ticker::Companies;
use everwire_server::HandshakeError;

use super::source::FeedSource;
use crate::protocol::Parameters;

/// Updates a second of a client that does not select a rate.
const DEFAULT_RATE: u32 = 20;
const MAX_RATE: u32 = 100_000;

/// The selection of a subscriber: symbols, and updates a second of all of them together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Selection {
    pub(super) symbols: Arc<BTreeSet<String>>,
    /// A recording has its own rate and ignores this one.
    pub(super) rate: u32,
}

impl Selection {
    /// That of a channel.
    pub(super) fn of_channel(rate: u32, companies: Companies, source: &FeedSource) -> Self {
        let symbols = match companies {
            Companies::Nine => source.default_symbols(),
            Companies::All => source.symbols(),
        };
        Self { symbols: Arc::new(symbols), rate }
    }

    /// Parses `symbols=A,B` (`*` for all) and `rate=N`.
    pub(super) fn from_query(query: &Parameters, source: &FeedSource) -> Result<Self, HandshakeError> {
        let mut rate = query.number("rate", 1..=MAX_RATE, DEFAULT_RATE)?;
        if !source.takes_rates() {
            rate = DEFAULT_RATE;
        }
        let symbols = match query.text("symbols").map(str::trim) {
            None | Some("") => source.default_symbols(),
            Some("*") => source.symbols(),
            Some(list) => parse_symbols(list, &source.symbols())?,
        };
        Ok(Self { symbols: Arc::new(symbols), rate })
    }
}

fn parse_symbols(list: &str, known: &BTreeSet<String>) -> Result<BTreeSet<String>, HandshakeError> {
    list.split(',')
        .map(|symbol| symbol.trim().to_uppercase())
        .map(|symbol| if known.contains(&symbol) { Ok(symbol) } else { Err(unknown_symbol(&symbol, known)) })
        .collect()
}

fn unknown_symbol(symbol: &str, known: &BTreeSet<String>) -> HandshakeError {
    let some: Vec<&str> = known.iter().take(9).map(String::as_str).collect();
    let all = known.len();
    HandshakeError::bad_request(format!(
        "There is no symbol `{symbol}`. There are {all}, among them {}; `symbols=*` selects all.",
        some.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(query: &str) -> Result<Selection, HandshakeError> {
        Selection::from_query(&Parameters::of(&format!("/ticker?{query}").parse().unwrap()), &FeedSource::default())
    }

    #[test]
    fn nothing_selects_the_nine_and_a_star_selects_all() {
        assert_eq!(select("").unwrap().symbols.len(), 9);
        assert_eq!(select("symbols=*").unwrap().symbols.len(), 509);
        assert_eq!(select("").unwrap().rate, DEFAULT_RATE);
    }

    #[test]
    fn the_same_symbols_are_the_same_selection_whatever_their_order_and_case() {
        assert_eq!(select("symbols=NVDA,XOM&rate=5").unwrap(), select("rate=5&symbols=xom,%20nvda,XOM").unwrap());
    }

    #[test]
    fn an_invalid_selection_is_refused_with_a_sentence() {
        assert!(select("symbols=NVDA,NOPE").unwrap_err().message().contains("no symbol `NOPE`"));
        for rate in ["0", "100001", "-1", "fast"] {
            assert!(select(&format!("rate={rate}")).unwrap_err().message().contains("from 1 to 100000"));
        }
    }
}
