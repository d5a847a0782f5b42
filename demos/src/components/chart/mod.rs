//! Charts that follow live data.
//!
//! # Layout
//! - [`data`]: what is drawn, set without rendering
//! - [`style`]: how it is drawn
//! - `plot`, `uplot`: the chart in the page, by the library uPlot

mod data;
mod plot;
mod style;
mod uplot;

use wasm_bindgen::prelude::*;
use web_sys::{HtmlElement, ResizeObserver};
use yew::prelude::*;

pub(crate) use data::ChartData;
use plot::Plot;
pub(crate) use style::{ChartKind, ChartStyle, Series, XAxis};

use crate::theme::ThemeWatch;

#[derive(Properties, PartialEq)]
pub(crate) struct ChartProps {
    pub(crate) data: ChartData,
    pub(crate) style: ChartStyle,
    /// What the chart shows, for those who cannot see it.
    pub(crate) label: AttrValue,
    /// How far the vertical axis reaches also where all values are smaller.
    #[prop_or(1e-3)]
    pub(crate) reaches: f64,
}

/// A chart as wide as its place. It is drawn anew when the page turns light or dark.
#[component]
pub(crate) fn Chart(props: &ChartProps) -> Html {
    let place = use_node_ref();
    {
        let place = place.clone();
        let looks = (props.data.clone(), props.style.clone(), props.reaches);
        use_effect_with(looks, move |(data, style, reaches)| {
            let living = place.cast::<HtmlElement>().map(|place| Living::start(data, style, *reaches, &place));
            move || drop(living)
        });
    }
    let height = format!("height: {}px", props.style.height);
    html! { <div class="chart" ref={place} role="img" aria-label={props.label.clone()} style={height}></div> }
}

/// A chart that follows its place's width and its page's colours. Dropping it ends that and takes the chart out.
struct Living {
    data: ChartData,
    observer: Option<ResizeObserver>,
    _theme: ThemeWatch,
    // The observer calls it until it is disconnected.
    _on_resize: Closure<dyn Fn()>,
}

impl Living {
    fn start(data: &ChartData, style: &ChartStyle, reaches: f64, place: &HtmlElement) -> Self {
        let draw = {
            let (data, style, place) = (data.clone(), style.clone(), place.clone());
            move || {
                data.show(None);
                data.show(Plot::new(&style, reaches, &data.columns(), &place));
            }
        };
        draw();
        let on_resize = {
            let (data, place) = (data.clone(), place.clone());
            Closure::<dyn Fn()>::new(move || data.fit(place.client_width()))
        };
        let observer = ResizeObserver::new(on_resize.as_ref().unchecked_ref()).ok();
        if let Some(observer) = &observer {
            observer.observe(place);
        }
        Self { data: data.clone(), observer, _theme: ThemeWatch::start(draw), _on_resize: on_resize }
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        if let Some(observer) = &self.observer {
            observer.disconnect();
        }
        self.data.show(None);
    }
}
