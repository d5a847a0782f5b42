use std::rc::Rc;

use everwire::Client;
use gloo_timers::callback::Interval;
use yew::prelude::*;

use super::panel::{Choice, Panel};
use super::traffic::{Count, Figures, Rate, Traffic};
use crate::format;
use crate::now::now;

/// Milliseconds between two samples.
const SAMPLE_EVERY: u32 = 1_000;

#[derive(Properties)]
pub(super) struct TrafficTableProps {
    pub(super) traffic: Rc<Traffic>,
    pub(super) choice: Choice,
}

impl PartialEq for TrafficTableProps {
    fn eq(&self, other: &Self) -> bool {
        self.choice == other.choice && Rc::ptr_eq(&self.traffic, &other.traffic)
    }
}

/// What travels: for each channel, and for the one connection of all.
#[component]
pub(super) fn TrafficTable(props: &TrafficTableProps) -> Html {
    let client = use_context::<Option<Client>>().flatten();
    let figures = use_figures(client, &props.traffic);
    let Figures { channels, payloads, connection, resumed, missed } = *figures;
    let open = props.choice.count();
    html! {
        <section class="card live-panel live-traffic" aria-labelledby="live-traffic">
            <header class="live-head">
                <h2 id="live-traffic">{ "What travels" }</h2>
                <p class="live-connection number" role="status">{ connections(open) }</p>
            </header>
            <table class="live-table traffic-table" aria-labelledby="live-traffic">
                <thead>
                    <tr>
                        <th scope="col">{ "Received" }</th>
                        <th scope="col"><abbr title="Messages a second, over the last ten seconds">{ "Msg/s" }</abbr></th>
                        <th scope="col"><abbr title="Bytes a second, over the last ten seconds">{ "Bytes/s" }</abbr></th>
                        <th scope="col"><abbr title="Messages since the page was opened">{ "Msgs" }</abbr></th>
                        <th scope="col">{ "Bytes" }</th>
                    </tr>
                </thead>
                <tbody>
                    { for Panel::ALL.map(|panel| row(html! { { panel.channel() } }, channels[panel as usize], props.choice.has(panel))) }
                </tbody>
                <tfoot>
                    { row(html! { "All payloads" }, payloads, true) }
                    { row(html! { <abbr title="WebSocket messages with all that is in them, as the connection counts them">{ "Batches" }</abbr> }, connection, true) }
                </tfoot>
            </table>
            <p class="live-note number">{ note(payloads.0, connection.0, resumed, missed) }</p>
        </section>
    }
}

fn row(name: Html, (count, rate): (Count, Rate), is_on: bool) -> Html {
    html! {
        <tr class={classes!((!is_on).then_some("is-quiet"))}>
            <th scope="row">{ name }</th>
            <td>{ format!("{:.1}", rate.messages) }</td>
            <td>{ bytes(rate.bytes) }</td>
            <td>{ format::count(count.messages) }</td>
            <td>{ format::bytes(count.bytes) }</td>
        </tr>
    }
}

fn bytes(rate: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative")]
    let rate = rate.round() as u64;
    format::bytes(rate)
}

fn connections(open: usize) -> String {
    let channels = if open == 1 { "channel" } else { "channels" };
    format!("{open} {channels} on 1 connection")
}

/// The messages that a WebSocket message has on average, and what reconnects did.
fn note(payloads: Count, connection: Count, resumed: u64, missed: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let batch = payloads.messages as f64 / connection.messages.max(1) as f64;
    format!("{batch:.1} messages a batch · {resumed} resumed · {missed} missed")
}

/// The figures, once a second.
#[hook]
fn use_figures(client: Option<Client>, traffic: &Rc<Traffic>) -> UseStateHandle<Figures> {
    let figures = use_state_eq(Figures::default);
    {
        let (figures, traffic) = (figures.setter(), Rc::clone(traffic));
        use_effect_with(client, move |client| {
            traffic.clear();
            let sampling = client.clone().map(|client| {
                let sample = move || {
                    let stats = client.stats();
                    let connection = Count { messages: stats.messages_in, bytes: stats.bytes_in };
                    figures.set(traffic.sample(now(), connection));
                };
                sample();
                Interval::new(SAMPLE_EVERY, sample)
            });
            move || drop(sampling)
        });
    }
    figures
}
