//! The channels of a trading floor, `live/…`, each with its own kind and rate.
//!
//! # Layout
//! - `publisher`: what publishes while a channel has subscribers
//! - `market`, `currency`: prices by a random walk; `hourly`: has it follow from the time of day
//! - `banner`, `news`: by the server's clock
//! - `monitor`: what the server does
//! - `log`: the server's own log

mod banner;
mod currency;
mod hourly;
mod log;
mod market;
mod monitor;
mod news;
mod publisher;

pub use log::LogTap;

use everwire_companion_api::live::{BANNER, CURRENCY, LOG, LOG_KEPT, MARKET, MONITOR, MONITOR_KEPT, NEWS, NEWS_KEPT};
use everwire_server::Builder;
use everwire_server::channels::ChannelOptions;

use crate::companion::Companion;
use crate::ticker::FeedSource;

pub(super) use log::session as session_changed;

/// Sets what the channels keep.
pub(super) fn configure(builder: Builder) -> Builder {
    let keep = |count| move |options: &mut ChannelOptions| options.retention = options.retention.with_count(count);
    builder
        // A page that was away for a minute resumes over every change.
        .channel(&MARKET, keep(500))
        .channel(&CURRENCY, keep(500))
        .channel(&BANNER, keep(8))
        .channel(&LOG, keep(LOG_KEPT))
        .channel(&MONITOR, keep(MONITOR_KEPT))
        .channel(&NEWS, keep(NEWS_KEPT))
}

/// Starts what publishes.
pub(super) fn start(companion: &Companion) {
    let config = companion.config();
    let seed = match &config.feed {
        FeedSource::Walk { seed } => *seed,
        FeedSource::Replay { .. } => 1,
    };
    publisher::spawn_while_subscribed(companion, market::Market::new(&config.feed));
    publisher::spawn_while_subscribed(companion, currency::Exchange::new(seed));
    publisher::spawn_while_subscribed(companion, banner::Announcer);
    publisher::spawn_while_subscribed(companion, monitor::MonitorPublisher);
    let publishing = companion.clone();
    companion.spawn(async move { news::publish(&publishing).await });
    log::start(companion);
}

#[cfg(test)]
mod tests;
