use js_sys::{Array, Object, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{HtmlElement, window};

use super::style::{ChartKind, ChartStyle, Series, XAxis};
use super::uplot::{UPlot, bars};

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
        let options = options(style, &range, target);
        let chart = UPlot::new(&options, &complete(columns, style), target).ok()?;
        Some(Self { chart, height: style.height, _range: range })
    }

    pub(super) fn draw(&self, columns: &Array) {
        self.chart.set_data(columns);
    }

    pub(super) fn fit(&self, width: i32) {
        self.chart.set_size(&object([("width", width.into()), ("height", self.height.into())]));
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

fn options(style: &ChartStyle, range: &Range, target: &HtmlElement) -> Object {
    let color = |token: &str| -> JsValue { color_of(target, token).into() };
    let is_time = style.x == XAxis::Time;
    let x_label: JsValue = match &style.x {
        XAxis::Time => JsValue::UNDEFINED,
        XAxis::Number(label) => label.as_str().into(),
    };
    let grid: JsValue = object([("stroke", color("--edge")), ("width", 1.into())]).into();
    let font = window()
        .and_then(|window| window.get_computed_style(target).ok().flatten())
        .and_then(|style| style.get_property_value("font-family").ok())
        .unwrap_or_else(|| "sans-serif".to_owned());
    let font: JsValue = format!("12px {font}").into();
    let axis = |label: JsValue, size: i32, grid: JsValue| -> JsValue {
        object([
            ("stroke", color("--ink-soft")),
            ("grid", grid.clone()),
            ("ticks", object([("show", false.into())]).into()),
            ("font", font.clone()),
            ("labelFont", font.clone()),
            ("labelSize", 18.into()),
            ("labelGap", 0.into()),
            ("label", label),
            ("size", size.into()),
            ("gap", 6.into()),
        ])
        .into()
    };
    let no_grid: JsValue = object([("show", false.into())]).into();
    let axes = Array::of2(&axis(x_label, 28, no_grid), &axis(style.y_label.as_str().into(), 48, grid));
    let series = Array::of1(&Object::new());
    for (index, each) in style.series.iter().enumerate() {
        let has_bars = style.kind == ChartKind::Bars && index == 0;
        series.push(&series_options(has_bars, each, &color(each.color)));
    }
    let y: JsValue = object([("range", range.as_ref().clone())]).into();
    object([
        ("width", target.client_width().max(120).into()),
        ("height", style.height.into()),
        ("padding", Array::of4(&10.into(), &10.into(), &0.into(), &0.into()).into()),
        ("legend", object([("show", false.into())]).into()),
        ("cursor", object([("show", false.into())]).into()),
        ("scales", object([("x", object([("time", is_time.into())]).into()), ("y", y)]).into()),
        ("axes", axes.into()),
        ("series", series.into()),
    ])
}

fn series_options(has_bars: bool, series: &Series, color: &JsValue) -> Object {
    let options = object([
        ("label", series.name.as_str().into()),
        ("stroke", color.clone()),
        ("width", 1.5.into()),
        ("points", object([("show", false.into())]).into()),
    ]);
    if has_bars {
        set(&options, "fill", color);
        set(&options, "width", &0.into());
        let size = Array::of2(&0.86.into(), &64.into());
        if let Ok(paths) = bars(&object([("size", size.into())])) {
            set(&options, "paths", &paths);
        }
    }
    options
}

/// The vertical axis begins at zero, and leaves a tenth of room above what is beyond its usual end. It is there without a value,
/// too: the first label of the horizontal axis reaches below it, and would be cut at the edge of the chart.
fn from_zero(reaches: f64) -> Range {
    let end = |pad: f64, hard: bool, at: f64| -> JsValue {
        let options = object([("pad", pad.into()), ("soft", at.into()), ("mode", 1.into())]);
        if hard {
            set(&options, "hard", &at.into());
        }
        options.into()
    };
    let config = object([("min", end(0.0, true, 0.0)), ("max", end(0.1, false, reaches))]);
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

fn object<const N: usize>(entries: [(&str, JsValue); N]) -> Object {
    let object = Object::new();
    for (key, value) in &entries {
        set(&object, key, value);
    }
    object
}

fn set(object: &Object, key: &str, value: &JsValue) {
    // It fails only for objects that were frozen, and these are new.
    let _ = Reflect::set(object, &key.into(), value);
}
