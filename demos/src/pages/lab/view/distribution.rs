use web_sys::Element;
use yew::prelude::*;

use super::choice::choice;
use super::words::ms;
use crate::components::{Chart, ChartData, ChartKind, ChartStyle, Series, XAxis};
use crate::format;
use crate::pages::lab::numbers::{Histogram, Sorted, Summary};
use crate::pages::lab::save;
use crate::pages::lab::transport::Transport;
use crate::pages::lab::{BenchRef, ResultsRef};
use crate::ticks::{READABLE, use_ticks};

#[derive(Properties, PartialEq)]
pub(in crate::pages::lab) struct DistributionProps {
    pub(in crate::pages::lab) bench: BenchRef,
    pub(in crate::pages::lab) is_running: bool,
    pub(in crate::pages::lab) results: Option<ResultsRef>,
    /// Whether calls are being made, so that the results change.
    pub(in crate::pages::lab) is_trying: bool,
}

const CURVE: &str = "The curve is the normal distribution with this mean and SD.";

/// Which times are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    /// Latencies of the feed.
    Feed,
    /// Round trips of the experiment.
    Calls,
}

/// The distribution of one transport's times, with the normal curve that fits it.
#[component]
pub(in crate::pages::lab) fn Distribution(props: &DistributionProps) -> Html {
    let DistributionProps { bench, is_running, results, is_trying } = props;
    let transport = use_state_eq(|| Transport::WebSocket);
    let times = use_state_eq(|| Times::Feed);
    use_ticks(READABLE, if *times == Times::Calls { *is_trying } else { *is_running });
    let data = use_memo((), |()| ChartData::default());
    let style = use_memo(*transport, |transport| style(*transport));
    let place = use_node_ref();

    let drawn = |sample: &Sorted| (Summary::of(sample), Histogram::of(sample));
    let (summary, histogram) = match (*times, results) {
        (Times::Calls, Some(results)) => drawn(results.borrow().sorted(*transport)),
        (Times::Calls, None) => (None, None),
        (Times::Feed, _) => drawn(&Sorted::of(bench.track(*transport).latencies.iter().copied())),
    };
    let beyond = histogram.as_ref().map_or(0, |histogram| histogram.beyond);
    {
        let data = data.clone();
        use_effect(move || {
            data.set(histogram.map(columns).unwrap_or_default());
        });
    }
    let figures = summary.map(|summary| figures(&summary));
    let what = if *times == Times::Calls { "round trips of calls" } else { "latency of the feed" };
    let on_save = {
        let (place, transport, figures) = (place.clone(), *transport, figures.clone());
        Callback::from(move |_: MouseEvent| {
            if let (Some(place), Some(figures)) = (place.cast::<Element>(), &figures) {
                save::picture(transport.key(), &place, &format!("{}, {what}", transport.name()), figures);
            }
        })
    };
    let transports = Transport::ALL.map(|transport| (transport, transport.name().to_owned()));
    let kinds = [(Times::Feed, "Feed latency".to_owned()), (Times::Calls, "Call round trip".to_owned())];
    html! {
        <section class="card lab-distribution" aria-labelledby="lab-distribution" ref={place}>
            <div class="card-head">
                <h2 id="lab-distribution">{ "Distribution" }</h2>
                <button type="button" class="button button-small" onclick={on_save} disabled={figures.is_none()}>{ "Save picture" }</button>
            </div>
            <div class="lab-pick">
                { choice("Transport", &transports, *transport, false, { let transport = transport.setter(); move |to| transport.set(to) }) }
                { choice("Times", &kinds, *times, false, { let times = times.setter(); move |to| times.set(to) }) }
            </div>
            <Chart data={(*data).clone()} style={(*style).clone()} label={format!("Histogram of the {what} over {}", transport.name())} />
            <p class="lab-fit number" aria-live="off">
                { figures.map_or_else(|| "Nothing measured yet.".to_owned(), |figures| format!("{figures}. {CURVE}")) }
                if beyond > 0 {
                    { format!(" {} slower than shown.", format::count(beyond as u64)) }
                }
            </p>
        </section>
    }
}

/// The chart's columns. It ends where its first and last values are, which would cut the bars there in two, so that there is an
/// empty place before the first and after the last.
fn columns(histogram: Histogram) -> Vec<Vec<f64>> {
    let Histogram { middles, counts, normal, .. } = histogram;
    let (Some(first), Some(last)) = (middles.first().copied(), middles.last().copied()) else { return Vec::new() };
    let width = middles.get(1).map_or(0.0, |second| second - first);
    let framed = |before: f64, of: Vec<f64>, after: f64| [vec![before], of, vec![after]].concat();
    vec![framed(first - width, middles, last + width), framed(0.0, counts, 0.0), framed(f64::NAN, normal, f64::NAN)]
}

fn figures(summary: &Summary) -> String {
    let Summary { count, mean, deviation, p50, p99, .. } = *summary;
    format!(
        "n = {}, mean {} ms, SD {} ms, p50 {} ms, p99 {} ms",
        format::count(count as u64),
        ms(mean),
        ms(deviation),
        ms(p50),
        ms(p99)
    )
}

fn style(transport: Transport) -> ChartStyle {
    let series = [("Count", transport.color()), ("Normal distribution", "--ink")];
    ChartStyle {
        kind: ChartKind::Bars,
        x: XAxis::Number("ms".into()),
        y_label: "count".into(),
        series: series.map(|(name, color)| Series { name: name.into(), color }).into(),
        height: 220,
    }
}
