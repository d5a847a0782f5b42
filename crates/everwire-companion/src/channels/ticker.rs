//! Stock prices as channels: one for each rate, with the latest quote of each company.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use everwire_companion_api::ticker::{Companies, Quote, RATES, channel};
use everwire_server::broker::BrokerError;
use everwire_server::channels::ChannelOptions;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, sleep_until};

use super::state::StateChannel;
use super::without_subscribers;
use crate::companion::Companion;
use crate::ticker::{ChannelFeed, channel_feed};

/// Trades within this time share a message for each company. A screen shows no more of them.
const STEP: Duration = Duration::from_millis(50);
/// How long a channel waits for a broker that failed.
const RETRY: Duration = Duration::from_secs(1);

/// What a channel keeps: the latest quote of each company, and the messages of two minutes, as far as there is room. A page that returns
/// resumes only from one that is kept; it then gets the quotes that have changed.
pub(super) fn options() -> ChannelOptions {
    let mut options = ChannelOptions::state();
    options.retention = options.retention.with_count(20_000).with_bytes(8 << 20).with_age(Duration::from_secs(120));
    options
}

/// Whether there is such a channel.
pub(super) fn is_channel(name: &str) -> bool {
    all().any(|(rate, companies)| channel(rate, companies).name() == name)
}

/// Plays each channel while it has subscribers.
pub(super) fn start(companion: &Companion) {
    let prices = [Companies::Nine, Companies::All].map(|companies| (companies, Arc::new(OnceCell::new())));
    for (rate, companies) in all() {
        let Some((_, prices)) = prices.iter().find(|(of, _)| *of == companies) else { continue };
        let (prices, running) = (Arc::clone(prices), companion.clone());
        companion.spawn(async move { run(&running, rate, companies, &prices).await });
    }
}

fn all() -> impl Iterator<Item = (u32, Companies)> {
    [Companies::Nine, Companies::All].into_iter().flat_map(|companies| RATES.map(|rate| (rate, companies)))
}

/// Plays a channel while it has subscribers.
async fn run(companion: &Companion, rate: u32, companies: Companies, prices: &OnceCell<HashMap<String, f64>>) {
    let channel = channel(rate, companies);
    let state = StateChannel::new(companion.everwire(), &channel);
    let Ok(mut subscribers) = companion.everwire().watch_subscribers(&channel) else { return };
    let mut feed = None;
    while subscribers.wait_for(|count| *count > 0).await.is_ok() {
        let feed = match &mut feed {
            Some(feed) => feed,
            none => match open(companion, &state, (rate, companies), prices).await {
                Ok(opened) => none.insert(opened),
                Err(error) => {
                    tracing::warn!(%error, channel = channel.name(), "the prices of the ticker cannot be read");
                    sleep(RETRY).await;
                    continue;
                }
            },
        };
        feed.play();
        tokio::select! {
            () = publish(&state, feed) => {}
            // Without a server, the loop ends.
            _ = without_subscribers(&mut subscribers) => {}
        }
        feed.stop();
    }
}

/// A feed that goes on from where the channel is, also after a restart.
async fn open(
    companion: &Companion,
    state: &StateChannel<Quote>,
    (rate, companies): (u32, Companies),
    prices: &OnceCell<HashMap<String, f64>>,
) -> Result<ChannelFeed, BrokerError> {
    let feed = channel_feed(companion, rate, companies);
    feed.restore_market(prices.get_or_try_init(|| latest_prices(companion, companies)).await?);
    let gone = feed.restore(state.read().await?);
    state.publish(gone.into_iter().map(|symbol| (symbol, None))).await?;
    Ok(feed)
}

/// The latest price of each company in the channels of all rates, which are of the same market.
async fn latest_prices(companion: &Companion, companies: Companies) -> Result<HashMap<String, f64>, BrokerError> {
    let mut latest: HashMap<String, (f64, f64)> = HashMap::new();
    for rate in RATES {
        let state = StateChannel::new(companion.everwire(), &channel(rate, companies));
        for (symbol, Quote { price, time, .. }) in state.read().await? {
            let known = latest.entry(symbol).or_insert((time, price));
            if known.0 < time {
                *known = (time, price);
            }
        }
    }
    Ok(latest.into_iter().map(|(symbol, (_, price))| (symbol, price)).collect())
}

/// Publishes whatever has changed, a step at a time. A broker that is slow makes the steps longer.
async fn publish(state: &StateChannel<Quote>, feed: &ChannelFeed) {
    loop {
        let start = Instant::now();
        let changes = feed.take_changes();
        if !changes.is_empty() {
            let symbols: BTreeSet<String> = changes.iter().map(|(symbol, _)| symbol.clone()).collect();
            let stored = state.publish(changes.into_iter().map(|(symbol, quote)| (symbol, Some(quote)))).await;
            if let Err(error) = stored {
                tracing::warn!(%error, "prices of the ticker are not published");
                feed.return_changes(&symbols);
                sleep(RETRY).await;
                continue;
            }
        }
        sleep_until(start + STEP).await;
        feed.changed().await;
    }
}
