//! Pictures of results, drawn by plotters, as SVG.
//!
//! # Layout
//! - [`draw`]: puts a chart on paper
//! - [`of_a_run`]: the charts of one run

mod draw;
mod of_a_run;

use thiserror::Error;

pub use of_a_run::charts_of_a_run;

/// Lines over time, or over the steps of an experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What is shown, in a few words.
    pub title: String,
    /// What one has to know of it: a second line, smaller.
    pub subtitle: String,
    /// What goes to the right, with its unit.
    pub x: String,
    /// What goes up, with its unit.
    pub y: String,
    /// The names of the steps, which are then set evenly apart; empty where `x` is a number.
    pub steps: Vec<String>,
    /// Whether each grid line of the y axis is ten times the one below.
    pub is_logarithmic: bool,
    /// What is compared.
    pub lines: Vec<Line>,
}

/// One line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What the legend calls it.
    pub name: String,
    /// Its points from left to right; where there are steps, x is the number of the step, from 0. It breaks where y is no number.
    pub points: Vec<(f64, f64)>,
}

/// Why a chart cannot be drawn.
#[derive(Debug, Error)]
#[error("a chart cannot be drawn: {0}")]
pub struct ChartError(String);

impl Chart {
    /// Whether there is anything to show.
    pub fn is_empty(&self) -> bool {
        self.values().next().is_none()
    }

    /// The picture.
    ///
    /// # Errors
    /// What the library for drawing reports.
    pub fn svg(&self) -> Result<String, ChartError> {
        let mut svg = String::new();
        draw::draw(self, &mut svg).map_err(|error| ChartError(error.to_string()))?;
        Ok(self.named(svg))
    }

    /// Says what the picture is to those who do not see it.
    fn named(&self, svg: String) -> String {
        let name = format!("{}: {}", self.title, self.subtitle);
        let name = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        match svg.strip_prefix("<svg ").and_then(|rest| rest.split_once('>')) {
            Some((attributes, rest)) => format!("<svg role=\"img\" {attributes}>\n<title>{name}</title>{rest}"),
            None => svg,
        }
    }

    /// The values that can be shown.
    fn values(&self) -> impl Iterator<Item = f64> + '_ {
        let values = self.lines.iter().flat_map(|line| &line.points).map(|(_, y)| *y);
        values.filter(|y| y.is_finite() && (!self.is_logarithmic || *y > 0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        Chart {
            title: "Round trip".into(),
            subtitle: "a < b".into(),
            x: "seconds".into(),
            y: "ms".into(),
            steps: Vec::new(),
            is_logarithmic: false,
            lines: vec![Line { name: "p99".into(), points }],
        }
    }

    /// What is drawn as wide as lines are, and the grid and the legend are not.
    fn lines(svg: &str) -> impl Iterator<Item = &str> {
        svg.lines().filter(|line| line.contains("<polyline") && line.contains("stroke-width=\"2\""))
    }

    #[test]
    fn a_chart_names_itself_its_axes_and_its_lines_and_shows_every_point() {
        let svg = chart(vec![(0.0, 1.0), (1.0, 7.0), (2.0, 3.0)]).svg().unwrap();
        for text in ["Round trip", "a &lt; b", "seconds", "ms", "p99"] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(lines(&svg).map(|line| line.matches(',').count()).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_chart_can_be_read_by_those_who_do_not_see_well_and_by_those_who_do_not_see() {
        let svg = chart(vec![(0.0, 1.0), (1.0, 7.0)]).svg().unwrap();
        assert!(svg.contains(r#"<svg role="img""#) && svg.contains("<title>Round trip: a &lt; b</title>"), "{svg}");
        let sizes =
            svg.split("font-size=\"").skip(1).map(|rest| rest.split('"').next().unwrap().parse::<f64>().unwrap());
        let sizes: Vec<f64> = sizes.collect();
        assert!(sizes.len() > 5 && sizes.iter().all(|size| *size >= 12.0), "{sizes:?}");
    }

    #[test]
    fn a_line_breaks_where_there_is_no_value() {
        let svg = chart(vec![(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 3.0), (4.0, 4.0)]).svg().unwrap();
        assert_eq!(lines(&svg).count(), 2);
    }

    #[test]
    fn without_values_there_is_still_a_picture() {
        for points in [vec![], vec![(0.0, f64::NAN)], vec![(0.0, 0.0)]] {
            for is_logarithmic in [false, true] {
                let chart = Chart { is_logarithmic, ..chart(points.clone()) };
                assert!(chart.svg().unwrap().contains("Round trip"));
            }
        }
    }
}
