//! The transport lab.
//!
//! # Layout
//! - [`transport`], [`settings`]: what is compared, and under which conditions; [`wire`]: what the server says
//! - [`reader`]: the transports as a browser has them
//! - [`mod@bench`], [`track`]: transports side by side, and what is known of each
//! - [`experiment`]: sets of calls
//! - [`numbers`]: what is computed of all that; [`save`]: files for the visitor
//! - [`view`]: the parts of the page

mod bench;
mod experiment;
mod numbers;
mod reader;
mod save;
mod settings;
mod track;
mod transport;
mod view;
mod wire;

use std::ops::Deref;
use std::rc::Rc;

use everwire_yew::use_raw_socket;
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use self::bench::Bench;
use self::experiment::Results;
use self::settings::{Chosen, Settings};
use self::view::{Cards, Controls, Distribution, ExperimentCard, LatencyCard, OverheadCard};
use crate::components::PageHead;
use crate::job::Job;
use crate::line::use_line;
use crate::server::Server;

const LEAD: &str = "The same feed over polling, long polling, HTTP streaming, server-sent events and WebSocket: what each costs beside \
     the messages, and how late they are.";

/// The same feed and the same echo over each transport, side by side.
#[component]
pub(crate) fn LabPage() -> Html {
    let bench = BenchRef((*use_memo((), |()| Rc::new(Bench::default()))).clone());
    let settings = use_state_eq(Settings::default);
    let chosen = use_state_eq(Chosen::default);
    let is_running = use_state_eq(|| false);
    let results = use_state_eq(|| None::<Rc<Results>>);
    // This line's pings tell the server's time, and add nothing to what is measured.
    let line = use_line("/clock");
    let on_event = use_callback((), |_, ()| ());
    let socket = use_raw_socket(line.options(), on_event);
    bench.hold_clock(socket.handle());
    let server = line.server().clone();
    let offers_faults = use_offers_faults(&server);
    let conditions = settings.on_a_server_that(*offers_faults == Some(true));
    use_run(&bench, &server, &conditions, *chosen, *is_running);

    let set_running = {
        let is_running = is_running.setter();
        Callback::from(move |to| is_running.set(to))
    };
    let on_results = {
        let results = results.setter();
        Callback::from(move |to| results.set(Some(to)))
    };
    html! {
        <div class="lab">
            <PageHead title="Transport lab" lead={LEAD} connection={Some((line, socket.status()))} />
            <div class="stack">
                <Controls
                    settings={conditions}
                    on_settings={Callback::from({ let settings = settings.setter(); move |to| settings.set(to) })}
                    is_running={*is_running}
                    can_run={!chosen.transports().is_empty()}
                    on_run={set_running.clone()}
                    offers_faults={*offers_faults}
                />
                <Cards
                    bench={bench.clone()}
                    is_running={*is_running}
                    chosen={*chosen}
                    on_choose={Callback::from({ let chosen = chosen.setter(); move |to| chosen.set(to) })}
                />
                <div class="columns lab-charts">
                    <LatencyCard bench={bench.clone()} is_running={*is_running} />
                    <Distribution bench={bench.clone()} is_running={*is_running} results={(*results).clone()} />
                </div>
                <OverheadCard {bench} is_running={*is_running} />
                <ExperimentCard
                    {server}
                    settings={conditions}
                    chosen={*chosen}
                    results={(*results).clone()}
                    {on_results}
                    on_start={Callback::from(move |()| set_running.emit(false))}
                />
            </div>
        </div>
    }
}

/// Whether the server makes a bad network on request; `None` until it has answered.
#[hook]
fn use_offers_faults(server: &Server) -> UseStateHandle<Option<bool>> {
    let offers = use_state_eq(|| None);
    {
        let offers = offers.setter();
        use_effect_with(server.clone(), move |server| {
            let server = server.clone();
            spawn_local(async move { offers.set(Some(server.breaks_on_request().await)) });
        });
    }
    offers
}

/// Runs the transports while they are to run, and anew when something else is chosen.
#[hook]
fn use_run(bench: &BenchRef, server: &Server, settings: &Settings, chosen: Chosen, is_running: bool) {
    let bench = bench.clone();
    use_effect_with((server.clone(), *settings, chosen, is_running), move |(server, settings, chosen, is_running)| {
        let (server, settings, chosen, started) = (server.clone(), *settings, *chosen, bench.clone());
        let starting = is_running.then(|| {
            Job::start(async move {
                if let Ok(base) = server.base().await {
                    started.start(&base, &settings, chosen);
                }
            })
        });
        move || {
            drop(starting);
            bench.stop();
        }
    });
}

/// The bench as a property: the same bench is the same, whatever came in meanwhile.
#[derive(Clone)]
struct BenchRef(Rc<Bench>);

impl Deref for BenchRef {
    type Target = Rc<Bench>;

    fn deref(&self) -> &Rc<Bench> {
        &self.0
    }
}

impl PartialEq for BenchRef {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}
