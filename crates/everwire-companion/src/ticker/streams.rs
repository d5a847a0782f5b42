//! The streams of `/ticker`, one for each selection of symbols and a rate, and the limits of what each address may subscribe to.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use axum::http::StatusCode;
use everwire_companion_api::ticker::Companies;
use everwire_server::{HandshakeError, network_of};
use tokio::time::Instant;

use super::ChannelFeed;
use super::feed::FeedSource;
use super::market::{Market, SinkRate, Stream, TradeSink};
use crate::config::Config;
use crate::protocol::{Parameters, STREAMS_FULL};

/// Updates per second of a client that does not select a rate.
const DEFAULT_RATE: u32 = 20;
const MAX_RATE: u32 = 100_000;

/// Limits of `/ticker`.
#[derive(Clone, Debug)]
pub struct TickerLimits {
    /// Streams with subscribers (a stream is a selection of symbols and a rate). More are refused with HTTP 503.
    pub streams: usize,
    /// Streams that the connections of one address may subscribe to. More are refused with HTTP 429.
    pub streams_per_address: usize,
    /// Updates per second of all subscriptions of one address together. More are refused with HTTP 429.
    pub updates_per_address: u64,
    /// How long a stream without subscribers can be resumed, so that a client that reconnects knows how many updates it missed. The
    /// stream is suspended meanwhile.
    pub linger: Duration,
}

impl Default for TickerLimits {
    fn default() -> Self {
        Self { streams: 64, streams_per_address: 16, updates_per_address: 400_000, linger: Duration::from_secs(60) }
    }
}

/// The streams, one for each selection that has or recently had subscribers, and what each address subscribes to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams(Arc<Mutex<Registry>>);

#[derive(Debug, Default)]
struct Registry {
    streams: HashMap<StreamSelection, StreamEntry>,
    markets: HashMap<Arc<BTreeSet<String>>, Weak<Market>>,
    started: u64,
    addresses: HashMap<IpAddr, AddressUsage>,
}

#[derive(Debug)]
struct StreamEntry {
    number: u64,
    /// Shared by its subscribers, since many symbols take more memory than a connection.
    selection: StreamSelection,
    stream: Arc<Stream>,
    market: Arc<Market>,
    subscribers: usize,
    /// Where it resumes, and since when it has had no subscribers.
    suspended: Option<(SinkRate, Instant)>,
}

/// What the connections of one address subscribe to.
#[derive(Debug, Default)]
struct AddressUsage {
    /// Updates per second, for all connections together.
    updates: u64,
    /// The number of subscriptions to each stream.
    streams: HashMap<StreamSelection, usize>,
}

/// A subscription to a stream, which is suspended when its last subscription is dropped.
#[derive(Debug)]
#[must_use = "dropping the subscription leaves the stream"]
pub(super) struct StreamSubscription {
    streams: Streams,
    selection: StreamSelection,
    address: Option<IpAddr>,
    pub(super) stream: Arc<Stream>,
}

impl Streams {
    /// Subscribes to the stream of a selection, which starts if it is not playing. A client without an address (a router mounted
    /// without connection info) is only subject to the limit of all clients.
    pub(super) fn subscribe(
        &self,
        config: &Config,
        selection: &StreamSelection,
        address: Option<IpAddr>,
    ) -> Result<StreamSubscription, HandshakeError> {
        let now = Instant::now();
        let address = address.map(network_of);
        let mut registry = self.registry();
        registry.expire(config, now);
        registry.check_limits(config, selection, address)?;
        let entry = registry.find_or_create(config, selection, now);
        entry.subscribers += 1;
        if let Some((rate, _)) = entry.suspended.take() {
            entry.market.play(entry.number, Arc::clone(&entry.stream) as Arc<dyn TradeSink>, rate, now);
        }
        let (stream, selection) = (Arc::clone(&entry.stream), entry.selection.clone());
        if let Some(address) = address {
            let usage = registry.addresses.entry(address).or_default();
            usage.updates += u64::from(selection.rate);
            *usage.streams.entry(selection.clone()).or_default() += 1;
        }
        Ok(StreamSubscription { streams: self.clone(), selection, address, stream })
    }

