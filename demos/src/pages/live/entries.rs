use std::collections::VecDeque;

use everwire::client::SubscribeOptions;
use everwire_companion_api::live::{Headline, LOG_KEPT, Level, LogLine, NEWS_KEPT};

use super::feed::{Arrival, Model};

/// The headlines, the latest first.
#[derive(Debug, Default)]
pub(super) struct News(Latest<Headline>);

/// The lines of the server's log, the latest first.
#[derive(Debug, Default)]
pub(super) struct Log(Latest<LogLine>);

/// The latest messages of a channel, the latest first.
#[derive(Debug)]
struct Latest<T> {
    entries: VecDeque<Entry<T>>,
    arrived: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry<T> {
    /// Counts what has arrived. Offsets begin again where the server has lost its history, and would name two entries.
    pub(super) number: u64,
    /// In milliseconds since the Unix epoch.
    pub(super) time: f64,
    pub(super) item: T,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), arrived: 0 }
    }
}

impl<T> Latest<T> {
    fn push(&mut self, arrival: Arrival<T>, most: u64) {
        let Arrival { item, time, .. } = arrival;
        self.arrived += 1;
        self.entries.push_front(Entry { number: self.arrived, time, item });
        self.entries.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    }
}

impl News {
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry<Headline>> {
        self.0.entries.iter()
    }
}

impl Model for News {
    type Item = Headline;

    fn start() -> SubscribeOptions {
        SubscribeOptions::default().last(NEWS_KEPT)
    }

    fn take(&mut self, arrival: Arrival<Headline>) {
        self.0.push(arrival, NEWS_KEPT);
    }
}

impl Log {
    /// The lines that matter at least as much as this level.
    pub(super) fn entries(&self, least: Level) -> impl Iterator<Item = &Entry<LogLine>> {
        self.0.entries.iter().filter(move |entry| entry.item.level <= least)
    }
}

impl Model for Log {
    type Item = LogLine;

    fn start() -> SubscribeOptions {
        SubscribeOptions::default().last(LOG_KEPT)
    }

    fn take(&mut self, mut arrival: Arrival<LogLine>) {
        // It was written before it was stored.
        arrival.time = arrival.item.time;
        self.0.push(arrival, LOG_KEPT);
    }
}

/// The levels that the panel offers, with their names.
pub(super) const LEVELS: [(Level, &str); 4] = [
    (Level::Trace, "All lines"),
    (Level::Info, "Info and above"),
    (Level::Warn, "Warnings and errors"),
    (Level::Error, "Errors"),
];

/// A level as the log writes it.
pub(super) fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

/// The part of a program that a line comes from, in short: `everwire_companion::channels::live::log` is `companion::live`.
pub(super) fn short_target(target: &str) -> String {
    let target = target.strip_prefix("everwire_").unwrap_or(target);
    let mut parts = target.split("::");
    let program = parts.next().unwrap_or_default();
    let parts: Vec<_> = parts.filter(|part| *part != "channels").collect();
    match parts.first() {
        Some(part) => format!("{program}::{part}"),
        None => program.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival<T>(item: T) -> Arrival<T> {
        Arrival { item, key: None, time: 5.0 }
    }

    fn line(level: Level) -> LogLine {
        LogLine { time: 3.0, level, target: "a".to_owned(), message: "b".to_owned(), dropped: 0 }
    }

    #[test]
    fn the_latest_headline_is_the_first_and_no_more_are_kept_than_the_server_keeps() {
        let mut news = News::default();
        (1..=80).for_each(|number: u64| news.take(arrival(Headline { text: number.to_string() })));
        let numbers: Vec<_> = news.entries().map(|entry| entry.number).collect();
        assert_eq!((numbers.len(), numbers[0], numbers[49]), (50, 80, 31));
    }

    #[test]
    fn a_panel_that_is_switched_on_again_starts_with_what_the_server_sends() {
        let mut news = News::default();
        news.take(arrival(Headline { text: "old".to_owned() }));
        news.restart();
        assert_eq!(news.entries().count(), 0);
    }

    #[test]
    fn lines_are_filtered_by_how_much_they_matter() {
        let mut log = Log::default();
        for level in [Level::Info, Level::Error, Level::Debug, Level::Warn] {
            log.take(arrival(line(level)));
        }
        let shown = LEVELS.map(|(level, _)| log.entries(level).map(|entry| entry.number).collect::<Vec<_>>());
        assert_eq!(shown, [vec![4, 3, 2, 1], vec![4, 2, 1], vec![4, 2], vec![2]]);
        assert_eq!(log.entries(Level::Trace).next().unwrap().time, 3.0, "when it was written");
    }

    #[test]
    fn a_target_is_short() {
        assert_eq!(short_target("everwire_companion::channels::live::publisher"), "companion::live");
        assert_eq!(short_target("everwire_server::serve"), "server::serve");
        assert_eq!(short_target("everwire_companion"), "companion");
        assert_eq!(short_target("hyper::proto"), "hyper::proto");
    }
}
