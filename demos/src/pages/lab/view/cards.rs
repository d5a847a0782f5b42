use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::words::{ms, or_dash, overhead};
use crate::format;
use crate::pages::lab::BenchRef;
use crate::pages::lab::numbers::{Sorted, Summary};
use crate::pages::lab::settings::Chosen;
use crate::pages::lab::transport::Transport;
use crate::ticks::{READABLE, use_ticks};

#[derive(Properties, PartialEq)]
pub(in crate::pages::lab) struct CardsProps {
    pub(in crate::pages::lab) bench: BenchRef,
    pub(in crate::pages::lab) is_running: bool,
    pub(in crate::pages::lab) chosen: Chosen,
    pub(in crate::pages::lab) on_choose: Callback<Chosen>,
}

/// A card for each transport.
#[component]
pub(in crate::pages::lab) fn Cards(props: &CardsProps) -> Html {
    let CardsProps { bench, is_running, chosen, on_choose } = props;
    use_ticks(READABLE, *is_running);
    html! {
        <section aria-label="Transports">
            <ul class="lab-cards">
                { for Transport::ALL.map(|transport| card(transport, bench, *chosen, on_choose)) }
            </ul>
            <p class="field-note lab-note">
                { "Counted at the server’s socket, above TLS: heads, chunks and frames are overhead, TCP, IP and TLS are not in it. A browser \
                   opens six HTTP/1.1 connections to a server at most; these take up to four, and the others are left for calls." }
            </p>
        </section>
    }
}

fn card(transport: Transport, bench: &BenchRef, chosen: Chosen, on_choose: &Callback<Chosen>) -> Html {
    let track = bench.track(transport);
    let total = track.bytes.total();
    let steady = track.bytes.steady();
    let summary = Summary::of(&Sorted::of(track.latencies.iter().copied()));
    let onchange = {
        let on_choose = on_choose.clone();
        Callback::from(move |event: Event| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                on_choose.emit(chosen.with(transport, input.checked()));
            }
        })
    };
    let known = |number: u64| or_dash(track.has_begun().then(|| format::count(number)));
    let set_up = track.bytes.set_up().filter(|_| !transport.asks());
    html! {
        <li class="card lab-card" style={format!("--lab-color: var({})", transport.color())} data-transport={transport.key()}>
            <label class="switch">
                <input type="checkbox" checked={chosen.has(transport)} {onchange} /><span>{ transport.name() }</span>
            </label>
            <p class="field-note">{ transport.explained() }</p>
            <p class="lab-overhead">
                <strong class="number">{ or_dash(steady.overhead_per_message().map(overhead)) }</strong>
                <span>{ "bytes a message" }</span>
            </p>
            <dl class="lab-figures">
                { figure("Messages", known(track.messages)) }
                { figure("Requests", or_dash(total.map(|total| format::count(total.requests)))) }
                { figure("Payload", or_dash(total.map(|total| format::bytes(total.payload)))) }
                { figure("Overhead", or_dash(total.map(|total| format::bytes(total.overhead())))) }
                if transport.asks() {
                    { figure("A request", or_dash(steady.overhead_per_request().map(|bytes| format!("{} B", overhead(bytes))))) }
                } else {
                    { figure("Set-up", or_dash(set_up.map(|bytes| format!("{bytes:.0} B")))) }
                }
                { figure("Latency now", or_dash(track.latest().map(|latency| format!("{} ms", ms(latency))))) }
                { wide_figure("Mean ± SD", or_dash(summary.map(|summary| format!("{} ± {} ms", ms(summary.mean), ms(summary.deviation))))) }
                { wide_figure("p50 / p99", or_dash(summary.map(|summary| format!("{} / {} ms", ms(summary.p50), ms(summary.p99))))) }
                { figure("Lost", known(track.lost)) }
                { figure("Reconnects", known(track.troubles)) }
            </dl>
        </li>
    }
}

/// A figure that needs a line of its own where there are two in one.
fn wide_figure(name: &'static str, value: String) -> Html {
    html! { <div class="is-wide"><dt>{ name }</dt><dd class="number">{ value }</dd></div> }
}

fn figure(name: &'static str, value: String) -> Html {
    html! { <div><dt>{ name }</dt><dd class="number">{ value }</dd></div> }
}
