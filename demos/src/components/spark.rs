use std::cell::OnceCell;
use std::collections::VecDeque;
use std::fmt::Write;

use yew::prelude::*;

/// How many samples a sparkline shows.
const SAMPLES: usize = 48;

/// The size of a sparkline's drawing.
const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 28.0;

/// A sparkline: a value over the last samples, taken at even times. It is drawn again with each sample and not with each change, so that
/// it costs the same at twenty changes a second and at twenty thousand.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Spark {
    samples: VecDeque<f64>,
    /// Drawn when a row shows it: most of five hundred do not.
    points: OnceCell<AttrValue>,
}

impl Spark {
    /// Takes the value at the time of a sample.
    pub(crate) fn sample(&mut self, value: f64) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(value);
        self.points = OnceCell::new();
    }

    /// The `points` of an SVG polyline.
    pub(crate) fn points(&self) -> AttrValue {
        self.points.get_or_init(|| self.draw().into()).clone()
    }

    /// The drawing, as large as the style sheet says.
    pub(crate) fn view(&self) -> Html {
        html! {
            <svg class="spark" viewBox={format!("0 0 {WIDTH} {HEIGHT}")} preserveAspectRatio="none" aria-hidden="true">
                <polyline points={self.points()} />
            </svg>
        }
    }

    fn draw(&self) -> String {
        let low = self.samples.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let span = high - low;
        let mut points = String::with_capacity(self.samples.len() * 11);
        let unused = SAMPLES - self.samples.len();
        for (index, value) in self.samples.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a few dozen")]
            let x = (unused + index) as f64 / (SAMPLES - 1) as f64 * WIDTH;
            // A constant value is a line in the middle.
            let share = if span > 0.0 { (value - low) / span } else { 0.5 };
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
