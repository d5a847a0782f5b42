//! The views of an experiment: its controls, progress and results, and the distribution of the times.

use std::cell::RefCell;
use std::rc::Rc;

use web_sys::Element;
use yew::prelude::*;

use super::experiment::{Environment, Plan, Results, run};
use super::export::{save_csv, save_image};
use super::feed::now;
use super::page::{FeedRef, ResultsRef, select, toggle};
use super::settings::{Selection, Settings, Transport};
use super::statistics::{Distribution, Sorted, Summary, format_ms, format_overhead, or_dash};
use crate::components::{Chart, ChartData, ChartKind, ChartStyle, Series, XAxis};
use crate::format;
use crate::job::Job;
use crate::server::Server;
use crate::ticks::{READABLE, use_ticks};

/// The milliseconds between two renders during an experiment. Rendering delays the calls.
const RENDER_INTERVAL: u32 = 400;

#[derive(Properties, PartialEq)]
pub(super) struct ExperimentCardProps {
    pub(super) server: Server,
    /// Whether the connection to the server is open.
    pub(super) is_open: bool,
    pub(super) settings: Settings,
    pub(super) selection: Selection,
    pub(super) results: Option<ResultsRef>,
    pub(super) on_results: Callback<ResultsRef>,
    /// Called when an experiment starts, which needs the network for itself, and when it ends.
    pub(super) on_experimenting: Callback<bool>,
}

/// A running experiment. Dropping it stops it.
struct RunningExperiment {
    _job: Job,
    started_at: f64,
}

/// Makes sets of calls over each transport, and shows their results.
#[component]
pub(super) fn ExperimentCard(props: &ExperimentCardProps) -> Html {
    let ExperimentCardProps { server, is_open, settings, selection, results, on_results, on_experimenting } = props;
    let calls = use_state_eq(|| Plan::DEFAULT_CALLS);
    let sets = use_state_eq(|| Plan::SETS[0]);
    let running = use_state(|| None::<Rc<RunningExperiment>>);
    let is_running = running.is_some();
    use_ticks(RENDER_INTERVAL, is_running);
    use_effect_with((is_running, on_experimenting.clone()), |(is_running, on_experimenting)| {
        on_experimenting.emit(*is_running)
    });
    let plan = Plan { calls: *calls, sets: *sets, transports: selection.transports() };

    let on_toggle = {
        let (server, settings, plan) = (server.clone(), *settings, plan.clone());
        let (running, on_results) = (running.setter(), on_results.clone());
        Callback::from(move |_: MouseEvent| {
            if is_running {
                return running.set(None);
            }
            let results = ResultsRef::new(RefCell::new(Results::new(plan.clone(), conditions(&settings))));
            on_results.emit(results.clone());
            let (server, plan, ended) = (server.clone(), plan.clone(), running.clone());
            let job = Job::start(async move {
                if let Ok(base) = server.base().await {
                    let environment = Environment { base, network: settings.network, period: settings.period };
                    run(plan, environment, Rc::clone(&results)).await;
                }
                ended.set(None);
            });
            running.set(Some(Rc::new(RunningExperiment { _job: job, started_at: now() })));
        })
    };
    let save_as = |name: &'static str, text: fn(&Results) -> String| {
        let saved = results.clone();
        let onclick = Callback::from(move |_: MouseEvent| {
            saved.iter().for_each(|results| save_csv(name, &text(&results.borrow())))
        });
        let label = if name == "calls" { "Save calls (CSV)" } else { "Save summary (CSV)" };
        html! { <button type="button" class="button button-small" {onclick} disabled={results.is_none()}>{ label }</button> }
    };
    let numbers = |of: &[usize]| of.iter().map(|number| (*number, format::count(*number as u64))).collect::<Vec<_>>();
    html! {
        <section class="card" aria-labelledby="lab-experiment">
            <div class="card-head">
                <h2 id="lab-experiment">{ "Experiment" }</h2>
                <div class="toolbar">{ save_as("calls", Results::samples_csv) }{ save_as("summary", Results::summary_csv) }</div>
            </div>
            <p class="field-note">
                { "A call is a request to the server and its answer. Over HTTP, the request is a POST, and the answer arrives the way the transport \
                   delivers messages: with polling, that is the next poll, so calls are made at random moments. The transports selected above take turns, set by set." }
            </p>
            <div class="lab-fields lab-trial">
                { select("Calls per set", &numbers(&Plan::CALLS), *calls, is_running, { let calls = calls.setter(); move |to| calls.set(to) }) }
                { select("Sets", &numbers(&Plan::SETS), *sets, is_running, { let sets = sets.setter(); move |to| sets.set(to) }) }
                { toggle(is_running, "Run", "Abort", *is_open && !plan.transports.is_empty(), on_toggle) }
            </div>
            // The progress is not announced to screen readers, only the end.
            <p class="visually-hidden" role="status">
                if let Some(results) = results.as_ref().filter(|_| !is_running) {
                    { format!("Experiment {}.", outcome(&results.borrow())) }
                }
            </p>
            if let Some(results) = results {
                { progress(&results.borrow(), running.as_deref()) }
                { results_table(&results.borrow()) }
            }
        </section>
    }
}

