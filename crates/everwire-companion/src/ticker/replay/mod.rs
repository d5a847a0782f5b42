mod recording;

use recording::Row;
pub use recording::{Recording, RecordingError};

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::feed::{CATCH_UP, Company, Feed, Trade};

/// Plays a recording in a loop, each trade at its recorded time.
pub(super) struct Replay {
    recording: Arc<Recording>,
    companies: Vec<(Company, f64)>,
    /// The index in `companies` of each symbol of the recording, if it is selected.
    places: Vec<Option<usize>>,
    speed: f64,
    /// Rows played so far, in all passes through the recording.
    rows: usize,
}

impl Replay {
    /// Plays the trades of `symbols`, `speed` times faster than they were recorded.
    pub(super) fn new(recording: Arc<Recording>, symbols: &BTreeSet<String>, speed: f64) -> Self {
        let mut companies = Vec::new();
        let places = recording
            .opening()
            .map(|(symbol, price)| {
                symbols.contains(symbol).then(|| {
                    companies.push((Company::of_symbol(symbol), price));
                    companies.len() - 1
                })
            })
            .collect();
        Self { recording, companies, places, speed, rows: 0 }
    }

    fn at(&self, row: usize) -> Duration {
        let rows = self.recording.rows();
        let passes = (row / rows.len()) as f64 * self.recording.seconds();
        Duration::from_secs_f64((passes + rows[row % rows.len()].at) / self.speed)
    }

    /// The number of trades of selected symbols in the first `rows` rows.
    fn trades_before(&self, rows: usize) -> u64 {
        let all = self.recording.rows();
        let chosen = |rows: &[Row]| rows.iter().filter(|row| self.places[row.symbol].is_some()).count();
        (rows / all.len() * chosen(all) + chosen(&all[..rows % all.len()])) as u64
    }
}

impl Feed for Replay {
    fn opening(&self) -> Vec<(Company, f64)> {
        self.companies.clone()
    }

    fn rate(&self) -> f64 {
        self.trades_before(self.recording.rows().len()) as f64 / self.recording.seconds() * self.speed
    }

    fn next(&self) -> Option<Duration> {
        Some(self.at(self.rows))
    }

    fn skip_to(&mut self, elapsed: Duration) -> u64 {
        let before = self.trades_before(self.rows);
        let played = elapsed.as_secs_f64() * self.speed;
        let passes = (played / self.recording.seconds()).floor();
        let rows = self.recording.rows();
        let within = rows.partition_point(|row| row.at <= played - passes * self.recording.seconds());
        self.rows = self.rows.max(passes as usize * rows.len() + within);
        self.trades_before(self.rows) - before
    }

    fn advance(&mut self, elapsed: Duration, trades: &mut Vec<Trade>) {
        if elapsed > CATCH_UP {
            self.skip_to(elapsed - CATCH_UP);
        }
        while self.at(self.rows) <= elapsed {
            let row = self.recording.rows()[self.rows % self.recording.rows().len()];
            trades.extend(self.places[row.symbol].map(|company| Trade { company, price: row.price }));
            self.rows += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "time,symbol,price\n0,NVDA,10\n0.5,XOM,20\n2,NVDA,11\n";

    fn replay(symbols: &[&str], speed: f64) -> Replay {
        let symbols = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
        Replay::new(Arc::new(Recording::parse(CSV).unwrap()), &symbols, speed)
    }

    fn times(mut replay: Replay, steps: usize) -> Vec<(u128, usize, f64)> {
        let mut played = Vec::new();
        for _ in 0..steps {
            let next = replay.next().unwrap();
            let mut trades = Vec::new();
            replay.advance(next, &mut trades);
            played.extend(trades.into_iter().map(|trade| (next.as_millis(), trade.company, trade.price)));
        }
        played
    }

    #[test]
    fn trades_are_played_at_their_recorded_times() {
        assert_eq!(times(replay(&["NVDA", "XOM"], 1.0), 3), [(0, 0, 10.0), (500, 1, 20.0), (2000, 0, 11.0)]);
    }

    #[test]
    fn a_higher_speed_divides_the_times() {
        assert_eq!(times(replay(&["NVDA", "XOM"], 10.0), 3), [(0, 0, 10.0), (50, 1, 20.0), (200, 0, 11.0)]);
    }

    #[test]
    fn an_hour_of_suspension_is_not_caught_up() {
        let mut replay = replay(&["NVDA", "XOM"], 1.0);
        let mut trades = Vec::new();
        replay.advance(Duration::from_millis(3_600_100), &mut trades);
        assert!(trades.len() <= 2, "{trades:?}");
        assert_eq!(replay.skip_to(Duration::from_millis(3_612_100)), 12, "four passes of three seconds");
        let next = replay.next().unwrap();
        assert!((3_612_100..3_615_100).contains(&next.as_millis()), "{next:?}");
    }

    #[test]
    fn only_selected_symbols_are_played() {
        let replay = replay(&["XOM"], 1.0);
        assert_eq!(replay.opening().len(), 1);
        assert_eq!(times(replay, 3), [(500, 0, 20.0)]);
    }

    #[test]
    fn the_recording_starts_over_one_mean_gap_after_its_end() {
        assert_eq!(times(replay(&["XOM"], 1.0), 6), [(500, 0, 20.0), (3500, 0, 20.0)]);
    }
}
