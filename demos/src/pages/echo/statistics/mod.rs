//! How the connection does: messages a second, and round trips.

mod table;

use gloo_timers::callback::Interval;
use yew::prelude::*;

use self::table::RoundTrips;
use super::now::now;
use super::props::SessionProps;
use crate::format;

/// The part of the page with the figures. It is drawn four times a second, since rates fall also when nothing happens.
#[component]
pub(super) fn StatisticsCard(props: &SessionProps) -> Html {
    let SessionProps { session } = props;
    use_ticks();
    let (sent, received) = session.change_quietly(|record| {
        let now = now();
        (record.messages_out.in_the_last_second(now), record.messages_in.in_the_last_second(now))
    });
    let stats = session.handle().map(|handle| handle.stats()).unwrap_or_default();
    let echoes = session.record().echo_latency();
    html! {
        <section class="card stack" aria-labelledby="statistics-heading">
            <div class="card-head">
                <h2 id="statistics-heading">{ "Statistics" }</h2>
                <span class="field-note">{ "since the latest connect" }</span>
            </div>
            <dl class="stats">
                { figure("Sent a second", format::count(sent.into())) }
                { figure("Received a second", format::count(received.into())) }
                { figure("Sent", format::count(stats.messages_out)) }
                { figure("Received", format::count(stats.messages_in)) }
                { figure("Reconnects", format::count(stats.opened.saturating_sub(1))) }
            </dl>
            <RoundTrips heartbeats={stats.latency} {echoes} />
        </section>
    }
}

fn figure(name: &'static str, value: String) -> Html {
    html! { <div><dt>{ name }</dt><dd>{ value }</dd></div> }
}

#[hook]
fn use_ticks() {
    let update = use_force_update();
    use_effect_with((), move |()| {
        let ticks = Interval::new(250, move || update.force_update());
        move || drop(ticks)
    });
}
