//! Recorded trades, and the feed that plays them in a loop.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::feed::{CATCH_UP, Company, Feed, Trade};

/// Recorded trades: the rows of a CSV file with the columns time, symbol, price.
#[derive(Clone, Debug)]
pub struct Recording {
    /// At least one.
    rows: Vec<Row>,
    /// Each symbol with its first price, in the order of their first trades.
    symbols: Vec<(String, f64)>,
    /// The duration of one pass; never zero.
    seconds: f64,
}

/// One recorded trade.
#[derive(Clone, Copy, Debug)]
struct Row {
    /// Seconds since the first row.
    at: f64,
    /// Index into the recording's symbols.
    symbol: usize,
    price: f64,
}

/// Why a recording cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("cannot read the recording {path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// A row is invalid.
    #[error("line {line} of the recording, `{text}`, is not time,symbol,price: {problem}")]
    BadRow {
        /// Counted from 1.
        line: usize,
        /// The text of the line.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The recording has no rows.
    #[error("the recording has no rows; each is time,symbol,price like 2024-05-01T14:30:00.250Z,NVDA,17.86")]
    Empty,
}

impl Recording {
    /// Reads a file in the format of [`parse`](Self::parse).
    ///
    /// # Errors
    /// If the file cannot be read or is not a valid recording.
    pub fn read(path: &Path) -> Result<Self, RecordingError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text),
            Err(error) => Err(RecordingError::Unreadable { path: path.to_owned(), error }),
        }
    }

    /// Parses CSV text. A time is a number of seconds from any origin, or a date and time of RFC 3339 in UTC (the zone may be
    /// absent). Rows must be in the order of their times. A first line with the names of the columns is skipped.
    ///
    /// # Errors
    /// If a row is invalid or there is none.
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        let mut rows: Vec<Row> = Vec::new();
        let mut symbols: Vec<(String, f64)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut start = None;
        for (index, text) in text.lines().enumerate() {
            if text.trim().is_empty() || (index == 0 && text.to_lowercase().starts_with("time,")) {
                continue;
            }
            let bad = |problem| RecordingError::BadRow { line: index + 1, text: text.to_owned(), problem };
            let columns: Vec<&str> = text.split(',').map(str::trim).collect();
            let [time, symbol, price] = columns[..] else { return Err(bad("it must have three columns")) };
            let time =
                seconds(time).ok_or_else(|| bad("the time is neither a number of seconds nor an RFC 3339 time"))?;
            let price: f64 = price.parse().map_err(|_| bad("the price is not a number"))?;
            if !(price.is_finite() && price > 0.0) {
                return Err(bad("the price is not positive"));
            }
            if symbol.is_empty() {
                return Err(bad("the symbol is empty"));
            }
            let at = time - *start.get_or_insert(time);
            if at < rows.last().map_or(0.0, |row| row.at) {
                return Err(bad("it is earlier than the row before"));
            }
            let symbol = symbol.to_uppercase();
            let symbol = *places.entry(symbol).or_insert_with_key(|symbol| {
                symbols.push((symbol.clone(), price));
                symbols.len() - 1
            });
            rows.push(Row { at, symbol, price });
        }
        let last = rows.last().ok_or(RecordingError::Empty)?.at;
        // The first row of the next pass follows the last after the mean gap between rows, or after a second if there is none.
        let gap = if last > 0.0 { last / (rows.len() - 1) as f64 } else { 1.0 };
        Ok(Self { rows, symbols, seconds: last + gap })
    }

    /// The symbols that were traded.
    pub fn symbols(&self) -> impl Iterator<Item = &str> {
        self.symbols.iter().map(|(symbol, _)| symbol.as_str())
    }

    /// Each symbol with its first price.
    fn opening(&self) -> impl Iterator<Item = (&str, f64)> {
        self.symbols.iter().map(|(symbol, price)| (symbol.as_str(), *price))
    }
}

fn seconds(time: &str) -> Option<f64> {
    if let Ok(seconds) = time.parse::<f64>() {
        return seconds.is_finite().then_some(seconds);
    }
    let time = humantime::parse_rfc3339_weak(time.trim_end_matches("+00:00")).ok()?;
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
}

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
        let rows = &self.recording.rows;
        let passes = (row / rows.len()) as f64 * self.recording.seconds;
        Duration::from_secs_f64((passes + rows[row % rows.len()].at) / self.speed)
    }

    /// The number of trades of selected symbols in the first `rows` rows.
    fn trades_before(&self, rows: usize) -> u64 {
        let all = &self.recording.rows;
        let chosen = |rows: &[Row]| rows.iter().filter(|row| self.places[row.symbol].is_some()).count();
        (rows / all.len() * chosen(all) + chosen(&all[..rows % all.len()])) as u64
    }
}

impl Feed for Replay {
    fn opening(&self) -> Vec<(Company, f64)> {
        self.companies.clone()
    }

    fn rate(&self) -> f64 {
        self.trades_before(self.recording.rows.len()) as f64 / self.recording.seconds * self.speed
    }

    fn next(&self) -> Option<Duration> {
        Some(self.at(self.rows))
    }

    fn skip_to(&mut self, elapsed: Duration) -> u64 {
        let before = self.trades_before(self.rows);
        let played = elapsed.as_secs_f64() * self.speed;
        let passes = (played / self.recording.seconds).floor();
        let rows = &self.recording.rows;
        let within = rows.partition_point(|row| row.at <= played - passes * self.recording.seconds);
        self.rows = self.rows.max(passes as usize * rows.len() + within);
        self.trades_before(self.rows) - before
    }

    fn advance(&mut self, elapsed: Duration, trades: &mut Vec<Trade>) {
        if elapsed > CATCH_UP {
            self.skip_to(elapsed - CATCH_UP);
        }
        while self.at(self.rows) <= elapsed {
            let row = self.recording.rows[self.rows % self.recording.rows.len()];
            trades.extend(self.places[row.symbol].map(|company| Trade { company, price: row.price }));
            self.rows += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row_times(csv: &str) -> Vec<f64> {
        Recording::parse(csv).unwrap().rows.iter().map(|row| (row.at * 1e3).round() / 1e3).collect()
    }

    #[test]
    fn times_are_seconds_or_dates() {
        assert_eq!(row_times("100.5,A,1\n101,A,2\n"), [0.0, 0.5]);
        assert_eq!(
            row_times("Time,Symbol,Price\r\n2024-05-01 14:30:00,A,1\r\n2024-05-01T14:30:00.250Z,A,2\r\n"),
            [0.0, 0.25]
        );
    }

    #[test]
    fn an_invalid_row_is_reported_with_its_line_and_problem() {
        let cases = [
            ("0,A", "three columns"),
            ("0,A,1,2", "three columns"),
            ("soon,A,1", "neither a number of seconds"),
            ("0,,1", "symbol is empty"),
            ("0,A,x", "price is not a number"),
            ("0,A,-1", "not positive"),
            ("0,A,NaN", "not positive"),
            ("-1,A,1", "earlier than the row before"),
        ];
        for (row, problem) in cases {
            let error = Recording::parse(&format!("time,symbol,price\n0,B,1\n{row}\n")).unwrap_err().to_string();
            assert!(error.contains("line 3") && error.contains(problem), "{row}: {error}");
        }
    }

    #[test]
    fn a_recording_without_rows_is_refused() {
        assert!(matches!(Recording::parse("time,symbol,price\n"), Err(RecordingError::Empty)));
    }

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
