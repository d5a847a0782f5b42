use core::time::Duration;

use everwire::LatencySummary;
use yew::prelude::*;

use crate::format;

#[derive(Properties, PartialEq)]
pub(super) struct RoundTripsProps {
    /// Of the heartbeat's pings.
    pub(super) heartbeats: LatencySummary,
    /// Of messages that came back.
    pub(super) echoes: LatencySummary,
}

/// The statistics of the round trips, those of heartbeats beside those of echoes.
#[component]
pub(super) fn RoundTrips(props: &RoundTripsProps) -> Html {
    let RoundTripsProps { heartbeats, echoes } = props;
    let row = |name: &'static str, explained: &'static str, value: fn(&LatencySummary) -> Option<String>| {
        html! {
            <tr>
                <th scope="row" title={explained}>{ name }</th>
                { for [heartbeats, echoes].map(|summary| html! { <td>{ value(summary).unwrap_or_else(|| "–".to_owned()) }</td> }) }
            </tr>
        }
    };
    html! {
        <table class="round-trips">
            <caption class="visually-hidden">{ "Round trips" }</caption>
            <thead>
                <tr><th scope="col">{ "Round trip" }</th><th scope="col">{ "Heartbeat" }</th><th scope="col">{ "Echo" }</th></tr>
            </thead>
            <tbody>
                { row("Last", "The latest", |summary| told(summary.last)) }
                { row("Min", "The shortest", |summary| told(summary.min)) }
                { row("Mean", "The arithmetic mean", |summary| told(summary.mean)) }
                { row("SD", "The standard deviation", |summary| told(summary.standard_deviation)) }
                { row("p50", "50 % are this fast or faster (within 1 %)", |summary| told(summary.p50)) }
                { row("p90", "90 % are this fast or faster (within 1 %)", |summary| told(summary.p90)) }
                { row("p99", "99 % are this fast or faster (within 1 %)", |summary| told(summary.p99)) }
                { row("Jitter", "The mean difference between consecutive round trips (RFC 3550)", |summary| told(summary.jitter)) }
                { row("Loss", "The share without an answer", |summary| summary.loss().map(percent)) }
                { row("Count", "The number of round trips", |summary| Some(format::count(summary.count))) }
            </tbody>
        </table>
    }
}

fn told(round_trip: Option<Duration>) -> Option<String> {
    round_trip.map(|round_trip| match round_trip.as_secs_f64() * 1e3 {
        // On a machine that talks to itself all the interest is behind the point.
        ms if ms < 9.995 => format!("{ms:.2} ms"),
        ms if ms < 99.95 => format!("{ms:.1} ms"),
        _ => format::duration(round_trip),
    })
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        percent if percent < 0.1 => "< 0.1 %".to_owned(),
        percent => format!("{percent:.1} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_round_trip_keeps_its_digits() {
        let told = |us| told(Some(Duration::from_micros(us))).unwrap();
        assert_eq!([80, 1_234, 12_340, 123_400].map(told), ["0.08 ms", "1.23 ms", "12.3 ms", "123 ms"]);
    }

    #[test]
    fn a_small_loss_is_not_shown_as_none() {
        assert_eq!([0.0, 0.0005, 0.0123, 1.0].map(percent), ["0 %", "< 0.1 %", "1.2 %", "100.0 %"]);
    }
}
