use yew::AttrValue;

/// How a chart is drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ChartStyle {
    pub(crate) kind: ChartKind,
    pub(crate) x: XAxis,
    /// What is beside the vertical axis, with its unit.
    pub(crate) y_label: AttrValue,
    pub(crate) series: Vec<Series>,
    /// In CSS pixels.
    pub(crate) height: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChartKind {
    Lines,
    /// A bar over each x for the first series, and lines for the others.
    Bars,
}

/// What is along the horizontal axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum XAxis {
    /// Seconds since the Unix epoch, shown as the time of day.
    Time,
    /// A number, with its name and unit.
    Number(AttrValue),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: AttrValue,
    /// The name of a design token that holds a colour, like `--alive`.
    pub(crate) color: &'static str,
}
