//! Pictures of results, drawn by plotters, as SVG.
//!
//! # Layout
//! - [`of_a_run`]: the charts of one run

pub(crate) mod of_a_run;

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use thiserror::Error;

type Failure = Box<dyn std::error::Error>;

/// Wide enough for a page of documentation, in pixels.
const SIZE: (u32, u32) = (760, 380);
/// Above the plot: title, subtitle, legend, and what the y axis shows.
const HEAD: u32 = 98;
/// The left margin of the plot and of the title.
const LEFT: u32 = 62;
const RIGHT: u32 = 26;

const INK: RGBColor = RGBColor(31, 35, 40);
const QUIET: RGBColor = RGBColor(89, 99, 110);
const GRID: RGBColor = RGBColor(225, 228, 232);
/// Distinguishable with red-green colour blindness (Okabe and Ito), and dark enough for thin lines on white.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 99, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 138, 100),
    RGBColor(176, 82, 141),
    RGBColor(140, 110, 0),
    RGBColor(70, 70, 70),
];

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
        draw(self, &mut svg).map_err(|error| ChartError(error.to_string()))?;
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

fn draw(chart: &Chart, svg: &mut String) -> Result<(), Failure> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (head, body) = root.split_vertically(HEAD);
    draw_head(chart, &head)?;
    let top = chart.values().fold(0.0, f64::max);
    if chart.is_logarithmic {
        let bottom = chart.values().fold(f64::MAX, f64::min);
        let (low, high) =
            if top > 0.0 { (decade_below(bottom) * 0.999, decade_below(top) * 10.0) } else { (1.0, 10.0) };
        draw_body(chart, &body, (low..high).log_scale())?;
    } else {
        draw_body(chart, &body, 0.0..if top > 0.0 { top * 1.08 } else { 1.0 })?;
    }
    root.present()?;
    drop((head, body, root));
    Ok(())
}

fn draw_head(chart: &Chart, area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Result<(), Failure> {
    let text = |size: f64, colour: &RGBColor| font(size).color(colour);
    area.draw(&Text::new(chart.title.as_str(), (16, 12), text(18.0, &INK)))?;
    area.draw(&Text::new(chart.subtitle.as_str(), (16, 36), text(13.0, &QUIET)))?;
    let mut x = 16;
    for (line, colour) in chart.lines.iter().zip(COLOURS.iter().cycle()) {
        area.draw(&PathElement::new([(x, 65), (x + 18, 65)], colour.stroke_width(3)))?;
        area.draw(&Text::new(line.name.as_str(), (x + 24, 58), text(13.0, &INK)))?;
        x += 24 + width(&line.name) + 22;
    }
    // Horizontal, so that it is easy to read, and right above the axis.
    area.draw(&Text::new(chart.y.as_str(), (16, 84), text(12.0, &QUIET)))?;
    Ok(())
}

fn draw_body<Y>(chart: &Chart, area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>, y: Y) -> Result<(), Failure>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let (first, last) = x_range(chart);
    let mut builder = ChartBuilder::on(area);
    builder.margin_right(RIGHT).margin_top(8).margin_bottom(6);
    builder.set_label_area_size(LabelAreaPosition::Left, LEFT).set_label_area_size(LabelAreaPosition::Bottom, 44);
    let mut plot = builder.build_cartesian_2d(first..last, y)?;
    let label = font(12.0).color(&QUIET);
    let mut mesh = plot.configure_mesh();
    mesh.disable_x_mesh().bold_line_style(GRID).light_line_style(TRANSPARENT).axis_style(GRID.stroke_width(1));
    mesh.x_desc(chart.x.as_str()).axis_desc_style(label.clone()).label_style(label);
    mesh.y_labels(6).y_label_formatter(&|value| short(*value));
    let step = |x: &f64| if x.fract() == 0.0 { chart.steps.get(*x as usize).cloned() } else { None };
    let name = |x: &f64| if chart.steps.is_empty() { short(*x) } else { step(x).unwrap_or_default() };
    mesh.x_labels(if chart.steps.is_empty() { 10 } else { chart.steps.len() * 2 + 1 }).x_label_formatter(&name);
    mesh.draw()?;
    for (line, colour) in chart.lines.iter().zip(COLOURS.iter().cycle()) {
        for points in unbroken(line, chart.is_logarithmic) {
            plot.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
            if !chart.steps.is_empty() || points.len() == 1 {
                plot.draw_series(points.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
            }
        }
    }
    Ok(())
}

/// Steps have half a step of room at either side.
fn x_range(chart: &Chart) -> (f64, f64) {
    if !chart.steps.is_empty() {
        return (-0.5, chart.steps.len() as f64 - 0.5);
    }
    let last = chart.lines.iter().flat_map(|line| &line.points).map(|(x, _)| *x).fold(0.0, f64::max);
    (0.0, if last > 0.0 { last } else { 1.0 })
}

/// The stretches of a line that can be shown.
fn unbroken(line: &Line, is_logarithmic: bool) -> impl Iterator<Item = &[(f64, f64)]> {
    let is_missing = move |(_, y): &(f64, f64)| !y.is_finite() || (is_logarithmic && *y <= 0.0);
    line.points.split(is_missing).filter(|points| !points.is_empty())
}

fn decade_below(value: f64) -> f64 {
    10_f64.powf(value.log10().floor())
}

/// As few digits as tell labels apart.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1e6 => format!("{} M", trim(format!("{:.1}", value / 1e6))),
        size if size >= 1e4 => format!("{} k", trim(format!("{:.1}", value / 1e3))),
        size if size >= 10.0 => format!("{value:.0}"),
        _ => trim(format!("{value:.2}")),
    }
}

fn trim(number: String) -> String {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => number,
    }
}

/// A font that is so many pixels high in the picture: plotters writes a smaller size than it is given.
fn font(size: f64) -> FontDesc<'static> {
    const WRITTEN_AS_LESS_BY: f64 = 1.24;
    ("sans-serif", size * WRITTEN_AS_LESS_BY).into_font()
}

/// About how wide a name is in the legend, in pixels: what shows it has fonts of its own.
fn width(text: &str) -> i32 {
    text.chars().count() as i32 * 15 / 2
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
