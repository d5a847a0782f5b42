//! The channels of the ticker, beside its endpoint.

use std::collections::{HashMap, HashSet};

use everwire::client::SubscribeOptions;
use everwire::{Delivery, Subscription};
use everwire_companion_api::ticker::{Companies, Quote, channel};
use everwire_test_client::TIMEOUT;
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::harness::{Harness, next_message};

/// The quote of each of the nine companies after so many messages at least.
async fn quotes(subscription: &mut Subscription<Quote>, messages: usize) -> HashMap<String, Quote> {
    let (mut quotes, mut count) = (HashMap::new(), 0);
    while quotes.len() < 9 || count < messages {
        let message = next_message(subscription).await;
        quotes.insert(message.key.unwrap(), message.value);
        count += 1;
    }
    quotes
}

#[tokio::test]
async fn a_newcomer_gets_the_quote_of_each_company_and_then_those_that_change() {
    let harness = Harness::start(|_| {}).await;
    let client = harness.channels();
    let mut subscription = client.subscribe(&channel(1_000, Companies::Nine));
    let early = quotes(&mut subscription, 50).await;
    assert_eq!(early["NVDA"].company, "NVIDIA Corporation");
    let newcomer = harness.channels();
    let late = quotes(&mut newcomer.subscribe(&channel(1_000, Companies::Nine)), 9).await;
    assert!(early.iter().all(|(symbol, quote)| late[symbol].seq >= quote.seq));
    for quote in late.values() {
        assert!(quote.low <= quote.price.min(quote.open) && quote.high >= quote.price.max(quote.open), "{quote:?}");
    }
}

/// A key that has no trade for a while would keep the old price.
#[tokio::test]
async fn a_page_that_returns_to_a_server_without_its_history_gets_the_quote_of_each_company() {
    let nine = channel(1, Companies::Nine);
    let harness = Harness::start(|_| {}).await;
    let client = harness.channels();
    let mut before = client.subscribe(&nine);
    quotes(&mut before, 9).await;
    let returning = SubscribeOptions::default().latest().from(before.cursor().unwrap());
    let restarted = Harness::start(|_| {}).await;
    quotes(&mut restarted.channels().subscribe(&nine), 9).await;
    let client = restarted.channels();
    let mut after = client.subscribe_with(&nine, &returning);
    let (mut gaps, mut symbols) = (0, HashSet::new());
    loop {
        match timeout(TIMEOUT, after.next()).await.expect("a delivery in time").expect("a subscription that goes on") {
            Delivery::Gap(_) => gaps += 1,
            Delivery::Message(message) => symbols.extend(message.key),
            Delivery::CaughtUp => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((gaps, symbols.len()), (1, 9));
}

#[tokio::test]
async fn trades_that_follow_each_other_quickly_share_a_message_and_all_of_them_count() {
    let harness = Harness::start(|_| {}).await;
    let client = harness.channels();
    let mut subscription = client.subscribe(&channel(20_000, Companies::Nine));
    let quotes = quotes(&mut subscription, 50).await;
    let trades: u64 = quotes.values().map(|quote| quote.seq).sum();
    assert!(trades > 500, "{trades} trades in 50 messages");
}

#[tokio::test]
async fn channels_and_streams_of_the_same_companies_have_the_same_prices() {
    let harness = Harness::start(|_| {}).await;
    let client = harness.channels();
    let mut subscription = client.subscribe(&channel(10, Companies::Nine));
    let known = quotes(&mut subscription, 12).await;
    let snapshot = harness.client("/ticker?rate=1").await.json().await;
    for stock in snapshot["stocks"].as_array().unwrap() {
        let price = stock["price"].as_f64().unwrap();
        let quote = &known[stock["symbol"].as_str().unwrap()];
        assert!((price / quote.price - 1.0).abs() < 0.1, "{stock} beside {quote:?}");
    }
}

#[tokio::test]
async fn over_a_restart_with_a_journal_prices_go_on_from_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Harness::start(|config| config.journal = Some(folder.path().join("journal")));
    let nine = channel(20_000, Companies::Nine);
    let harness = start().await;
    let client = harness.channels();
    let before = quotes(&mut client.subscribe(&nine), 200).await;
    drop(client);
    harness.server.stop().await;

    let harness = start().await;
    let client = harness.channels();
    let mut subscription = client.subscribe(&nine);
    let restored = quotes(&mut subscription, 9).await;
    for (symbol, quote) in &before {
        let now = &restored[symbol];
        assert!(now.seq >= quote.seq && now.low <= quote.low && now.high >= quote.high, "{now:?} after {quote:?}");
        assert!((now.open - quote.open).abs() < f64::EPSILON);
    }
    let later = quotes(&mut subscription, 50).await;
    assert!(later.iter().all(|(symbol, quote)| quote.seq > restored[symbol].seq));
    assert!(later.iter().all(|(symbol, quote)| (quote.price / restored[symbol].price - 1.0).abs() < 0.2), "no jump");
}
