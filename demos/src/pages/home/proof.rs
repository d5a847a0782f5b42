//! The counter, the torture and what happened to the connection, for visitors.

use std::fmt::Write as _;

use everwire_companion_api::server::Faults;
use everwire_yew::ConnectionStatus;
use wasm_bindgen_futures::spawn_local;
use web_sys::window;
use yew::prelude::*;

use super::counter::{Counter, CounterRef, Run};
use super::timeline::{Timeline, Window};
use crate::fault::Disruption;
use crate::format::count;
use crate::line::Line;
use crate::now::now;
use crate::theme::wants_little_motion;
use crate::ticks::{READABLE, use_ticks};

/// Milliseconds that the timeline shows, and that the torture lasts.
const MINUTE: f64 = 60_000.0;
/// As often as a picture changes for visitors who want little motion.
const CALM: u32 = 1_000;

#[derive(Properties)]
pub(super) struct ProofProps {
    pub(super) counter: CounterRef,
    pub(super) line: Line,
    pub(super) status: ConnectionStatus,
}

impl PartialEq for ProofProps {
    fn eq(&self, other: &Self) -> bool {
        std::rc::Rc::ptr_eq(&self.counter, &other.counter) && self.line == other.line && self.status == other.status
    }
}

#[component]
pub(super) fn Proof(props: &ProofProps) -> Html {
    let is_calm = use_memo((), |()| wants_little_motion());
    use_ticks(if *is_calm { CALM } else { READABLE }, true);
    let offered = use_state_eq(|| None::<Faults>);
    let counter = props.counter.borrow();
    let start = {
        let (counter, line, offered) = (props.counter.clone(), props.line.clone(), offered.setter());
        Callback::from(move |_| {
            let (counter, server, offered) = (counter.clone(), line.server().clone(), offered.clone());
            spawn_local(async move {
                let faults = server.faults().await;
                if faults.faults && !counter.borrow().is_running() {
                    counter.borrow_mut().start(run_length(), faults.kill);
                }
                offered.set(Some(faults));
            });
        })
    };
    let stop = {
        let counter = props.counter.clone();
        Callback::from(move |_| counter.borrow_mut().stop())
    };
    let is_unwilling = offered.is_some_and(|faults| !faults.faults);
    let now = now();
    let tally = &counter.tally;
    let figure = |name: &'static str, value: u64, class: Option<&'static str>| {
        html! { <div class={classes!(class)}><dt>{ name }</dt><dd>{ count(value) }</dd></div> }
    };
    // Red only where something is wrong.
    let fault_class = |value: u64| if value == 0 { "proof-none" } else { "proof-some" };
    let fault = |name, value| figure(name, value, Some(fault_class(value)));
    html! {
        <section class="card proof" aria-labelledby="proof-title">
            <div class="proof-head">
                <div>
                    <h2 id="proof-title">{ "Every message, once" }</h2>
                    <p class="proof-what">{ "This page publishes ten numbers a second and checks each one that comes back." }</p>
                </div>
                if counter.is_running() {
                    <button type="button" class="button button-danger" onclick={stop}>{ "Stop" }</button>
                } else {
                    <button type="button" class="button button-primary" onclick={start} disabled={tally.latest() == 0}>
                        { format!("Torture for {:.0} seconds", run_length() / 1e3) }
                    </button>
                }
            </div>
            <dl class="proof-figures">
                { figure("published", tally.published(), Some("proof-large")) }
                { figure("delivered", tally.delivered(), Some("proof-large")) }
                { figure("on the way", tally.on_the_way(), None) }
                { fault("lost", tally.lost()) }
                { fault("repeated", tally.repeated()) }
                { fault("gaps", counter.gaps) }
                if tally.late() > 0 { { fault("out of order", tally.late()) } }
                if tally.foreign() > 0 { { fault("never published", tally.foreign()) } }
            </dl>
            { timeline(&counter, now) }
            <div class="proof-note">
                <p role="status">{ note(&counter, is_unwilling, &props.line) }</p>
                if let Some(doing) = doing(&counter, now) {
                    <p class="proof-doing">{ doing }</p>
                }
            </div>
        </section>
    }
}

