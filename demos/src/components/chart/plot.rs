use js_sys::Array;
use serde::Serialize;
use wasm_bindgen::prelude::*;
use web_sys::{HtmlElement, window};

use super::style::{ChartKind, ChartStyle, Series, XAxis};
use super::uplot::{UPlot, bars};
use crate::objects::to_js;

/// A chart in the page. Dropping it takes it out.
pub(super) struct Plot {
    chart: UPlot,
    height: i32,
    // The chart asks it for its range with all that it draws.
    _range: Range,
}

/// Says how far the vertical axis reaches, of the smallest and the greatest value; both are null where there is none.
type Range = Closure<dyn Fn(JsValue, Option<f64>, Option<f64>) -> Array>;

impl Plot {
    /// Puts a chart into an element. `None` where the library did not load: the page does without.
    pub(super) fn new(style: &ChartStyle, reaches: f64, columns: &Array, target: &HtmlElement) -> Option<Self> {
        let range = from_zero(reaches);
        let options = to_js(&options(style, &range, target));
        let chart = UPlot::new(&options, &complete(columns, style), target).ok()?;
        Some(Self { chart, height: style.height, _range: range })
    }

    pub(super) fn draw(&self, columns: &Array) {
        self.chart.set_data(columns);
    }

    pub(super) fn fit(&self, width: i32) {
        self.chart.set_size(&to_js(&Size { width, height: self.height }));
    }
}

impl Drop for Plot {
    fn drop(&mut self) {
        self.chart.destroy();
    }
}

/// The columns, or empty ones where there are none yet.
fn complete(columns: &Array, style: &ChartStyle) -> Array {
    if columns.length() > 0 {
        return columns.clone();
    }
    (0..=style.series.len()).map(|_| Array::new()).collect()
}

/// The options of a chart, under uPlot's names.
#[derive(Serialize)]
struct Options {
    width: i32,
    height: i32,
    padding: [i32; 4],
    legend: Shown,
    cursor: Shown,
    scales: Scales,
    axes: [Axis; 2],
    series: Vec<SeriesOptions>,
}

#[derive(Serialize)]
struct Size {
    width: i32,
    height: i32,
}

#[derive(Serialize)]
struct Shown {
    show: bool,
}

const HIDDEN: Shown = Shown { show: false };

#[derive(Serialize)]
struct Scales {
    x: HorizontalScale,
    y: VerticalScale,
}

#[derive(Serialize)]
struct HorizontalScale {
    time: bool,
}

#[derive(Serialize)]
struct VerticalScale {
    #[serde(with = "serde_wasm_bindgen::preserve")]
    range: JsValue,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Axis {
    stroke: String,
    grid: Grid,
    ticks: Shown,
    font: String,
    label_font: String,
    label_size: i32,
    label_gap: i32,
    label: Option<String>,
    size: i32,
    gap: i32,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Grid {
    Hidden(Shown),
    Lines { stroke: String, width: i32 },
}

/// The first series, which is the horizontal axis, has no options.
#[derive(Default, Serialize)]
struct SeriesOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stroke: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fill: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<Shown>,
    /// What draws it, where that is not a line.
    #[serde(with = "serde_wasm_bindgen::preserve", skip_serializing_if = "JsValue::is_undefined")]
    paths: JsValue,
}

/// How bars fill their places: the part of a place, and the most pixels.
#[derive(Serialize)]
struct BarOptions {
    size: (f64, f64),
}

/// How a range goes on beyond the values.
#[derive(Serialize)]
struct RangeConfig {
    min: RangeEnd,
    max: RangeEnd,
}

#[derive(Serialize)]
struct RangeEnd {
    pad: f64,
    soft: f64,
    mode: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    hard: Option<f64>,
}

fn options(style: &ChartStyle, range: &Range, target: &HtmlElement) -> Options {
    let color = |token: &str| color_of(target, token);
    let x_label = match &style.x {
        XAxis::Time => None,
        XAxis::Number(label) => Some(label.as_str().to_owned()),
    };
    let font = window()
        .and_then(|window| window.get_computed_style(target).ok().flatten())
        .and_then(|style| style.get_property_value("font-family").ok())
        .unwrap_or_else(|| "sans-serif".to_owned());
    let font = format!("12px {font}");
    let axis = |label: Option<String>, size: i32, grid: Grid| Axis {
        stroke: color("--ink-soft"),
        grid,
        ticks: HIDDEN,
        font: font.clone(),
        label_font: font.clone(),
        label_size: 18,
        label_gap: 0,
        label,
        size,
        gap: 6,
    };
    let lines = Grid::Lines { stroke: color("--edge"), width: 1 };
    let shown = style.series.iter().enumerate().map(|(index, each)| {
        let has_bars = style.kind == ChartKind::Bars && index == 0;
        series_options(has_bars, each, color(each.color))
    });
    Options {
        width: target.client_width().max(120),
        height: style.height,
        padding: [10, 10, 0, 0],
        legend: HIDDEN,
        cursor: HIDDEN,
        scales: Scales {
            x: HorizontalScale { time: style.x == XAxis::Time },
            y: VerticalScale { range: range.as_ref().clone() },
        },
        axes: [axis(x_label, 28, Grid::Hidden(HIDDEN)), axis(Some(style.y_label.as_str().to_owned()), 48, lines)],
        series: std::iter::once(SeriesOptions::default()).chain(shown).collect(),
    }
}

fn series_options(has_bars: bool, series: &Series, color: String) -> SeriesOptions {
    let options = SeriesOptions {
        label: Some(series.name.as_str().to_owned()),
        stroke: Some(color.clone()),
        width: Some(1.5),
        points: Some(HIDDEN),
        ..SeriesOptions::default()
    };
    if !has_bars {
        return options;
    }
    let paths = bars(&to_js(&BarOptions { size: (0.86, 64.0) })).unwrap_or_default();
    SeriesOptions { fill: Some(color), width: Some(0.0), paths, ..options }
}

/// The vertical axis begins at zero, and leaves a tenth of room above what is beyond its usual end. It is there without a value,
/// too: the first label of the horizontal axis reaches below it, and would be cut at the edge of the chart.
fn from_zero(reaches: f64) -> Range {
    let min = RangeEnd { pad: 0.0, soft: 0.0, mode: 1, hard: Some(0.0) };
    let max = RangeEnd { pad: 0.1, soft: reaches, mode: 1, hard: None };
    let config = to_js(&RangeConfig { min, max });
    Closure::new(move |_, min: Option<f64>, max: Option<f64>| match min.zip(max) {
        Some((min, max)) => UPlot::range_num(min, max, &config),
        None => Array::of2(&0.into(), &reaches.max(1.0).into()),
    })
}

/// What a design token stands for at this moment.
fn color_of(element: &HtmlElement, token: &str) -> String {
    let style = window().and_then(|window| window.get_computed_style(element).ok().flatten());
    let color = style.and_then(|style| style.get_property_value(token).ok());
    color.map(|color| color.trim().to_owned()).unwrap_or_default()
}