fn progress(results: &Results, running: Option<&RunningExperiment>) -> Html {
    let (made, total) = (results.made(), results.plan.total());
    let left = running.filter(|_| made > 0).map(|running| {
        let each = (now() - running.started_at) / made as f64;
        format!(", about {} left", format::milliseconds(each * (total - made) as f64))
    });
    let state = match running {
        Some(_) => left.unwrap_or_default(),
        None => format!(", {}", outcome(results)),
    };
    html! {
        <div class="lab-progress">
            <progress class="progress" max={total.to_string()} value={made.to_string()} aria-label="Calls made" />
            <span class="field-note number">
                { format!("{} of {} calls{state}", format::count(made as u64), format::count(total as u64)) }
            </span>
        </div>
    }
}

fn outcome(results: &Results) -> &'static str {
    if results.is_complete() { "complete" } else { "aborted" }
}

fn conditions(settings: &Settings) -> String {
    let network = settings.network;
    format!(
        "polled every {} ms, delay {} ms, jitter {} ms, loss {} %",
        settings.period, network.delay, network.jitter, network.loss
    )
}

/// The results of an experiment, with a row for each transport.
fn results_table(results: &Results) -> Html {
    let heads = ["Transport", "Calls", "Mean", "SD", "p50", "p99", "Min", "Max", "Requests", "Overhead per call"];
    html! {
        <>
            <div class="scroll" tabindex="0" role="region" aria-label="Results of the experiment">
                <table class="lab-table">
                    <thead><tr>{ for heads.map(|head| html! { <th scope="col">{ head }</th> }) }</tr></thead>
                    <tbody>{ for results.plan.transports.iter().map(|transport| results_row(*transport, results)) }</tbody>
                </table>
            </div>
            <p class="field-note lab-note">{ format!("Round trips in milliseconds; {}.", results.conditions) }</p>
        </>
    }
}

fn results_row(transport: Transport, results: &Results) -> Html {
    let summary = results.summary(transport);
    let figure = |value: fn(&Summary) -> f64| html! { <td>{ or_dash(summary.as_ref().map(|summary| format_ms(value(summary)))) }</td> };
    let unanswered = results.unanswered(transport);
    let count = format::count(results.round_trips(transport).len() as u64);
    html! {
        <tr>
            <th scope="row">{ transport.name() }</th>
            <td>{ if unanswered > 0 { format!("{count}, {unanswered} unanswered") } else { count } }</td>
            { figure(|summary| summary.mean) }
            { figure(|summary| summary.deviation) }
            { figure(|summary| summary.p50) }
            { figure(|summary| summary.p99) }
            { figure(|summary| summary.min) }
            { figure(|summary| summary.max) }
            <td>{ format::count(results.usage(transport).requests) }</td>
            <td>{ or_dash(results.overhead_per_call(transport).map(|bytes| format!("{} B", format_overhead(bytes)))) }</td>
        </tr>
    }
}

#[derive(Properties, PartialEq)]
pub(super) struct DistributionCardProps {
    pub(super) feed: FeedRef,
    pub(super) is_running: bool,
    pub(super) results: Option<ResultsRef>,
    /// Whether an experiment is running, so that the results change.
    pub(super) is_experimenting: bool,
}

const CURVE: &str = "The curve is the normal distribution with this mean and SD.";

/// The times that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimesShown {
    /// Latencies of the feed.
    Feed,
    /// Round trips of the experiment.
    Calls,
}