    /// The feed of a channel with these companies, in one market with the streams of the same.
    pub(super) fn channel_feed(&self, config: &Config, selection: &StreamSelection) -> ChannelFeed {
        let now = Instant::now();
        let mut registry = self.registry();
        registry.started += 1;
        let number = registry.started;
        let market = market(&mut registry.markets, config, selection, now);
        ChannelFeed::new(market, number, config.feed.takes_rates().then_some(selection.rate))
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    fn check_limits(
        &self,
        config: &Config,
        selection: &StreamSelection,
        address: Option<IpAddr>,
    ) -> Result<(), HandshakeError> {
        let limits = &config.ticker;
        let full = |status, sentence| Err(HandshakeError::new(status, STREAMS_FULL, sentence));
        if let Some(usage) = address.and_then(|address| self.addresses.get(&address)) {
            let most = limits.streams_per_address;
            if usage.streams.len() >= most && !usage.streams.contains_key(selection) {
                let sentence = format!("Your address has reached its limit of {most} ticker streams; close one.");
                return full(StatusCode::TOO_MANY_REQUESTS, sentence);
            }
        }
        let updates = address.and_then(|address| self.addresses.get(&address)).map_or(0, |usage| usage.updates);
        let most = limits.updates_per_address;
        if address.is_some() && updates + u64::from(selection.rate) > most {
            let sentence = format!("Your address may have {most} ticker updates per second; choose a lower rate.");
            return full(StatusCode::TOO_MANY_REQUESTS, sentence);
        }
        let playing = self.streams.values().filter(|entry| entry.subscribers > 0).count();
        if playing >= limits.streams && self.streams.get(selection).is_none_or(|entry| entry.subscribers == 0) {
            let most = limits.streams;
            let sentence = format!("All {most} ticker streams are in use; choose symbols and a rate that others use.");
            return full(StatusCode::SERVICE_UNAVAILABLE, sentence);
        }
        Ok(())
    }

    fn find_or_create(&mut self, config: &Config, selection: &StreamSelection, now: Instant) -> &mut StreamEntry {
        let Self { streams, markets, started, .. } = self;
        streams.entry(selection.clone()).or_insert_with(|| {
            *started += 1;
            let clock = &config.clock;
            let epoch = format!("{:x}-{:x}", (clock.now_ms() * 1000.0) as u64, started);
            let market = market(markets, config, selection, now);
            let rate = config.feed.takes_rates().then_some(selection.rate);
            let updates = rate.map_or_else(|| market.rate(), f64::from);
            let stream = Arc::new(Stream::new(market.opening(), updates, epoch, clock.clone()));
            let rate = market.sink_rate(rate, now);
            let selection = selection.clone();
            StreamEntry { number: *started, selection, stream, market, subscribers: 0, suspended: Some((rate, now)) }
        })
    }

    /// Removes the streams that have been suspended for too long, and the oldest of the others over the limit.
    fn expire(&mut self, config: &Config, now: Instant) {
        let linger = config.ticker.linger;
        self.streams.retain(|_, entry| entry.suspended.is_none_or(|(_, since)| now < since + linger));
        let mut suspended: Vec<_> =
            self.streams.values().filter_map(|entry| Some((entry.suspended?.1, entry.number))).collect();
        if suspended.len() > config.ticker.streams {
            suspended.sort_unstable();
            let surplus = &suspended[..suspended.len() - config.ticker.streams];
            self.streams.retain(|_, entry| !surplus.iter().any(|(_, number)| *number == entry.number));
        }
        self.markets.retain(|_, market| market.strong_count() > 0);
    }
}

/// The market of the selected companies.
fn market(
    markets: &mut HashMap<Arc<BTreeSet<String>>, Weak<Market>>,
    config: &Config,
    selection: &StreamSelection,
    now: Instant,
) -> Arc<Market> {
    markets.get(&selection.symbols).and_then(Weak::upgrade).unwrap_or_else(|| {
        let feed = config.feed.start(&selection.symbols, selection.rate);
        let market = Arc::new(Market::new(feed, config.clock.clone(), now));
        markets.insert(Arc::clone(&selection.symbols), Arc::downgrade(&market));
        market
    })
}

impl Drop for StreamSubscription {
    fn drop(&mut self) {
        let mut registry = self.streams.registry();
        if let Some(address) = self.address
            && let Some(usage) = registry.addresses.get_mut(&address)
        {
            usage.updates -= u64::from(self.selection.rate);
            if let Some(count) = usage.streams.get_mut(&self.selection) {
                *count -= 1;
                if *count == 0 {
                    usage.streams.remove(&self.selection);
                }
            }
            if usage.streams.is_empty() {
                registry.addresses.remove(&address);
            }
        }
        let Some(entry) = registry.streams.get_mut(&self.selection) else { return };
        entry.subscribers -= 1;
        if entry.subscribers == 0 {
            entry.suspended = entry.market.stop(entry.number).map(|rate| (rate, Instant::now()));
        }
    }
}

/// The selection of a subscriber: symbols, and updates per second of all of them together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct StreamSelection {
    pub(super) symbols: Arc<BTreeSet<String>>,
    /// A recording has its own rate and ignores this one.
    pub(super) rate: u32,
}

