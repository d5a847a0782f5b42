//! The views of the feed: a card for each transport, the latency chart, and the overhead with many clients.

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::feed::{CHART_SECONDS, now};
use super::page::FeedRef;
use super::settings::{Selection, Transport};
use super::statistics::{
    PAPER_POLLING, PAPER_SOCKET, Sorted, Summary, USE_CASES, format_megabits, format_ms, format_overhead, megabits,
    or_dash,
};
use crate::components::{Chart, ChartData, ChartKind, ChartStyle, Series, XAxis};
use crate::format;
use crate::ticks::{READABLE, use_ticks};

#[derive(Properties, PartialEq)]
pub(super) struct TransportCardsProps {
    pub(super) feed: FeedRef,
    pub(super) is_running: bool,
    pub(super) selection: Selection,
    pub(super) on_select: Callback<Selection>,
}

/// A card for each transport.
#[component]
pub(super) fn TransportCards(props: &TransportCardsProps) -> Html {
    let TransportCardsProps { feed, is_running, selection, on_select } = props;
    use_ticks(READABLE, *is_running);
    html! {
        <section aria-label="Transports">
            <ul class="lab-cards">
                { for Transport::ALL.map(|transport| card(transport, feed, *selection, on_select)) }
            </ul>
            <p class="field-note lab-note">
                { "Counted at the server’s socket, above TLS: HTTP headers, chunks and frames count as overhead; TCP, IP and TLS do not. A browser \
                   opens at most six HTTP/1.1 connections to a server. The transports take up to four, which leaves two for calls." }
            </p>
        </section>
    }
}

fn card(transport: Transport, feed: &FeedRef, selection: Selection, on_select: &Callback<Selection>) -> Html {
    let statistics = feed.statistics(transport);
    let total = statistics.usage.total();
    let steady = statistics.usage.steady();
    let summary = Summary::of(&Sorted::of(statistics.latencies.iter().copied()));
    let onchange = {
        let on_select = on_select.clone();
        Callback::from(move |event: Event| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                on_select.emit(selection.with(transport, input.checked()));
            }
        })
    };
    let known = |number: u64| or_dash(statistics.has_begun().then(|| format::count(number)));
    let setup = statistics.usage.setup().filter(|_| !transport.is_polling());
    html! {
        <li class="card lab-card" style={format!("--lab-color: var({})", transport.color())} data-transport={transport.key()}>
            <label class="switch">
                <input type="checkbox" checked={selection.has(transport)} {onchange} /><span>{ transport.name() }</span>
            </label>
            <p class="field-note">{ transport.description() }</p>
            <p class="lab-overhead">
                <strong class="number">{ or_dash(steady.overhead_per_message().map(format_overhead)) }</strong>
                <span>{ "bytes per message" }</span>
            </p>
            <dl class="lab-figures">
                { figure("Messages", known(statistics.messages)) }
                { figure("Requests", or_dash(total.map(|total| format::count(total.requests)))) }
                { figure("Payload", or_dash(total.map(|total| format::bytes(total.payload)))) }
                { figure("Overhead", or_dash(total.map(|total| format::bytes(total.overhead())))) }
                if transport.is_polling() {
                    { figure("Per request", or_dash(steady.overhead_per_request().map(|bytes| format!("{} B", format_overhead(bytes))))) }
                } else {
                    { figure("Setup", or_dash(setup.map(|bytes| format!("{bytes:.0} B")))) }
                }
                { figure("Latency now", or_dash(statistics.latest().map(|latency| format!("{} ms", format_ms(latency))))) }
                { wide_figure("Mean ± SD", or_dash(summary.map(|summary| format!("{} ± {} ms", format_ms(summary.mean), format_ms(summary.deviation))))) }
                { wide_figure("p50 / p99", or_dash(summary.map(|summary| format!("{} / {} ms", format_ms(summary.p50), format_ms(summary.p99))))) }
                { figure("Lost", known(statistics.lost)) }
                { figure("Reconnects", known(statistics.failures)) }
            </dl>
        </li>
    }
}

/// A figure with two values, which takes a row of its own.
fn wide_figure(name: &'static str, value: String) -> Html {
    html! { <div class="is-wide"><dt>{ name }</dt><dd class="number">{ value }</dd></div> }
}

fn figure(name: &'static str, value: String) -> Html {
    html! { <div><dt>{ name }</dt><dd class="number">{ value }</dd></div> }
}

#[derive(Properties, PartialEq)]
pub(super) struct LatencyCardProps {
    pub(super) feed: FeedRef,
    pub(super) is_running: bool,
}

