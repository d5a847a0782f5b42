use everwire_companion_api::monitor::{Machine, Point};
use yew::prelude::*;

use super::readable;
use super::track::Track;
use crate::components::{Chart, ChartData, ChartKind, ChartStyle, Series, XAxis};
use crate::format;

const GIB: f64 = (1_u64 << 30) as f64;

/// The colours of the cores, where they are few enough to be told apart.
const CORES: [&str; 6] = ["--accent", "--alive", "--monitor-third", "--monitor-fourth", "--waiting", "--ink-faint"];

/// Five minutes of everything that is a number, with the latest beside it.
pub(super) fn charts(track: &Track, now: f64, machine: Option<&Machine>) -> Html {
    let latest = track.latest();
    let value = |value: fn(&Point) -> String| latest.map_or_else(|| "–".to_owned(), value);
    let total = machine.map_or(0, |machine| machine.memory);
    let swap = machine.map_or(0, |machine| machine.swap);
    let cores = machine.map_or(1, |machine| machine.cores.max(1));
    let core_series = core_series(cores);
    let core_columns = if cores <= CORES.len() {
        track.columns_of(now, cores, |point| point.cores.clone())
    } else {
        track.columns_of(now, cores + 1, |point| {
            let mean = mean(&point.cores);
            point.cores.iter().copied().chain([mean]).collect()
        })
    };
    let has_load = latest.is_none_or(|point| point.load.is_some());
    html! {
        <section aria-label="The last five minutes" class="monitor-charts">
            <Card
                title="Processor" value={value(|point| format!("{:.0} %", mean(&point.cores)))}
                note={machine.map(|machine| format!("{} · {} core{}", machine.system, machine.cores, if machine.cores == 1 { "" } else { "s" }))}
                unit="%" reaches={100.0} series={core_series} columns={core_columns}
            />
            <Card
                title="Memory" value={latest.map_or_else(|| "–".to_owned(), |point| format::memory(point.memory))}
                note={machine.map(|_| match swap {
                    0 => format!("of {}, no swap", format::memory(total)),
                    swap => format!("of {}, {} swap", format::memory(total), format::memory(swap)),
                })}
                unit="GiB" reaches={gib(total.max(swap)).max(0.1)}
                series={named(&[("Memory", "--accent"), ("Swap", "--monitor-third")][..if swap > 0 { 2 } else { 1 }])}
                columns={track.columns_of(now, if swap > 0 { 2 } else { 1 }, |point| vec![gib(point.memory), gib(point.swap)])}
            />
            if has_load {
                <Card
                    title="Load" value={value(|point| point.load.map_or_else(|| "–".to_owned(), |[one, ..]| format!("{one:.2}")))}
                    note={latest.and_then(|point| point.load).map(|[_, five, fifteen]| format!("{five:.2} and {fifteen:.2} over 5 and 15 minutes"))}
                    unit="tasks" reaches={1.0}
                    series={named(&[("1 minute", "--accent"), ("5 minutes", "--alive"), ("15 minutes", "--ink-faint")])}
                    columns={track.columns(now, |point| point.load.unwrap_or([f64::NAN; 3]))}
                />
            }
            <Card
                title="Messages a second" value={value(|point| readable::rate(point.messages_in + point.messages_out))}
                note={latest.map(|point| format!("{} in, {} out", readable::rate(point.messages_in), readable::rate(point.messages_out)))}
                unit="a second" reaches={10.0}
                series={named(&[("In", "--accent"), ("Out", "--alive")])}
                columns={track.columns(now, |point| [point.messages_in, point.messages_out])}
            />
            <Card
                title="Connections" value={value(|point| format::count(point.connections))}
                note={Some("to the server’s WebSockets, this one among them".to_owned())}
                unit="open" reaches={10.0}
                series={named(&[("Connections", "--alive")])}
                columns={track.columns(now, |point| [point.connections as f64])}
            />
            <Card
                title="Waiting to be written" value={value(|point| format::bytes(point.queued))}
                note={latest.map(|point| format!("{} of it to the slowest reader", format::bytes(point.largest_queue)))}
                unit="kB" reaches={1.0}
                series={named(&[("All connections", "--accent"), ("The slowest", "--broken")])}
                columns={track.columns(now, |point| [point.queued as f64 / 1e3, point.largest_queue as f64 / 1e3])}
            />
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct CardProps {
    title: &'static str,
    value: String,
    #[prop_or_default]
    note: Option<String>,
    unit: &'static str,
    reaches: f64,
    series: Vec<Series>,
    columns: Vec<Vec<f64>>,
}

/// A figure and its course.
#[component]
fn Card(props: &CardProps) -> Html {
    let CardProps { title, value, note, unit, reaches, series, columns } = props;
    let data = use_memo((), |()| ChartData::default());
    {
        let data = data.clone();
        use_effect_with(columns.clone(), move |columns| data.set(columns.clone()));
    }
    let style = ChartStyle {
        kind: ChartKind::Lines,
        x: XAxis::Number("minutes from now".into()),
        y_label: (*unit).into(),
        series: series.clone(),
        height: 150,
    };
    let keys = series.iter().filter(|_| series.len() > 1 && series.len() <= CORES.len());
    html! {
        <figure class="card monitor-card">
            <figcaption>
                <span class="monitor-title">{ *title }</span>
                <strong class="monitor-value number">{ value }</strong>
                <span class="field-note number">{ note.clone().unwrap_or_default() }</span>
            </figcaption>
            <Chart data={(*data).clone()} {style} reaches={*reaches} label={format!("{title} in the last five minutes, now {value}")} />
            <p class="monitor-keys field-note" aria-hidden="true">
                { for keys.map(|series| html! {
                    <span><span class="monitor-key" style={format!("background: var({})", series.color)}></span>{ &series.name }</span>
                }) }
            </p>
        </figure>
    }
}

/// A line for each core; of many cores their mean stands out.
fn core_series(cores: usize) -> Vec<Series> {
    let name = |index: usize| format!("Core {}", index + 1).into();
    if cores <= CORES.len() {
        return CORES[..cores].iter().enumerate().map(|(index, color)| Series { name: name(index), color }).collect();
    }
    let each = (0..cores).map(|index| Series { name: name(index), color: "--monitor-crowd" });
    each.chain([Series { name: "Mean".into(), color: "--accent" }]).collect()
}

fn named(series: &[(&'static str, &'static str)]) -> Vec<Series> {
    series.iter().map(|(name, color)| Series { name: (*name).into(), color }).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / GIB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_cores_are_told_apart_and_many_have_a_mean() {
        assert_eq!(core_series(2).len(), 2);
        let many = core_series(64);
        assert_eq!((many.len(), many[64].name.as_str()), (65, "Mean"));
        assert_eq!(mean(&[]), 0.0);
    }
}
