use std::collections::BTreeMap;

use yew::prelude::*;

use super::connection_pool::ConnectionPool;
use super::pinger::ConnectionState;
use crate::components::{Chart, ChartData, ChartKind, ChartStyle, Series, XAxis};
use crate::format;
use crate::now::now;

/// The results of a run as numbers; dashes before the first run.
pub(super) fn figures(pool: Option<&ConnectionPool>) -> Html {
    let dash = || "–".to_owned();
    let show = |text: fn(&ConnectionPool) -> Option<String>| pool.and_then(text).unwrap_or_else(dash);
    let round_trip = |percent: f64| {
        let round_trip = pool.and_then(|pool| pool.statistics().round_trip(percent));
        round_trip.map_or_else(dash, format::duration)
    };
    html! {
        <dl class="stats throughput-figures">
            { figure("Pings per second", show(|pool| Some(whole(pool.statistics().per_second()))), show(|pool| {
                let (total, duration) = (pool.statistics().total(), pool.statistics().duration());
                Some(format!("{} in {}", format::count(total), format::milliseconds(duration)))
            })) }
            { figure("Open connections", show(|pool| Some(format::count(open_count(pool)))), show(|pool| {
                Some(format!("of {}", pool.profile().connections))
            })) }
            { figure("Round trip, p50", round_trip(50.0), "50 % are this fast or faster".to_owned()) }
            { figure("Round trip, p99", round_trip(99.0), "99 % are this fast or faster".to_owned()) }
            { figure("Each connection", show(|pool| {
                let rates = rates(pool);
                Some(format!("{} – {}", whole(*rates.last()?), whole(*rates.first()?)))
            }), "per second, slowest to fastest".to_owned()) }
            { figure("Longest pause", show(|pool| pool.longest_frame_gap().map(format::milliseconds)), "of this page, in the last 5 s".to_owned()) }
        </dl>
    }
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

/// The pings per second of each connection that has had an answer, the fastest first.
fn rates(pool: &ConnectionPool) -> Vec<f64> {
    let now = now();
    let each = pool.map(|pinger| (pinger.total() > 0).then(|| pinger.per_second(now)));
    let mut rates: Vec<f64> = each.into_iter().flatten().collect();
    rates.sort_by(|one, other| other.total_cmp(one));
    rates
}

fn open_count(pool: &ConnectionPool) -> u64 {
    pool.map(|pinger| u64::from(matches!(pinger.state(), ConnectionState::Open(_)))).into_iter().sum()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative")]
fn whole(rate: f64) -> String {
    format::count(rate.round() as u64)
}

/// The charts of a run: all connections together over time, and each by itself.
#[hook]
pub(super) fn use_charts(pool: Option<&ConnectionPool>) -> Html {
    let (over_time, by_connection) = (use_memo((), |()| ChartData::default()), use_memo((), |()| ChartData::default()));
    let rates = pool.map(rates).unwrap_or_default();
    let columns = pool.map(|pool| pool.statistics().columns());
    {
        let (over_time, by_connection, rates) = (over_time.clone(), by_connection.clone(), rates.clone());
        // After each render, since the numbers change with time and not with a property.
        use_effect(move || {
            over_time.set(columns.unwrap_or_else(|| vec![vec![-60.0, 0.0], vec![f64::NAN; 2]]));
            by_connection.set(bars(rates));
        });
    }
    let style = |kind, x: &'static str, y: &'static str, color| ChartStyle {
        kind,
        x: XAxis::Number(x.into()),
        y_label: y.into(),
        series: vec![Series { name: y.into(), color }],
        height: 220,
    };
    let label = match (rates.first(), rates.last()) {
        (Some(fastest), Some(slowest)) => format!(
            "Pings per second of {} connections: from {fastest:.0} down to {slowest:.0}",
            format::count(rates.len() as u64)
        ),
        _ => "Pings per second of each connection: none yet".to_owned(),
    };
    html! {
        <div class="throughput-charts">
            <section class="card" aria-labelledby="over-time">
                <div class="card-head"><h2 id="over-time">{ "All connections" }</h2><span class="field-note">{ "pings answered per second" }</span></div>
                <Chart
                    data={(*over_time).clone()} style={style(ChartKind::Lines, "seconds from now", "pings per second", "--accent")} reaches={10.0}
                    label="Pings per second over the last minute; the figures above show the latest"
                />
            </section>
            <section class="card" aria-labelledby="by-connection">
                <div class="card-head"><h2 id="by-connection">{ "Each connection" }</h2><span class="field-note">{ "average since it opened" }</span></div>
                <Chart
                    data={(*by_connection).clone()} style={style(ChartKind::Bars, "connections, fastest first", "pings per second", "--alive")} reaches={10.0}
                    {label}
                />
            </section>
        </div>
    }
}

/// The columns of a bar chart, with an empty place at each end: a bar at the very edge would be cut in half.
fn bars(rates: Vec<f64>) -> Vec<Vec<f64>> {
    let places = (0..rates.len() + 2).map(|place| place as f64).collect();
    let values = [vec![f64::NAN], rates, vec![f64::NAN]].concat();
    vec![places, values]
}

/// The connections that are down, grouped by reason. The section is there also when none is, so that the layout does not shift when
/// one fails.
pub(super) fn failures(pool: Option<&ConnectionPool>) -> Html {
    let states = pool.map(|pool| pool.map(|pinger| pinger.state().clone())).unwrap_or_default();
    let failed = by_reason(states);
    html! {
        <section class="card" aria-labelledby="failures">
            <div class="card-head"><h2 id="failures">{ "Failed connections" }</h2></div>
            if failed.is_empty() {
                <p class="field-note">{ "None." }</p>
            }
            <ul class="throughput-failures">
                { for failed.into_iter().map(|((why, is_final), count)| html! {
                    <li>
                        <strong class="number">{ count }</strong>
                        <span>{ why }</span>
                        <span class="tag">{ if is_final { "gave up" } else { "reconnecting" } }</span>
                    </li>
                }) }
            </ul>
        </section>
    }
}

fn by_reason(states: impl IntoIterator<Item = ConnectionState>) -> BTreeMap<(String, bool), usize> {
    let mut failed = BTreeMap::new();
    for state in states {
        if let ConnectionState::Down { why, is_final } = state {
            *failed.entry((why, is_final)).or_default() += 1;
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_chart_leaves_a_place_empty_at_each_end() {
        let columns = bars(vec![9.0, 8.0]);
        assert_eq!((&columns[0], columns[1][1], columns[1].len()), (&vec![0.0, 1.0, 2.0, 3.0], 9.0, 4));
        assert_eq!(bars(Vec::new())[0].len(), 2);
    }

    #[test]
    fn failures_with_the_same_reason_are_counted_together() {
        let down = |why: &str, is_final| ConnectionState::Down { why: why.to_owned(), is_final };
        let states = [
            ConnectionState::Connecting,
            down("refused", false),
            down("refused", false),
            ConnectionState::Open(1.0),
            down("refused", true),
        ];
        let failed = by_reason(states);
        let counts: Vec<_> = failed.iter().map(|((why, is_final), count)| (why.as_str(), *is_final, *count)).collect();
        assert_eq!(counts, [("refused", false, 2), ("refused", true, 1)]);
    }
}
