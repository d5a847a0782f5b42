//! The transport lab.
//!
//! # Layout
//! - [`transport`], [`settings`]: what is compared, and under which conditions; [`items`]: what the server sends, as text
//! - [`reader`]: the transports as a browser has them
//! - [`mod@bench`], [`track`]: transports side by side, and what is known of each
//! - [`experiment`]: sets of calls
//! - [`numbers`]: what is computed of all that; [`save`]: files for the visitor; [`same`]: what parts of the page share
//! - [`view`]: the parts of the page

mod bench;
mod experiment;
mod items;
mod numbers;
mod reader;
mod same;
mod save;
mod settings;
mod track;
mod transport;
mod view;

use std::cell::RefCell;

use everwire_yew::use_raw_socket;
use yew::prelude::*;

use self::bench::Bench;
use self::experiment::Results;
use self::same::Same;
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
    let bench = (*use_memo((), |()| BenchRef::default())).clone();
    let settings = use_state_eq(Settings::default);
    let chosen = use_state_eq(Chosen::default);
    let is_running = use_state_eq(|| false);
    let is_trying = use_state_eq(|| false);
    let results = use_state_eq(|| None::<ResultsRef>);
    // This line's pings tell the server's time, and add nothing to what is measured.
    let line = use_line("/clock");
    let on_event = use_callback((), |_, ()| ());
    let socket = use_raw_socket(line.options(), on_event);
    bench.hold_clock(socket.handle().clone());
    let server = line.server().clone();
    // Without a server there is nothing to measure.
    let is_open = socket.status().is_open();
    let offers_faults = use_offers_faults(&server, is_open);
    let conditions = settings.on_a_server_that(offers_faults == Some(true));
    use_run(&bench, &server, &conditions, *chosen, *is_running);

    let set_running = {
        let is_running = is_running.setter();
        Callback::from(move |to| is_running.set(to))
    };
    let on_trying = {
        let (is_running, is_trying) = (is_running.setter(), is_trying.setter());
        use_callback((), move |to: bool, ()| {
            is_trying.set(to);
            if to {
                is_running.set(false);
            }
        })
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
                    can_run={is_open && !chosen.transports().is_empty()}
                    is_trying={*is_trying}
                    on_run={set_running}
                    {offers_faults}
                />
                <Cards
                    bench={bench.clone()}
                    is_running={*is_running}
                    chosen={*chosen}
                    on_choose={Callback::from({ let chosen = chosen.setter(); move |to| chosen.set(to) })}
                />
                <div class="columns lab-charts">
                    <LatencyCard bench={bench.clone()} is_running={*is_running} />
                    <Distribution bench={bench.clone()} is_running={*is_running} results={(*results).clone()} is_trying={*is_trying} />
                </div>
                <OverheadCard {bench} is_running={*is_running} />
                <ExperimentCard
                    {server}
                    {is_open}
                    settings={conditions}
                    chosen={*chosen}
                    results={(*results).clone()}
                    {on_results}
                    {on_trying}
                />
            </div>
        </div>
    }
}

/// Whether the server makes a bad network on request; `None` until it has answered. It is asked each time the line opens, since it
/// may have been started anew with other flags, and what it said last holds while it is away.
#[hook]
fn use_offers_faults(server: &Server, is_open: bool) -> Option<bool> {
    let told = use_state_eq(|| None::<(Server, bool)>);
    {
        let told = told.setter();
        use_effect_with((server.clone(), is_open), move |(server, is_open)| {
            let server = server.clone();
            let asking = is_open.then(|| {
                Job::start(async move {
                    let offers = server.clone().faults().await.faults;
                    told.set(Some((server, offers)));
                })
            });
            move || drop(asking)
        });
    }
    told.as_ref().filter(|(who, _)| who == server).map(|(_, offers)| *offers)
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

type BenchRef = Same<Bench>;
type ResultsRef = Same<RefCell<Results>>;
