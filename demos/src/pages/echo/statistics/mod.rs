//! How the connection does: messages a second, and round trips.

mod table;

use yew::prelude::*;

use self::table::RoundTrips;
use super::props::SessionProps;
use super::traffic::columns;
use crate::components::{Chart, ChartData, ChartKind, ChartStyle, Series, XAxis};
use crate::format;
use crate::now::now;
use crate::ticks::{READABLE, use_ticks};

/// The part of the page with the figures. It is drawn four times a second, since rates fall also when nothing happens.
#[component]
pub(super) fn StatisticsCard(props: &SessionProps) -> Html {
    let SessionProps { session } = props;
    use_ticks(READABLE, true);
    let (sent, received) = session.change_quietly(|record| {
        let now = now();
        (record.messages_out.in_the_last_second(now), record.messages_in.in_the_last_second(now))
    });
    let data = use_memo((), |()| ChartData::default());
    let style = use_memo((), |()| style());
    {
        let (session, data) = (session.clone(), data.clone());
        use_effect(move || {
            let record = session.record();
            data.set(columns(&record.heartbeats, &record.echoes, now()));
        });
    }
    let stats = session.handle().map(|handle| handle.stats()).unwrap_or_default();
    let echoes = session.record().echo_latency();
    html! {
        <section class="card statistics" aria-labelledby="statistics-heading">
            <div class="card-head">
                <h2 id="statistics-heading">{ "Statistics" }</h2>
                <span class="field-note">{ "since the last connect" }</span>
            </div>
            <dl class="stats statistics-figures">
                { figure("Sent per second", format::count(sent.into())) }
                { figure("Received per second", format::count(received.into())) }
                { figure("Reconnects", format::count(stats.opened.saturating_sub(1))) }
                { figure("Sent", format::count(stats.messages_out)) }
                { figure("Received", format::count(stats.messages_in)) }
                { figure("Waiting", format::count(stats.queued_messages as u64)) }
            </dl>
            <Chart data={(*data).clone()} style={(*style).clone()} label="Round trips of the last minute; the table below shows the figures" />
            <p class="statistics-keys field-note" aria-hidden="true">
                <span><span class="key key-heartbeat"></span>{ "Heartbeat" }</span>
                <span><span class="key key-echo"></span>{ "Echo" }</span>
                <span><span class="key key-slowest"></span>{ "Slowest echo" }</span>
            </p>
            <RoundTrips heartbeats={stats.latency} {echoes} />
        </section>
    }
}

fn style() -> ChartStyle {
    let series = [("Heartbeat", "--accent"), ("Echo", "--alive"), ("Slowest echo", "--ink-faint")];
    ChartStyle {
        kind: ChartKind::Lines,
        x: XAxis::Number("seconds from now".into()),
        y_label: "ms".into(),
        series: series.map(|(name, color)| Series { name: name.into(), color }).into(),
        height: 200,
    }
}

fn figure(name: &'static str, value: String) -> Html {
    html! { <div><dt>{ name }</dt><dd>{ value }</dd></div> }
}