impl StreamSelection {
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
    use everwire_server::testing::Recorder;
    use everwire_server::{Clock, Membership};
    use serde_json::Value;
    use tokio::time::sleep;

    use super::*;
    use crate::ticker::market::StreamState;

    const ANN: &str = "10.0.0.1";
    const BOB: &str = "10.0.0.2";

    struct Subscriber {
        recorder: Recorder,
        _membership: Membership<StreamState>,
        subscription: StreamSubscription,
    }

    impl Subscriber {
        fn read(&self) -> Vec<Value> {
            let texts = self.recorder.messages();
            texts.iter().map(|text| serde_json::from_str(text.as_text().unwrap()).unwrap()).collect()
        }

        /// The numbers and prices of the updates since the last time.
        fn updates(&self) -> Vec<(u64, f64)> {
            let messages = self.read();
            let updates = messages.iter().filter_map(|message| message["updates"].as_array()).flatten();
            updates.map(|update| (update["seq"].as_u64().unwrap(), update["price"].as_f64().unwrap())).collect()
        }
    }

    fn subscribe(streams: &Streams, config: &Config, address: &str, query: &str) -> Result<Subscriber, HandshakeError> {
        let query = Parameters::of(&format!("/ticker?{query}").parse().unwrap());
        let selection = StreamSelection::from_query(&query, &config.feed)?;
        let subscription = streams.subscribe(config, &selection, Some(address.parse().unwrap()))?;
        let recorder = Recorder::new();
        Ok(Subscriber { _membership: subscription.stream.join(recorder.connection()), subscription, recorder })
    }

    fn limited(ticker: TickerLimits) -> Config {
        Config { ticker, ..Config::default() }
    }

    fn is_running(streams: &Streams) -> bool {
        streams.registry().streams.values().any(|entry| entry.market.is_running())
    }

