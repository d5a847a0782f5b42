use std::cell::OnceCell;
use std::collections::VecDeque;
use std::fmt::Write;

use yew::AttrValue;

/// How many samples a sparkline shows.
const SAMPLES: usize = 48;

/// The size of the drawing that the points are for.
pub(super) const WIDTH: f64 = 96.0;
pub(super) const HEIGHT: f64 = 28.0;

/// The price over the last half minute, sampled at even times. Its drawing is made anew with a sample and not with a trade,
/// so that a row costs the same at twenty trades a second and at twenty thousand.
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
            let x = (unused + index) as f64 / (SAMPLES - 1) as f64 * WIDTH;
            // A price that stands still is a line in the middle.
            let share = if span > 0.0 { (price - low) / span } else { 0.5 };
            let y = 2.0 + (1.0 - share) * (HEIGHT - 4.0);
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
    fn the_latest_sample_is_at_the_right_edge_and_the_oldest_are_let_go() {
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