/// The latency over the last seconds.
#[component]
pub(super) fn LatencyCard(props: &LatencyCardProps) -> Html {
    let LatencyCardProps { feed, is_running } = props;
    use_ticks(READABLE, *is_running);
    let data = use_memo((), |()| ChartData::default());
    let style = use_memo((), |()| latency_style());
    {
        let (feed, data, is_running) = (feed.clone(), data.clone(), *is_running);
        use_effect(move || {
            if is_running {
                data.set(latency_columns(&feed, now()));
            }
        });
    }
    html! {
        <section class="card" aria-labelledby="lab-latency">
            <div class="card-head"><h2 id="lab-latency">{ "Latency" }</h2><span class="field-note">{ "mean per second" }</span></div>
            <Chart data={(*data).clone()} style={(*style).clone()} label="Latency of each transport over the last 30 seconds; the cards show the figures" />
            <p class="lab-keys field-note" aria-hidden="true">
                { for Transport::ALL.map(|transport| html! {
                    <span><span class="key" style={format!("--lab-color: var({})", transport.color())}></span>{ transport.name() }</span>
                }) }
            </p>
        </section>
    }
}

fn latency_columns(feed: &FeedRef, now: f64) -> Vec<Vec<f64>> {
    let column = |transport| {
        let mut seconds = feed.statistics(transport).seconds(now);
        // Just after the page was opened there are fewer seconds.
        let missing = CHART_SECONDS - seconds.len();
        seconds.splice(0..0, std::iter::repeat_n(f64::NAN, missing));
        fill_gaps(seconds)
    };
    let mut columns = vec![(0..CHART_SECONDS).map(|second| second as f64 - (CHART_SECONDS - 1) as f64).collect()];
    columns.extend(Transport::ALL.map(column));
    columns
}

/// Fills gaps of up to three seconds with the last value: a feed with one message per second that is polled every two seconds has
/// seconds without a message, and the current second may not have one yet.
fn fill_gaps(mut seconds: Vec<f64>) -> Vec<f64> {
    const MAX_GAP: usize = 3;
    let mut latest = (f64::NAN, 0);
    for second in &mut seconds {
        if second.is_nan() {
            latest.1 += 1;
            if latest.1 <= MAX_GAP {
                *second = latest.0;
            }
        } else {
            latest = (*second, 0);
        }
    }
    seconds
}

fn latency_style() -> ChartStyle {
    ChartStyle {
        kind: ChartKind::Lines,
        x: XAxis::Number("seconds from now".into()),
        y_label: "ms".into(),
        series: Transport::ALL.map(|each| Series { name: each.name().into(), color: each.color() }).into(),
        height: 290,
    }
}

#[derive(Properties, PartialEq)]
pub(super) struct OverheadCardProps {
    pub(super) feed: FeedRef,
    pub(super) is_running: bool,
}

/// The bandwidth that the overhead alone takes with thousands of clients.
#[component]
pub(super) fn OverheadCard(props: &OverheadCardProps) -> Html {
    let OverheadCardProps { feed, is_running } = props;
    use_ticks(READABLE, *is_running);
    let measured = Transport::ALL.map(|transport| {
        let steady = feed.statistics(transport).usage.steady();
        overhead_row(transport.name().to_owned(), transport.overhead_per_second(&steady), false)
    });
    html! {
        <section class="card" aria-labelledby="lab-overhead">
            <div class="card-head">
                <h2 id="lab-overhead">{ "Overhead with many clients" }</h2>
                <span class="field-note">{ "one message per second each" }</span>
            </div>
            <div class="scroll" tabindex="0" role="region" aria-label="Overhead with many clients">
                <table class="lab-table">
                    <thead>
                        <tr>
                            <th scope="col">{ "Transport" }</th>
                            <th scope="col">{ "Bytes per message" }</th>
                            { for USE_CASES.iter().map(|case| html! {
                                <th scope="col">{ format!("{}: {} clients", case.name, format::count(case.clients.into())) }</th>
                            }) }
                        </tr>
                    </thead>
                    <tbody>
                        { overhead_row("Polling, in the paper".to_owned(), Some(PAPER_POLLING), true) }
                        { for measured }
                        { overhead_row("WebSocket, in the paper".to_owned(), Some(PAPER_SOCKET), true) }
                    </tbody>
                </table>
            </div>
            <p class="field-note lab-note">
                { "Mbit/s of overhead, measured here. The rows “in the paper” are from Lubbers and Greco, “HTML5 WebSocket: A Quantum Leap in \
                   Scalability for the Web” (2010), who counted 871 bytes of headers per poll and 2 per frame; the latter holds for payloads of up to 125 bytes. With polling, \
                   each message takes a request. 1 Mbit is 2²⁰ bits, as in the paper." }
            </p>
        </section>
    }
}

fn overhead_row(name: String, bytes: Option<f64>, is_historical: bool) -> Html {
    html! {
        <tr class={classes!(is_historical.then_some("is-historical"))}>
            <th scope="row">{ name }</th>
            <td>{ or_dash(bytes.map(format_overhead)) }</td>
            { for USE_CASES.iter().map(|case| html! { <td>{ or_dash(bytes.map(|bytes| format_megabits(megabits(case.clients, bytes)))) }</td> }) }
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_gaps_are_filled_and_long_ones_are_shown() {
        let filled = fill_gaps(vec![f64::NAN, 5.0, f64::NAN, 6.0, f64::NAN, f64::NAN, f64::NAN, f64::NAN]);
        assert!(filled[0].is_nan() && filled[7].is_nan());
        assert_eq!(filled[1..7], [5.0, 5.0, 6.0, 6.0, 6.0, 6.0]);
    }
}
