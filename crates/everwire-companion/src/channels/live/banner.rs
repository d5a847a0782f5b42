use std::time::Duration;

use everwire_companion_api::live::{BANNER, BANNER_KEY, Banner, Phase};
use everwire_server::Channel;
use tokio::time::sleep;

use super::publisher::Publisher;
use crate::companion::Companion;

const MINUTE_MS: f64 = 60_000.0;

/// When the phases of a minute begin, in milliseconds.
const AUCTION_AT: f64 = 45_000.0;
const CLOSED_AT: f64 = 55_000.0;

/// Announces the phases of the trading day, which lasts a minute.
#[derive(Debug)]
pub(super) struct Announcer;

impl Publisher for Announcer {
    type Item = Banner;

    const CHANNEL: Channel<Banner> = BANNER;

    async fn run(&mut self, companion: &Companion) {
        let clock = &companion.config().clock;
        loop {
            let banner = at(clock.now_ms());
            // The next phase is announced whether or not this one was stored.
            let _ = companion.everwire().set(&BANNER, BANNER_KEY, &banner).await;
            let remaining = (banner.until - clock.now_ms()).max(1.0);
            sleep(Duration::from_secs_f64(remaining / 1e3)).await;
        }
    }
}

/// What is announced at a time.
fn at(now: f64) -> Banner {
    let minute = (now / MINUTE_MS).floor() * MINUTE_MS;
    let second = now - minute;
    if second < AUCTION_AT {
        let text = format!("{}. The market is open.", greeting(minute));
        Banner { phase: Phase::Open, text, until: minute + AUCTION_AT }
    } else if second < CLOSED_AT {
        let text = "Closing auction. Last orders.".to_owned();
        Banner { phase: Phase::Auction, text, until: minute + CLOSED_AT }
    } else {
        let text = "The market is closed.".to_owned();
        Banner { phase: Phase::Closed, text, until: minute + MINUTE_MS }
    }
}

/// What people say at this time of the day, in UTC.
fn greeting(now: f64) -> &'static str {
    match now % 86_400_000.0 / 3_600_000.0 {
        5.0..12.0 => "Good morning",
        12.0..18.0 => "Good afternoon",
        _ => "Good evening",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDNIGHT: f64 = 1_795_219_200_000.0;

    #[test]
    fn each_phase_lasts_until_the_next_begins() {
        let mut now = MIDNIGHT;
        let mut phases = Vec::new();
        while now < MIDNIGHT + 2.0 * MINUTE_MS {
            let banner = at(now);
            assert_eq!(at(banner.until - 1.0), banner, "it does not change meanwhile");
            assert_eq!(at(banner.until).phase, banner.phase.next());
            phases.push((banner.phase, banner.until - now));
            now = banner.until;
        }
        let day = [(Phase::Open, 45_000.0), (Phase::Auction, 10_000.0), (Phase::Closed, 5_000.0)];
        assert_eq!(phases, [day, day].concat());
    }

    #[test]
    fn the_greeting_follows_the_servers_clock() {
        let hours = [0.0, 6.0, 12.0, 17.9, 18.0, 23.9];

        assert_eq!(
            hours.map(|hour| greeting(MIDNIGHT + hour * 3_600_000.0)),
            ["Good evening", "Good morning", "Good afternoon", "Good afternoon", "Good evening", "Good evening"]
        );
    }
}