/// The connection of the last minute, or of the run.
fn timeline(counter: &Counter, now: f64) -> Html {
    let (window, ends) = match &counter.run {
        Some(run) if counter.is_running() || now - run.torture.started() < 2.0 * MINUTE => {
            let length = run.torture.length();
            (Window { from: run.torture.started(), length }, ["0 s".to_owned(), format!("{:.0} s", length / 1e3)])
        }
        // The first minute fills the picture from its left.
        _ => match counter.timeline.began().filter(|began| now - began < MINUTE) {
            Some(from) => (Window { from, length: MINUTE }, ["0 s".to_owned(), "60 s".to_owned()]),
            None => (Window { from: now - MINUTE, length: MINUTE }, ["1 minute ago".to_owned(), "now".to_owned()]),
        },
    };
    // With keys, since one more at the end would otherwise have each take the place of its neighbour, which browsers count as shifts of
    // the layout.
    let spans = counter.timeline.spans(window, now).into_iter().enumerate().map(|(key, span)| {
        let style = format!("left:{:.2}%;width:{:.2}%", span.start * 100.0, (span.end - span.start) * 100.0);
        html! { <span {key} class="timeline-span" data-phase={span.phase.name()} {style}></span> }
    });
    let marks = counter.timeline.marks(window).into_iter().enumerate().map(|(key, (at, disruption))| {
        let style = format!("left:{:.2}%", at * 100.0);
        let is_kill = disruption == Disruption::KillServer;
        let class = classes!("timeline-mark", is_kill.then_some("is-kill"));
        html! { <span {key} {class} {style}><span>{ disruption.label() }</span></span> }
    });
    let waiting = counter.timeline.waiting(window);
    let most = waiting.iter().map(|(_, waiting)| *waiting).max().unwrap_or_default().max(20);
    let line = curve(&waiting, most);
    let area = waiting.last().map(|(end, _)| format!("{line}L{:.1} 100L{:.1} 100Z", end * 1e3, waiting[0].0 * 1e3));
    html! {
        <figure class="timeline">
            <div class="timeline-plot" role="img" aria-label={spoken(&counter.timeline, window, now)}>
                <div class="timeline-marks">{ for marks }</div>
                <svg viewBox="0 0 1000 100" preserveAspectRatio="none" aria-hidden="true" focusable="false">
                    <path class="timeline-area" d={area.unwrap_or_default()} />
                    <path class="timeline-curve" d={line} vector-effect="non-scaling-stroke" />
                </svg>
                <div class="timeline-band">{ for spans }</div>
            </div>
            <figcaption>
                <span>{ &ends[0] }</span>
                <ul class="timeline-legend" aria-hidden="true">
                    <li data-phase="attached">{ "connected" }</li>
                    <li data-phase="connecting">{ "connecting" }</li>
                    <li data-phase="waiting">{ "waiting" }</li>
                    <li data-phase="messages">{ "messages on the way" }</li>
                </ul>
                <span>{ &ends[1] }</span>
            </figcaption>
        </figure>
    }
}

/// A line through the samples, in a picture of 1000 by 100.
fn curve(samples: &[(f64, u64)], most: u64) -> String {
    let mut path = String::new();
    for (index, (at, waiting)) in samples.iter().enumerate() {
        let (x, y) = (at * 1e3, 100.0 - 96.0 * *waiting as f64 / most as f64);
        // Writing to a string cannot fail.
        let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
    }
    path
}

/// The picture in a sentence.
fn spoken(timeline: &Timeline, window: Window, now: f64) -> String {
    let attached = timeline.attached(window, now) / 1e3;
    let faults = match timeline.marks(window).len() {
        0 => "no fault".to_owned(),
        1 => "1 fault".to_owned(),
        faults => format!("{faults} faults"),
    };
    format!("Timeline of {:.0} seconds: connected for {attached:.0} of them, {faults}", window.length / 1e3)
}

/// What a screen reader is told: only what does not change all the time.
fn note(counter: &Counter, is_unwilling: bool, line: &Line) -> String {
    if let Some(error) = &counter.error {
        return format!("The counter has stopped: {error}.");
    }
    if is_unwilling {
        let host = line.server().host().unwrap_or_else(|| "The server".to_owned());
        return format!("{host} does not break connections on request. Start it with --faults.");
    }
    match &counter.run {
        None => "Break the connection above, or let this page do it.".to_owned(),
        Some(run) if run.is_finished => verdict(run),
        Some(run) if run.torture.is_settling() => "Waiting for the last messages.".to_owned(),
        Some(_) => "Breaking the connection in every way there is.".to_owned(),
    }
}

/// What is done at the moment.
fn doing(counter: &Counter, now: f64) -> Option<String> {
    let run = counter.run.as_ref().filter(|run| !run.is_finished && !run.torture.is_settling())?;
    let seconds = ((run.torture.length() - (now - run.torture.started())) / 1e3).max(0.0).ceil();
    let latest = run.torture.latest().map(|latest| format!("{} · ", doing_what(latest))).unwrap_or_default();
    Some(format!("{latest}{seconds:.0} s left"))
}

