//! Line charts of results as SVG, drawn by plotters, and the charts of one run.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use thiserror::Error;

use crate::record::{MIN_RATE_WINDOW, Percentiles, Phase, Second};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type DrawResult = Result<(), Box<dyn std::error::Error>>;

/// Fits a page of documentation, in pixels.
const SIZE: (u32, u32) = (760, 380);
/// The height above the plot: title, subtitle, legend, and the label of the y axis.
const HEAD: u32 = 98;
/// The left margin of the plot and of the title.
const LEFT: u32 = 62;
const RIGHT: u32 = 26;

const INK: RGBColor = RGBColor(31, 35, 40);
const MUTED: RGBColor = RGBColor(89, 99, 110);
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

/// A line chart over time, or over the steps of an experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// The title, a few words.
    pub title: String,
    /// A second, smaller line with the conditions.
    pub subtitle: String,
    /// The label of the x axis, with its unit.
    pub x: String,
    /// The label of the y axis, with its unit.
    pub y: String,
    /// The names of the steps, which are spaced evenly; empty if `x` is a number.
    pub steps: Vec<String>,
    /// Whether the y axis is logarithmic, with one grid line per power of ten.
    pub is_logarithmic: bool,
    /// The lines to compare.
    pub lines: Vec<Line>,
}

/// One line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The name in the legend.
    pub name: String,
    /// The points from left to right. With steps, x is the index of the step. The line breaks where y is not a number.
    pub points: Vec<(f64, f64)>,
}

/// A chart could not be drawn.
#[derive(Debug, Error)]
#[error("a chart cannot be drawn: {0}")]
pub struct ChartError(String);

impl Chart {
    /// Whether no line has a value.
    pub fn is_empty(&self) -> bool {
        self.values().next().is_none()
    }

    /// The chart as SVG.
    ///
    /// # Errors
    /// Errors of the drawing library.
    pub fn svg(&self) -> Result<String, ChartError> {
        let mut svg = String::new();
        draw(self, &mut svg).map_err(|error| ChartError(error.to_string()))?;
        Ok(self.with_text_alternative(svg))
    }

    /// Adds a role and a title for screen readers.
    fn with_text_alternative(&self, svg: String) -> String {
        let name = format!("{}: {}", self.title, self.subtitle);
        let name = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        match svg.strip_prefix("<svg ").and_then(|rest| rest.split_once('>')) {
            Some((attributes, rest)) => format!("<svg role=\"img\" {attributes}>\n<title>{name}</title>{rest}"),
            None => svg,
        }
    }

    /// The values that the y axis can show.
    fn values(&self) -> impl Iterator<Item = f64> + '_ {
        let values = self.lines.iter().flat_map(|line| &line.points).map(|(_, y)| *y);
        values.filter(|y| y.is_finite() && (!self.is_logarithmic || *y > 0.0))
    }
}

/// The charts of one run, each with the name of its file, without those that have no values.
pub fn charts_of_a_run(seconds: &[Second]) -> Vec<(&'static str, Chart)> {
    let charts = [
        ("throughput.svg", throughput(seconds)),
        ("latency.svg", latency(seconds)),
        ("server-cpu.svg", cpu(seconds)),
        ("server-memory.svg", memory(seconds)),
    ];
    charts.into_iter().filter(|(_, chart)| !chart.is_empty()).collect()
}

fn throughput(seconds: &[Second]) -> Chart {
    let per_second = |count: fn(&Second) -> u64| {
        move |second: &Second| match second.phase {
            // Messages of the warm-up are not counted. Breaking the line differs from a rate of zero.
            Phase::WarmUp => Some(f64::NAN),
            _ => Some(count(second) as f64 / second.lasted_s).filter(|rate| rate.is_finite()),
        }
    };
    let lines = [
        line("pings sent", seconds, per_second(|second| second.sent)),
        line("answers", seconds, per_second(|second| second.answered)),
        line("deliveries", seconds, per_second(|second| second.delivered)),
    ];
    let lines = lines.into_iter().filter(|line| line.points.iter().any(|(_, y)| *y > 0.0)).collect();
    over_time("Throughput", "each second of the run", "messages per second", lines)
}

fn latency(seconds: &[Second]) -> Chart {
    let times = |second: &Second| second.round_trip.or(second.delivery);
    let at = |pick: fn(&Percentiles) -> f64| move |second: &Second| times(second).as_ref().map(pick);
    let lines = vec![
        line("p50", seconds, at(|times| times.p50_ms)),
        line("p90", seconds, at(|times| times.p90_ms)),
        line("p99", seconds, at(|times| times.p99_ms)),
        line("max", seconds, at(|times| times.max_ms)),
    ];
    let is_delivery = seconds.iter().all(|second| second.round_trip.is_none());
    let end = if is_delivery { "its delivery" } else { "its answer" };
    let subtitle = format!("from the time that a message was due to {end}; logarithmic scale");
    Chart { is_logarithmic: true, ..over_time("Latency", &subtitle, "ms", lines) }
}

fn cpu(seconds: &[Second]) -> Chart {
    let lines = vec![
        line("server", seconds, |second| second.server_cpu_percent),
        line("load generator", seconds, |second| second.load_cpu_percent),
    ];
    let lines = if lines.first().is_some_and(|server| server.points.is_empty()) { Vec::new() } else { lines };
    over_time("CPU time", "all processes of each together", "% of a core", lines)
}

