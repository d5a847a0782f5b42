use yew::prelude::*;

use super::words::{megabits as shown, or_dash, overhead};
use crate::format;
use crate::pages::lab::BenchRef;
use crate::pages::lab::numbers::{PAPER_POLLING, PAPER_SOCKET, USE_CASES, megabits};
use crate::pages::lab::transport::Transport;
use crate::ticks::{READABLE, use_ticks};

#[derive(Properties, PartialEq)]
pub(in crate::pages::lab) struct OverheadCardProps {
    pub(in crate::pages::lab) bench: BenchRef,
    pub(in crate::pages::lab) is_running: bool,
}

/// What the overhead alone takes of the network when thousands get a message a second.
#[component]
pub(in crate::pages::lab) fn OverheadCard(props: &OverheadCardProps) -> Html {
    let OverheadCardProps { bench, is_running } = props;
    use_ticks(READABLE, *is_running);
    let measured = Transport::ALL.map(|transport| {
        let steady = bench.track(transport).bytes.steady();
        row(transport.name().to_owned(), transport.overhead_a_second(&steady), false)
    });
    html! {
        <section class="card" aria-labelledby="lab-overhead">
            <div class="card-head">
                <h2 id="lab-overhead">{ "Overhead of many clients" }</h2>
                <span class="field-note">{ "one message a second each" }</span>
            </div>
            <div class="scroll" tabindex="0" role="region" aria-label="Overhead of many clients">
                <table class="lab-table">
                    <thead>
                        <tr>
                            <th scope="col">{ "Transport" }</th>
                            <th scope="col">{ "Bytes a message" }</th>
                            { for USE_CASES.iter().map(|case| html! {
                                <th scope="col">{ format!("{}: {} clients", case.name, format::count(case.clients.into())) }</th>
                            }) }
                        </tr>
                    </thead>
                    <tbody>
                        { row("Polling, in the paper".to_owned(), Some(PAPER_POLLING), true) }
                        { for measured }
                        { row("WebSocket, in the paper".to_owned(), Some(PAPER_SOCKET), true) }
                    </tbody>
                </table>
            </div>
            <p class="field-note lab-note">
                { "Mbit/s of overhead. Measured here, but where it says otherwise: Lubbers and Greco, “HTML5 WebSocket: A Quantum Leap in \
                   Scalability for the Web”, counted 871 bytes of headers for a poll and 2 for a frame, which holds for up to 125 bytes of payload. With polling \
                   there is a request for each message. A Mbit is 2²⁰ bits, as there." }
            </p>
        </section>
    }
}

fn row(name: String, bytes: Option<f64>, is_historical: bool) -> Html {
    html! {
        <tr class={classes!(is_historical.then_some("is-historical"))}>
            <th scope="row">{ name }</th>
            <td>{ or_dash(bytes.map(overhead)) }</td>
            { for USE_CASES.iter().map(|case| html! { <td>{ or_dash(bytes.map(|bytes| shown(megabits(case.clients, bytes)))) }</td> }) }
        </tr>
    }
}