fn doing_what(disruption: Disruption) -> String {
    use crate::fault::Fault;
    match disruption {
        Disruption::Fault(Fault::Cut) => "TCP cut".to_owned(),
        Disruption::Fault(Fault::Silence) => "Silent".to_owned(),
        Disruption::Fault(Fault::Refuse) => "Refused with 503".to_owned(),
        Disruption::Fault(Fault::Close(code)) => format!("Closed with {code}"),
        Disruption::Fault(Fault::Delay(ms)) => format!("{ms} ms late"),
        Disruption::Fault(Fault::Garbage) => "Garbage".to_owned(),
        Disruption::KillServer => "Server killed".to_owned(),
    }
}

/// The result of a run in a sentence.
fn verdict(run: &Run) -> String {
    let Run { torture, tally, gaps, .. } = run;
    let several = |number: u64, one: &str, many: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{} {many}", count(number)),
    };
    let none_or = |number: u64, what: &str| match number {
        0 => format!("none {what}"),
        number => format!("{} {what}", count(number)),
    };
    let faults = several((torture.disruptions - torture.kills) as u64, "fault", "faults");
    let mut words = format!("{:.0} s, {faults}", torture.lasted() / 1e3);
    if torture.kills > 0 {
        words.push_str(&format!(", {}", several(torture.kills as u64, "server kill", "server kills")));
    }
    words.push_str(&format!(
        ": {} published, {} delivered, {}, {}",
        count(tally.published()),
        count(tally.delivered()),
        none_or(tally.lost(), "lost"),
        none_or(tally.repeated(), "repeated"),
    ));
    for (number, what) in
        [(tally.on_the_way(), "still on the way"), (tally.late(), "out of order"), (tally.foreign(), "never published")]
    {
        if number > 0 {
            words.push_str(&format!(", {} {what}", count(number)));
        }
    }
    if *gaps > 0 {
        words.push_str(&format!(", {}", several(*gaps, "gap reported", "gaps reported")));
    }
    words + "."
}

/// The length of a run in milliseconds. A test that has less time puts seconds into the page's address: `/?torture=10`.
fn run_length() -> f64 {
    let query = window().and_then(|window| window.location().search().ok()).unwrap_or_default();
    run_length_in(&query).unwrap_or(MINUTE)
}

fn run_length_in(query: &str) -> Option<f64> {
    let values = query.trim_start_matches('?').split('&').filter_map(|pair| pair.strip_prefix("torture="));
    values
        .filter_map(|seconds| seconds.parse::<u32>().ok())
        .find(|seconds| (1..=60).contains(seconds))
        .map(|s| f64::from(s) * 1e3)
}

#[cfg(test)]
mod tests {
    use super::super::tally::Tally;
    use super::super::torture::Torture;
    use super::*;

    fn run(published: u64, delivered: impl IntoIterator<Item = u64>) -> Run {
        let mut torture = Torture::new(0.0, 60_000.0, true);
        (torture.disruptions, torture.kills) = (14, 3);
        let mut tally = Tally::default();
        for _ in 0..published {
            tally.publish();
        }
        delivered.into_iter().for_each(|number| tally.deliver(number));
        Run { torture, tally, gaps: 0, is_finished: true }
    }

    #[test]
    fn the_result_is_a_sentence() {
        assert_eq!(
            verdict(&run(560, 1..=560)),
            "60 s, 11 faults, 3 server kills: 560 published, 560 delivered, none lost, none repeated."
        );
    }

    #[test]
    fn a_lying_feed_is_found_out() {
        let lying = [1, 2, 2, 5, 4, 99];
        assert_eq!(
            verdict(&Run { gaps: 1, ..run(6, lying) }),
            "60 s, 11 faults, 3 server kills: 6 published, 4 delivered, 1 lost, 1 repeated, 1 still on the way, \
             1 out of order, 1 never published, 1 gap reported."
        );
    }

    #[test]
    fn a_run_without_kills_does_not_mention_them() {
        let mut run = run(1, [1]);
        (run.torture.disruptions, run.torture.kills) = (1, 0);
        assert_eq!(verdict(&run), "60 s, 1 fault: 1 published, 1 delivered, none lost, none repeated.");
    }

    #[test]
    fn a_test_can_have_a_shorter_run_and_no_longer_one() {
        assert_eq!(run_length_in("?torture=10"), Some(10_000.0));
        assert_eq!(run_length_in("?a=b&torture=10"), Some(10_000.0));
        for query in ["", "?torture=0", "?torture=61", "?torture=x", "?tortures=3"] {
            assert_eq!(run_length_in(query), None, "{query}");
        }
    }

    #[test]
    fn the_curve_rises_with_what_waits() {
        assert_eq!(curve(&[(0.0, 0), (0.5, 10), (1.0, 20)], 20), "M0.0 100.0L500.0 52.0L1000.0 4.0");
    }
}