/// The distribution of one transport's times, with the normal curve that fits it.
#[component]
pub(super) fn DistributionCard(props: &DistributionCardProps) -> Html {
    let DistributionCardProps { feed, is_running, results, is_experimenting } = props;
    let transport = use_state_eq(|| Transport::WebSocket);
    let times = use_state_eq(|| TimesShown::Feed);
    use_ticks(READABLE, if *times == TimesShown::Calls { *is_experimenting } else { *is_running });
    let data = use_memo((), |()| ChartData::default());
    let style = use_memo(*transport, |transport| distribution_style(*transport));
    let card = use_node_ref();

    let describe = |sample: &Sorted| (Summary::of(sample), Distribution::of(sample));
    let (summary, distribution) = match (*times, results) {
        (TimesShown::Calls, Some(results)) => describe(results.borrow().sorted(*transport)),
        (TimesShown::Calls, None) => (None, None),
        (TimesShown::Feed, _) => describe(&Sorted::of(feed.statistics(*transport).latencies.iter().copied())),
    };
    let beyond = distribution.as_ref().map_or(0, |distribution| distribution.beyond);
    {
        let data = data.clone();
        use_effect(move || {
            data.set(distribution.map(distribution_columns).unwrap_or_default());
        });
    }
    let figures = summary.map(|summary| figures(&summary));
    let what = if *times == TimesShown::Calls { "round trips of calls" } else { "latency of the feed" };
    let on_save = {
        let (card, transport, figures) = (card.clone(), *transport, figures.clone());
        Callback::from(move |_: MouseEvent| {
            if let (Some(card), Some(figures)) = (card.cast::<Element>(), &figures) {
                save_image(transport.key(), &card, &format!("{}, {what}", transport.name()), figures);
            }
        })
    };
    let transports = Transport::ALL.map(|transport| (transport, transport.name().to_owned()));
    let kinds = [(TimesShown::Feed, "Feed latency".to_owned()), (TimesShown::Calls, "Call round trip".to_owned())];
    html! {
        <section class="card lab-distribution" aria-labelledby="lab-distribution" ref={card}>
            <div class="card-head">
                <h2 id="lab-distribution">{ "Distribution" }</h2>
                <button type="button" class="button button-small" onclick={on_save} disabled={figures.is_none()}>{ "Save image" }</button>
            </div>
            <div class="lab-pick">
                { select("Transport", &transports, *transport, false, { let transport = transport.setter(); move |to| transport.set(to) }) }
                { select("Times", &kinds, *times, false, { let times = times.setter(); move |to| times.set(to) }) }
            </div>
            <Chart data={(*data).clone()} style={(*style).clone()} label={format!("Histogram of the {what} over {}", transport.name())} />
            <p class="lab-fit number" aria-live="off">
                { figures.map_or_else(|| "Nothing measured yet.".to_owned(), |figures| format!("{figures}. {CURVE}")) }
                if beyond > 0 {
                    { format!(" {} slower values are not shown.", format::count(beyond as u64)) }
                }
            </p>
        </section>
    }
}

/// The columns of the chart, with an empty place at each end: the chart is as wide as its values, which would cut the outer bars in half.
fn distribution_columns(distribution: Distribution) -> Vec<Vec<f64>> {
    let Distribution { middles, counts, normal, .. } = distribution;
    let (Some(first), Some(last)) = (middles.first().copied(), middles.last().copied()) else { return Vec::new() };
    let width = middles.get(1).map_or(0.0, |second| second - first);
    let pad = |before: f64, values: Vec<f64>, after: f64| [vec![before], values, vec![after]].concat();
    vec![pad(first - width, middles, last + width), pad(0.0, counts, 0.0), pad(f64::NAN, normal, f64::NAN)]
}

fn figures(summary: &Summary) -> String {
    let Summary { count, mean, deviation, p50, p99, .. } = *summary;
    format!(
        "n = {}, mean {} ms, SD {} ms, p50 {} ms, p99 {} ms",
        format::count(count as u64),
        format_ms(mean),
        format_ms(deviation),
        format_ms(p50),
        format_ms(p99)
    )
}

fn distribution_style(transport: Transport) -> ChartStyle {
    let series = [("Count", transport.color()), ("Normal distribution", "--ink")];
    ChartStyle {
        kind: ChartKind::Bars,
        x: XAxis::Number("ms".into()),
        y_label: "count".into(),
        series: series.map(|(name, color)| Series { name: name.into(), color }).into(),
        height: 220,
    }
}
