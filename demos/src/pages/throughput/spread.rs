use std::rc::Rc;

use yew::prelude::*;

use super::figures::rates;
use super::fleet::Fleet;
use crate::components::{Chart, ChartData, ChartKind, ChartStyle, Series, XAxis};
use crate::format;

/// The charts of a run: all connections together over time, and each by itself.
#[hook]
pub(super) fn use_charts(fleet: Option<&Rc<Fleet>>) -> Html {
    let (course, spread) = (use_memo((), |()| ChartData::default()), use_memo((), |()| ChartData::default()));
    let rates = fleet.map(|fleet| rates(fleet)).unwrap_or_default();
    let columns = fleet.map(|fleet| fleet.look_at(|tally| tally.columns()));
    {
        let (course, spread, rates) = (course.clone(), spread.clone(), rates.clone());
        // After each drawing, since the numbers behind it change with time.
        use_effect(move || {
            course.set(columns.unwrap_or_else(|| vec![vec![-60.0, 0.0], vec![f64::NAN; 2]]));
            spread.set(bars(rates));
        });
    }
    let style = |kind, x: &'static str, y: &'static str, color| ChartStyle {
        kind,
        x: XAxis::Number(x.into()),
        y_label: y.into(),
        series: vec![Series { name: y.into(), color }],
        height: 220,
    };
    let told = match (rates.first(), rates.last()) {
        (Some(fastest), Some(slowest)) => format!(
            "Pings a second of {} connections: from {fastest:.0} down to {slowest:.0}",
            format::count(rates.len() as u64)
        ),
        _ => "Pings a second of each connection: none yet".to_owned(),
    };
    html! {
        <div class="throughput-charts">
            <section class="card" aria-labelledby="course">
                <div class="card-head"><h2 id="course">{ "Together" }</h2><span class="field-note">{ "pings that came back, in each second" }</span></div>
                <Chart
                    data={(*course).clone()} style={style(ChartKind::Lines, "seconds from now", "pings a second", "--accent")} reaches={10.0}
                    label="Pings a second over the last minute; the figures above have the latest"
                />
            </section>
            <section class="card" aria-labelledby="spread">
                <div class="card-head"><h2 id="spread">{ "Each connection" }</h2><span class="field-note">{ "since it opened" }</span></div>
                <Chart
                    data={(*spread).clone()} style={style(ChartKind::Bars, "connections, from the fastest", "pings a second", "--alive")} reaches={10.0}
                    label={told}
                />
            </section>
        </div>
    }
}

/// The columns of a chart of bars, with a place left empty at each end: a bar at the very edge would be cut in half.
fn bars(rates: Vec<f64>) -> Vec<Vec<f64>> {
    let places = (0..rates.len() + 2).map(|place| place as f64).collect();
    let values = [vec![f64::NAN], rates, vec![f64::NAN]].concat();
    vec![places, values]
}

#[cfg(test)]
mod tests {
    use super::bars;

    #[test]
    fn the_first_bar_stands_over_one() {
        let columns = bars(vec![9.0, 8.0]);
        assert_eq!((&columns[0], columns[1][1], columns[1].len()), (&vec![0.0, 1.0, 2.0, 3.0], 9.0, 4));
        assert_eq!(bars(Vec::new())[0].len(), 2);
    }
}
