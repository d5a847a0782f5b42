use std::time::Duration;

use everwire_companion_api::live::{Headline, NEWS};
use everwire_server::broker::ChannelName;
use fastrand::Rng;
use tokio::time::sleep;

use crate::companion::Companion;

/// All headlines, one a line.
const HEADLINES: &str = include_str!("../../../assets/headlines.txt");

/// The time between two headlines.
const PERIOD_MS: f64 = 7_000.0;

/// The headlines of a channel that has none yet, so that its first reader has something to read.
const FIRST: u64 = 6;

/// Publishes a headline at each step of the server's clock, whether or not someone reads it.
pub(super) async fn publish(companion: &Companion) {
    let clock = &companion.config().clock;
    let mut number = number_at(clock.now_ms());
    if is_new(companion).await {
        for earlier in number.saturating_sub(FIRST)..number {
            publish_one(companion, earlier).await;
        }
    }
    loop {
        number += 1;
        let due = number as f64 * PERIOD_MS - clock.now_ms();
        sleep(Duration::from_secs_f64(due.max(0.0) / 1e3)).await;
        // A machine that has slept is ahead of the number.
        number = number.max(number_at(clock.now_ms()));
        publish_one(companion, number).await;
    }
}

async fn publish_one(companion: &Companion, number: u64) {
    // The broker reports what it does not store, and the next headline comes soon.
    let _ = companion.everwire().publish(&NEWS, &Headline { text: headline(number).to_owned() }).await;
}

/// Whether nothing was published yet.
async fn is_new(companion: &Companion) -> bool {
    let Ok(channel) = ChannelName::try_from(NEWS.name()) else { return false };
    let history = companion.everwire().broker().history(&channel, 0).await;
    history.is_ok_and(|history| history.last.offset == 0)
}

/// Counts the headlines since 1970, so that a server that is started again does not begin with the same ones.
fn number_at(now: f64) -> u64 {
    (now / PERIOD_MS) as u64
}

/// The headline of a number. All come before one comes again, each time in another order.
fn headline(number: u64) -> &'static str {
    let mut all: Vec<&str> = HEADLINES.lines().collect();
    let count = all.len() as u64;
    Rng::with_seed(number / count).shuffle(&mut all);
    all[(number % count) as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn there_are_more_than_a_hundred_headlines_and_each_is_one_sentence() {
        let lines: Vec<&str> = HEADLINES.lines().collect();
        assert!(lines.len() > 100, "{}", lines.len());
        assert_eq!(lines.iter().collect::<HashSet<_>>().len(), lines.len(), "each once");
        for line in lines {
            assert!(line.trim() == line && (12..=90).contains(&line.chars().count()), "{line:?}");
        }
    }

    #[test]
    fn all_headlines_come_before_one_comes_again() {
        let count = HEADLINES.lines().count();
        let round: Vec<&str> = (0..count as u64).map(headline).collect();
        let next: Vec<&str> = (count as u64..2 * count as u64).map(headline).collect();
        assert_eq!(round.iter().collect::<HashSet<_>>().len(), count);
        assert_ne!(round, next);
    }
}