    #[tokio::test(start_paused = true)]
    async fn the_feed_stops_when_the_last_listener_leaves() {
        let (streams, config) = (Streams::default(), Config::default());
        let fast = subscribe(&streams, &config, ANN, "rate=100000").unwrap();
        let slow = subscribe(&streams, &config, BOB, "rate=1").unwrap();
        drop(fast);
        assert!(is_running(&streams));
        drop(slow);
        assert!(!is_running(&streams));
        sleep(config.ticker.linger).await;
        let _other = subscribe(&streams, &config, ANN, "rate=2").unwrap();
        assert_eq!(streams.registry().streams.len(), 1, "a stream that was not resumed in time is removed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_returns_gets_the_same_epoch_and_a_count_of_missed_updates() {
        let (streams, config) = (Streams::default(), Config::default());
        let before = subscribe(&streams, &config, ANN, "rate=100").unwrap();
        sleep(Duration::from_millis(1_005)).await;
        let epoch = before.read()[0]["epoch"].clone();
        drop(before);
        sleep(Duration::from_secs(30)).await;
        let after = subscribe(&streams, &config, ANN, "rate=100").unwrap();
        let snapshot = &after.read()[0];
        assert_eq!((&snapshot["epoch"], snapshot["seq"].as_u64()), (&epoch, Some(3_100)));
        sleep(Duration::from_millis(104)).await;
        let numbers: Vec<u64> = after.updates().iter().map(|(seq, _)| *seq).collect();
        assert_eq!(numbers, (3_101..=3_110).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn streams_of_the_same_symbols_share_a_feed_and_each_gets_its_rate() {
        let (streams, config) = (Streams::default(), Config::default());
        let fast = subscribe(&streams, &config, ANN, "symbols=NVDA&rate=1000").unwrap();
        let slow = subscribe(&streams, &config, BOB, "symbols=NVDA&rate=30").unwrap();
        sleep(Duration::from_millis(10_004)).await;
        let (fast, slow) = (fast.updates(), slow.updates());
        assert_eq!((fast.len(), slow.len()), (10_000, 300));
        assert!(slow.iter().zip(1..).all(|((seq, _), expected)| *seq == expected));
        let mut prices = fast.iter().map(|(_, price)| *price);
        assert!(
            slow.iter().all(|(_, price)| prices.any(|paid| paid == *price)),
            "the slow stream gets a part of the fast one"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_stream_does_not_wait_for_the_next_trade_of_a_slow_one() {
        let (streams, config) = (Streams::default(), Config::default());
        let _slow = subscribe(&streams, &config, ANN, "rate=1").unwrap();
        sleep(Duration::from_millis(10)).await;
        let fast = subscribe(&streams, &config, BOB, "rate=1000").unwrap();
        sleep(Duration::from_millis(50)).await;
        assert!(fast.updates().len() >= 40);
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_cannot_take_every_stream() {
        let config = limited(TickerLimits { streams: 3, streams_per_address: 2, ..TickerLimits::default() });
        let streams = Streams::default();
        let first = subscribe(&streams, &config, ANN, "rate=1").unwrap();
        let _second = subscribe(&streams, &config, ANN, "rate=2").unwrap();
        let _again = subscribe(&streams, &config, ANN, "rate=2").unwrap();
        let error = subscribe(&streams, &config, ANN, "rate=3").err().unwrap();
        assert_eq!(error.status(), StatusCode::TOO_MANY_REQUESTS);
        let _third = subscribe(&streams, &config, BOB, "rate=3").unwrap();
        let error = subscribe(&streams, &config, BOB, "rate=4").err().unwrap();
        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(first);
        let _fourth = subscribe(&streams, &config, BOB, "rate=4").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_updates_of_one_address_are_bounded_even_if_its_connections_share_a_stream() {
        let config = limited(TickerLimits { updates_per_address: 2_500, ..TickerLimits::default() });
        let streams = Streams::default();
        let first = subscribe(&streams, &config, ANN, "rate=1000").unwrap();
        let _second = subscribe(&streams, &config, ANN, "rate=1000").unwrap();
        let error = subscribe(&streams, &config, ANN, "rate=1000").err().unwrap();
        assert_eq!(error.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(error.message().contains("2500 ticker updates per second"), "{}", error.message());
        let _other = subscribe(&streams, &config, BOB, "rate=1000").unwrap();
        drop(first);
        let _third = subscribe(&streams, &config, ANN, "rate=1000").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_streams_are_kept_suspended_than_may_play() {
        let config = limited(TickerLimits { streams: 2, ..TickerLimits::default() });
        let streams = Streams::default();
        for rate in 1..10 {
            let subscriber = subscribe(&streams, &config, ANN, &format!("rate={rate}")).unwrap();
            assert_eq!(subscriber.subscription.selection.rate, rate);
            sleep(Duration::from_millis(1)).await;
        }
        let registry = streams.registry();
        assert!(registry.streams.len() <= 3, "{}", registry.streams.len());
        assert!(registry.addresses.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_update_has_the_documented_form() {
        let (streams, config) = (Streams::default(), Config { clock: Clock::from_fn(|| 1.5), ..Config::default() });
        let subscriber = subscribe(&streams, &config, ANN, "symbols=NVDA&rate=1").unwrap();
        sleep(Duration::from_millis(1_010)).await;
        let messages = subscriber.recorder.messages();
        let text = messages[1].as_text().unwrap();
        let update = r#"{"type":"updates","server_time":1.5,"updates":[{"seq":1,"symbol":"NVDA","price":"#;
        assert!(text.starts_with(update) && text.ends_with(r#","time":1.5}]}"#), "{text}");
    }

    fn select(query: &str) -> Result<StreamSelection, HandshakeError> {
        StreamSelection::from_query(
            &Parameters::of(&format!("/ticker?{query}").parse().unwrap()),
            &FeedSource::default(),
        )
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
