use yew::prelude::*;

use super::fleet::Fleet;
use super::pinger::Link;
use crate::format;
use crate::now::now;

/// What a run has come to, in figures.
pub(super) fn figures(fleet: Option<&Fleet>) -> Html {
    let dash = || "–".to_owned();
    let tell = |told: fn(&Fleet) -> Option<String>| fleet.and_then(told).unwrap_or_else(dash);
    let round_trip = |percent: f64| {
        let round_trip = fleet.and_then(|fleet| fleet.look_at(|tally| tally.round_trip(percent)));
        round_trip.map_or_else(dash, format::duration)
    };
    html! {
        <dl class="stats throughput-figures">
            { figure("Pings a second", tell(|fleet| Some(whole(fleet.look_at(|tally| tally.per_second())))), tell(|fleet| {
                let (total, lasted) = fleet.look_at(|tally| (tally.total(), tally.lasted()));
                Some(format!("{} in {}", format::count(total), format::milliseconds(lasted)))
            })) }
            { figure("Connections open", tell(|fleet| Some(format::count(open(fleet)))), tell(|fleet| {
                Some(format!("of {}", fleet.choice().connections))
            })) }
            { figure("Round trip, p50", round_trip(50.0), "half are not longer".to_owned()) }
            { figure("Round trip, p99", round_trip(99.0), "99 % are not longer".to_owned()) }
            { figure("Each connection", tell(|fleet| {
                let rates = rates(fleet);
                Some(format!("{} – {}", whole(*rates.last()?), whole(*rates.first()?)))
            }), "a second, slowest to fastest".to_owned()) }
            { figure("Longest pause", tell(|fleet| fleet.longest_pause().map(format::milliseconds)), "of this page, in the last 5 s".to_owned()) }
        </dl>
    }
}

/// The pings a second of each connection that has had an answer, the fastest first.
pub(super) fn rates(fleet: &Fleet) -> Vec<f64> {
    let now = now();
    let each = fleet.each(|pinger| (pinger.total() > 0).then(|| pinger.per_second(now)));
    let mut rates: Vec<f64> = each.into_iter().flatten().collect();
    rates.sort_by(|one, other| other.total_cmp(one));
    rates
}

fn open(fleet: &Fleet) -> u64 {
    fleet.each(|pinger| u64::from(matches!(pinger.link(), Link::Open(_)))).into_iter().sum()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative")]
fn whole(rate: f64) -> String {
    format::count(rate.round() as u64)
}

fn figure(name: &'static str, value: String, note: String) -> Html {
    html! {
        <div>
            <dt>{ name }</dt>
            <dd>{ value }</dd>
            <dd class="figure-note number">{ note }</dd>
        </div>
    }
}
