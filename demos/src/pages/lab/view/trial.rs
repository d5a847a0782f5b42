use std::cell::RefCell;
use std::rc::Rc;

use yew::prelude::*;

use super::choice::choice;
use super::toggle::toggle;
use super::trial_table::trial_table;
use crate::format;
use crate::job::Job;
use crate::pages::lab::bench::now;
use crate::pages::lab::experiment::{Environment, Plan, Results, run};
use crate::pages::lab::settings::{Chosen, Settings};
use crate::pages::lab::{ResultsRef, save};
use crate::server::Server;
use crate::ticks::use_ticks;

/// Milliseconds between two drawings of what came so far: drawing takes time from the calls that are made meanwhile.
const DRAW_EVERY: u32 = 400;

#[derive(Properties, PartialEq)]
pub(in crate::pages::lab) struct ExperimentCardProps {
    pub(in crate::pages::lab) server: Server,
    /// Whether the server is there.
    pub(in crate::pages::lab) is_open: bool,
    pub(in crate::pages::lab) settings: Settings,
    pub(in crate::pages::lab) chosen: Chosen,
    pub(in crate::pages::lab) results: Option<ResultsRef>,
    pub(in crate::pages::lab) on_results: Callback<ResultsRef>,
    /// Told when an experiment begins, from when on nothing else may use the network, and when it ends.
    pub(in crate::pages::lab) on_trying: Callback<bool>,
}

/// An experiment under way. Dropping it ends it.
struct Running {
    _job: Job,
    started: f64,
}

/// Sets of calls over each transport, with what came of them.
#[component]
pub(in crate::pages::lab) fn ExperimentCard(props: &ExperimentCardProps) -> Html {
    let ExperimentCardProps { server, is_open, settings, chosen, results, on_results, on_trying } = props;
    let calls = use_state_eq(|| Plan::CALLS[0]);
    let sets = use_state_eq(|| Plan::SETS[0]);
    let running = use_state(|| None::<Rc<Running>>);
    let is_running = running.is_some();
    use_ticks(DRAW_EVERY, is_running);
    use_effect_with((is_running, on_trying.clone()), |(is_running, on_trying)| on_trying.emit(*is_running));
    let plan = Plan { calls: *calls, sets: *sets, transports: chosen.transports() };

    let on_toggle = {
        let (server, settings, plan) = (server.clone(), *settings, plan.clone());
        let (running, on_results) = (running.setter(), on_results.clone());
        Callback::from(move |_: MouseEvent| {
            if is_running {
                return running.set(None);
            }
            let results = ResultsRef::new(RefCell::new(Results::new(plan.clone(), conditions(&settings))));
            on_results.emit(results.clone());
            let (server, plan, ended) = (server.clone(), plan.clone(), running.clone());
            let job = Job::start(async move {
                if let Ok(base) = server.base().await {
                    let environment = Environment { base, network: settings.network, period: settings.period };
                    run(plan, environment, Rc::clone(&results)).await;
                }
                ended.set(None);
            });
            running.set(Some(Rc::new(Running { _job: job, started: now() })));
        })
    };
    let save_as = |name: &'static str, text: fn(&Results) -> String| {
        let offered = results.clone();
        let onclick = Callback::from(move |_: MouseEvent| {
            offered.iter().for_each(|results| save::csv(name, &text(&results.borrow())))
        });
        let label = if name == "calls" { "Save calls (CSV)" } else { "Save summary (CSV)" };
        html! { <button type="button" class="button button-small" {onclick} disabled={results.is_none()}>{ label }</button> }
    };
    let numbers = |of: &[usize]| of.iter().map(|number| (*number, format::count(*number as u64))).collect::<Vec<_>>();
    html! {
        <section class="card" aria-labelledby="lab-experiment">
            <div class="card-head">
                <h2 id="lab-experiment">{ "Experiment" }</h2>
                <div class="toolbar">{ save_as("calls", Results::samples_csv) }{ save_as("summary", Results::summary_csv) }</div>
            </div>
            <p class="field-note">
                { "A call is a question and its answer. Over HTTP the question is a request, and the answer comes the way the transport brings news: \
                   with polling, at the next poll, and calls are made at moments by lot. The transports that are switched on above take turns, set by set." }
            </p>
            <div class="lab-fields lab-trial">
                { choice("Calls a set", &numbers(&Plan::CALLS), *calls, is_running, { let calls = calls.setter(); move |to| calls.set(to) }) }
                { choice("Sets", &numbers(&Plan::SETS), *sets, is_running, { let sets = sets.setter(); move |to| sets.set(to) }) }
                { toggle(is_running, "Run", "Abort", *is_open && !plan.transports.is_empty(), on_toggle) }
            </div>
            // What changes all the time is not announced, only how it ended.
            <p class="visually-hidden" role="status">
                if let Some(results) = results.as_ref().filter(|_| !is_running) {
                    { format!("The experiment is {}.", ended(&results.borrow())) }
                }
            </p>
            if let Some(results) = results {
                { progress(&results.borrow(), running.as_deref()) }
                { trial_table(&results.borrow()) }
            }
        </section>
    }
}

fn progress(results: &Results, running: Option<&Running>) -> Html {
    let (made, total) = (results.made(), results.plan.total());
    let left = running.filter(|_| made > 0).map(|running| {
        let each = (now() - running.started) / made as f64;
        format!(", about {} left", format::milliseconds(each * (total - made) as f64))
    });
    let state = match running {
        Some(_) => left.unwrap_or_default(),
        None => format!(", {}", ended(results)),
    };
    html! {
        <div class="lab-progress">
            <progress class="progress" max={total.to_string()} value={made.to_string()} aria-label="Calls made" />
            <span class="field-note number">
                { format!("{} of {} calls{state}", format::count(made as u64), format::count(total as u64)) }
            </span>
        </div>
    }
}

fn ended(results: &Results) -> &'static str {
    if results.is_complete() { "complete" } else { "aborted" }
}

fn conditions(settings: &Settings) -> String {
    let network = settings.network;
    format!(
        "polled every {} ms, delay {} ms, jitter {} ms, loss {} %",
        settings.period, network.delay, network.jitter, network.loss
    )
}