fn memory(seconds: &[Second]) -> Chart {
    let mebibytes = |second: &Second| second.server_memory_bytes.map(|bytes| bytes as f64 / f64::from(1 << 20));
    over_time("Server memory", "resident, all processes together", "MiB", vec![line("server", seconds, mebibytes)])
}

fn over_time(title: &str, subtitle: &str, y: &str, lines: Vec<Line>) -> Chart {
    Chart {
        title: title.to_owned(),
        subtitle: subtitle.to_owned(),
        x: "seconds since the first connection attempt".to_owned(),
        y: y.to_owned(),
        steps: Vec::new(),
        is_logarithmic: false,
        lines,
    }
}

fn line(name: &str, seconds: &[Second], value: impl Fn(&Second) -> Option<f64>) -> Line {
    let seconds = seconds.iter().filter(|second| second.lasted_s > MIN_RATE_WINDOW.as_secs_f64());
    let points = seconds.filter_map(|second| Some((second.at_s, value(second)?))).collect();
    Line { name: name.to_owned(), points }
}

fn draw(chart: &Chart, svg: &mut String) -> DrawResult {
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

fn draw_head(chart: &Chart, area: &Area<'_>) -> DrawResult {
    let text = |size: f64, colour: &RGBColor| font(size).color(colour);
    area.draw(&Text::new(chart.title.as_str(), (16, 12), text(18.0, &INK)))?;
    area.draw(&Text::new(chart.subtitle.as_str(), (16, 36), text(13.0, &MUTED)))?;
    let mut x = 16;
    for (line, colour) in chart.lines.iter().zip(COLOURS.iter().cycle()) {
        area.draw(&PathElement::new([(x, 65), (x + 18, 65)], colour.stroke_width(3)))?;
        area.draw(&Text::new(line.name.as_str(), (x + 24, 58), text(13.0, &INK)))?;
        x += 24 + width(&line.name) + 22;
    }
    // A horizontal label above the axis is easier to read than a rotated one.
    area.draw(&Text::new(chart.y.as_str(), (16, 84), text(12.0, &MUTED)))?;
    Ok(())
}

fn draw_body<Y>(chart: &Chart, area: &Area<'_>, y: Y) -> DrawResult
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let (first, last) = x_range(chart);
    let mut builder = ChartBuilder::on(area);
    builder.margin_right(RIGHT).margin_top(8).margin_bottom(6);
    builder.set_label_area_size(LabelAreaPosition::Left, LEFT).set_label_area_size(LabelAreaPosition::Bottom, 44);
    let mut plot = builder.build_cartesian_2d(first..last, y)?;
    let label = font(12.0).color(&MUTED);
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

/// Leaves half a step at both ends.
fn x_range(chart: &Chart) -> (f64, f64) {
    if !chart.steps.is_empty() {
        return (-0.5, chart.steps.len() as f64 - 0.5);
    }
    let last = chart.lines.iter().flat_map(|line| &line.points).map(|(x, _)| *x).fold(0.0, f64::max);
    (0.0, if last > 0.0 { last } else { 1.0 })
}

/// The unbroken parts of a line.
fn unbroken(line: &Line, is_logarithmic: bool) -> impl Iterator<Item = &[(f64, f64)]> {
    let is_missing = move |(_, y): &(f64, f64)| !y.is_finite() || (is_logarithmic && *y <= 0.0);
    line.points.split(is_missing).filter(|points| !points.is_empty())
}

fn decade_below(value: f64) -> f64 {
    10_f64.powf(value.log10().floor())
}

/// A label with as few digits as distinguish it from its neighbours.
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

/// A font of this size in pixels. Plotters divides the size by 1.24 when it writes SVG.
fn font(size: f64) -> FontDesc<'static> {
    const PLOTTERS_FACTOR: f64 = 1.24;
    ("sans-serif", size * PLOTTERS_FACTOR).into_font()
}

/// The approximate width of a name in the legend, in pixels; the exact one depends on the fonts of the viewer.
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

    /// The lines of the plot: the grid and the legend have other widths.
    fn lines(svg: &str) -> impl Iterator<Item = &str> {
        svg.lines().filter(|line| line.contains("<polyline") && line.contains("stroke-width=\"2\""))
    }

    #[test]
    fn a_chart_has_its_title_axis_labels_legend_and_points() {
        let svg = chart(vec![(0.0, 1.0), (1.0, 7.0), (2.0, 3.0)]).svg().unwrap();
        for text in ["Round trip", "a &lt; b", "seconds", "ms", "p99"] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(lines(&svg).map(|line| line.matches(',').count()).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_chart_has_readable_font_sizes_and_a_text_alternative() {
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
    fn a_chart_without_values_can_be_drawn() {
        for points in [vec![], vec![(0.0, f64::NAN)], vec![(0.0, 0.0)]] {
            for is_logarithmic in [false, true] {
                let chart = Chart { is_logarithmic, ..chart(points.clone()) };
                assert!(chart.svg().unwrap().contains("Round trip"));
            }
        }
    }
}
