use std::cell::RefCell;
use std::rc::Rc;

use gloo_timers::callback::Interval;
use yew::prelude::*;

use super::choice::choice;
use super::trial_table::TrialTable;
use crate::format;
use crate::job::Job;
use crate::pages::lab::bench::now;
use crate::pages::lab::experiment::{Plan, Results, Surroundings, run};
use crate::pages::lab::save;
use crate::pages::lab::settings::{Chosen, Settings};
use crate::server::Server;

#[derive(Properties, PartialEq)]
pub(in crate::pages::lab) struct ExperimentCardProps {
    pub(in crate::pages::lab) server: Server,
    pub(in crate::pages::lab) settings: Settings,
    pub(in crate::pages::lab) chosen: Chosen,
    pub(in crate::pages::lab) results: Option<Rc<Results>>,
    pub(in crate::pages::lab) on_results: Callback<Rc<Results>>,
    /// An experiment begins: nothing else may use the network.
    pub(in crate::pages::lab) on_start: Callback<()>,
}

/// An experiment under way. Dropping it ends it.
struct Running {
    _job: Job,
    _look: Interval,
    started: f64,
}

/// Sets of calls over each transport, with what came of them.
#[component]
pub(in crate::pages::lab) fn ExperimentCard(props: &ExperimentCardProps) -> Html {
    let ExperimentCardProps { server, settings, chosen, results, on_results, on_start } = props;
    let calls = use_state_eq(|| Plan::CALLS[0]);
    let sets = use_state_eq(|| Plan::SETS[0]);
    let running = use_state(|| None::<Rc<Running>>);
    let plan = Plan { calls: *calls, sets: *sets, transports: chosen.transports() };

    let start = {
        let (server, settings, plan) = (server.clone(), *settings, plan.clone());
        let (running, on_results, on_start) = (running.setter(), on_results.clone(), on_start.clone());
        Callback::from(move |_: MouseEvent| {
            on_start.emit(());
            let results = Rc::new(RefCell::new(Results::new(plan.clone(), conditions(&settings))));
            let show = {
                let (results, on_results) = (Rc::clone(&results), on_results.clone());
                move || on_results.emit(Rc::new(results.borrow().clone()))
            };
            show();
            // Calls can be a thousand a second, and are not each worth a drawing.
            let look = Interval::new(400, show.clone());
            let (server, plan, ended) = (server.clone(), plan.clone(), running.clone());
            let job = Job::start(async move {
                if let Ok(base) = server.base().await {
                    let surroundings = Surroundings { base, network: settings.network, period: settings.period };
                    run(plan, surroundings, results).await;
                }
                show();
                ended.set(None);
            });
            running.set(Some(Rc::new(Running { _job: job, _look: look, started: now() })));
        })
    };
    let stop = {
        let running = running.setter();
        Callback::from(move |_: MouseEvent| running.set(None))
    };
    let save_as = |name: &'static str, text: fn(&Results) -> String| {
        let offered = results.clone();
        let onclick =
            Callback::from(move |_: MouseEvent| offered.iter().for_each(|results| save::csv(name, &text(results))));
        let label = if name == "calls" { "Save calls (CSV)" } else { "Save summary (CSV)" };
        html! { <button type="button" class="button button-small" {onclick} disabled={results.is_none()}>{ label }</button> }
    };
    let numbers = |of: &[usize]| of.iter().map(|number| (*number, format::count(*number as u64))).collect::<Vec<_>>();
    let is_running = running.is_some();
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
                if is_running {
                    <button key="stop" type="button" class="button button-danger" onclick={stop}>{ "Abort" }</button>
                } else {
                    <button key="start" type="button" class="button button-primary" onclick={start} disabled={plan.transports.is_empty()}>{ "Run" }</button>
                }
            </div>
            if let Some(results) = results {
                { progress(results, running.as_deref()) }
                <TrialTable results={Rc::clone(results)} />
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
        None if results.is_complete() => ", complete".to_owned(),
        None => ", aborted".to_owned(),
    };
    html! {
        <div class="lab-progress">
            <progress class="progress" max={total.to_string()} value={made.to_string()} aria-label="Calls made" />
            <span class="field-note number" role="status">
                { format!("{} of {} calls{state}", format::count(made as u64), format::count(total as u64)) }
            </span>
        </div>
    }
}

fn conditions(settings: &Settings) -> String {
    let network = settings.network;
    format!(
        "polled every {} ms, delay {} ms, jitter {} ms, loss {} %",
        settings.period, network.delay, network.jitter, network.loss
    )
}
