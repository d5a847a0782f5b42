use yew::prelude::*;

use crate::components::{Chart, ChartData, ChartKind, ChartStyle, Series, XAxis};
use crate::pages::lab::BenchRef;
use crate::pages::lab::bench::now;
use crate::pages::lab::track::SHOWN;
use crate::pages::lab::transport::Transport;
use crate::ticks::{READABLE, use_ticks};

#[derive(Properties, PartialEq)]
pub(in crate::pages::lab) struct LatencyCardProps {
    pub(in crate::pages::lab) bench: BenchRef,
    pub(in crate::pages::lab) is_running: bool,
}

/// How late messages were in the last half minute.
#[component]
pub(in crate::pages::lab) fn LatencyCard(props: &LatencyCardProps) -> Html {
    let LatencyCardProps { bench, is_running } = props;
    use_ticks(READABLE, *is_running);
    let data = use_memo((), |()| ChartData::default());
    let style = use_memo((), |()| style());
    {
        let (bench, data, is_running) = (bench.clone(), data.clone(), *is_running);
        use_effect(move || {
            if is_running {
                data.set(columns(&bench, now()));
            }
        });
    }
    html! {
        <section class="card" aria-labelledby="lab-latency">
            <div class="card-head"><h2 id="lab-latency">{ "Latency" }</h2><span class="field-note">{ "mean of each second" }</span></div>
            <Chart data={(*data).clone()} style={(*style).clone()} label="Latency of each transport in the last half minute; the cards have the figures" />
            <p class="lab-keys field-note" aria-hidden="true">
                { for Transport::ALL.map(|transport| html! {
                    <span><span class="key" style={format!("--lab-color: var({})", transport.color())}></span>{ transport.name() }</span>
                }) }
            </p>
        </section>
    }
}

fn columns(bench: &BenchRef, now: f64) -> Vec<Vec<f64>> {
    let of = |transport| {
        let mut seconds = bench.track(transport).seconds(now);
        // A page that was opened just now has fewer.
        let missing = SHOWN - seconds.len();
        seconds.splice(0..0, std::iter::repeat_n(f64::NAN, missing));
        carried_on(seconds)
    };
    let mut columns = vec![(0..SHOWN).map(|second| second as f64 - (SHOWN - 1) as f64).collect()];
    columns.extend(Transport::ALL.map(of));
    columns
}

/// A feed with one message a second, polled every two, has seconds without a message between those with some: the line goes on
/// through them. The second that is not over yet is no reason to end it either.
fn carried_on(mut seconds: Vec<f64>) -> Vec<f64> {
    const AT_MOST: usize = 3;
    let mut latest = (f64::NAN, 0);
    for second in &mut seconds {
        if second.is_nan() {
            latest.1 += 1;
            if latest.1 <= AT_MOST {
                *second = latest.0;
            }
        } else {
            latest = (*second, 0);
        }
    }
    seconds
}

fn style() -> ChartStyle {
    ChartStyle {
        kind: ChartKind::Lines,
        x: XAxis::Number("seconds from now".into()),
        y_label: "ms".into(),
        series: Transport::ALL.map(|each| Series { name: each.name().into(), color: each.color() }).into(),
        height: 290,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_on_through_a_pause_and_ends_when_nothing_comes() {
        let carried = carried_on(vec![f64::NAN, 5.0, f64::NAN, 6.0, f64::NAN, f64::NAN, f64::NAN, f64::NAN]);
        assert!(carried[0].is_nan() && carried[7].is_nan());
        assert_eq!(carried[1..7], [5.0, 5.0, 6.0, 6.0, 6.0, 6.0]);
    }
}
