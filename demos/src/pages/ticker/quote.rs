use std::cell::OnceCell;
use std::collections::VecDeque;
use std::fmt::Write;

use everwire_companion_api::ticker::Stock;
use yew::AttrValue;

/// How many samples a sparkline shows.
const SAMPLES: usize = 48;

/// The size of a sparkline's drawing.
pub(super) const SPARK_WIDTH: f64 = 96.0;
pub(super) const SPARK_HEIGHT: f64 = 28.0;

/// The prices of one stock.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quote {
    pub(super) symbol: AttrValue,
    pub(super) company: AttrValue,
    pub(super) price: f64,
    pub(super) open: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) spark: Spark,
}

impl Quote {
    pub(super) fn new(stock: Stock) -> Self {
        Self {
            symbol: stock.symbol.into(),
            company: stock.company.into(),
            price: stock.price,
            open: stock.open,
            low: stock.low,
            high: stock.high,
            spark: Spark::default(),
        }
    }

    pub(super) fn change(&self) -> f64 {
        self.price - self.open
    }

    pub(super) fn change_in_percent(&self) -> f64 {
        if self.open == 0.0 { 0.0 } else { self.change() / self.open * 100.0 }
    }

    /// Applies a trade. Low and high are those of the day: every trade counts for them, whether it is ever drawn or not.
    pub(super) fn trade(&mut self, price: f64) {
        self.price = price;
        self.low = self.low.min(price);
        self.high = self.high.max(price);
    }
}

/// The price over the last half minute, sampled at even times. It is drawn again with each sample and not with each trade, so that
/// a row costs the same at twenty trades a second and at twenty thousand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Spark {
    samples: VecDeque<f64>,
    /// Drawn when a row shows it: most of five hundred do not.
    points: OnceCell<AttrValue>,
}

impl Spark {
    /// Takes the price at the time of a sample.
    pub(super) fn sample(&mut self, price: f64) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(price);
        self.points = OnceCell::new();
    }

    /// The `points` of an SVG polyline.
    pub(super) fn points(&self) -> AttrValue {
        self.points.get_or_init(|| self.draw().into()).clone()
    }

    fn draw(&self) -> String {
        let low = self.samples.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let span = high - low;
        let mut points = String::with_capacity(self.samples.len() * 11);
        let unused = SAMPLES - self.samples.len();
        for (index, price) in self.samples.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a few dozen")]
            let x = (unused + index) as f64 / (SAMPLES - 1) as f64 * SPARK_WIDTH;
            // A constant price is a line in the middle.
            let share = if span > 0.0 { (price - low) / span } else { 0.5 };
            let y = 2.0 + (1.0 - share) * (SPARK_HEIGHT - 4.0);
            // Writing to a String never fails.
            let _ = write!(points, "{x:.1},{y:.1} ");
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_sample_is_at_the_right_edge_and_the_oldest_are_dropped() {
        let mut spark = Spark::default();
        spark.sample(1.0);
        assert_eq!(spark.points().trim(), "96.0,14.0");
        for price in 0..100 {
            spark.sample(f64::from(price));
        }
        let points = spark.points();
        let points: Vec<&str> = points.split_whitespace().collect();
        assert_eq!(points.len(), SAMPLES);
        assert_eq!((points[0], points[SAMPLES - 1]), ("0.0,26.0", "96.0,2.0"));
    }
}
