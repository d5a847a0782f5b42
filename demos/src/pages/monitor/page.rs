use std::rc::Rc;

use everwire::Event;
use everwire_companion_api::monitor::ServerMessage;
use everwire_yew::{UseSocket, use_socket};
use yew::prelude::*;

use super::charts::charts;
use super::off::Off;
use super::processes::ProcessTable;
use super::state::State;
use super::traffic::{EndpointTable, WorkerTable};
use super::vmstat::VmstatTable;
use crate::components::PageHead;
use crate::line::use_line;
use crate::now::now;
use crate::ticks::use_ticks;

/// The machine that the server runs on, and the server itself, once a second.
#[component]
pub(crate) fn MonitorPage() -> Html {
    let line = use_line("/monitor");
    let state = use_mut_ref(State::default);
    let update = use_force_update();
    let on_event = {
        let (state, update) = (Rc::clone(&state), update.clone());
        // A server that was asked to send garbage sends messages that cannot be decoded.
        Callback::from(move |event| {
            if let Ok(Event::Message(message)) = event {
                state.borrow_mut().take(message, now());
                update.force_update();
            }
        })
    };
    let socket: UseSocket<()> = use_socket::<(), ServerMessage>(line.options(), on_event);
    {
        // Another server is another machine.
        let state = Rc::clone(&state);
        use_effect_with(line.key(), move |_| drop(state.take()));
    }
    // While no message draws the page, its charts move on and show what is missing.
    use_ticks(1_000, !socket.status().is_open());
    let on_retry = {
        let socket = socket.clone();
        Callback::from(move |()| socket.reconnect())
    };

    let status = socket.status();
    let state = state.borrow();
    let machine = state.machine.as_ref();
    html! {
        <>
            <PageHead
                title="Server monitor"
                lead="The machine that the server runs on, and what the server does there, once a second. The charts keep five minutes, with a gap where the line was down."
                connection={Some((line, status))}
            />
            if let Some(sentence) = &state.off {
                <Off sentence={sentence.clone()} {on_retry} />
            } else {
                <div class="stack monitor">
                    { charts(&state.track, state.server_time(now()), machine) }
                    if let Some(detail) = &state.detail {
                        <div class="monitor-tables">
                            <div class="stack">
                                <EndpointTable endpoints={detail.endpoints.clone()} />
                                <WorkerTable workers={detail.workers.clone()} />
                            </div>
                            if let Some(processes) = &detail.processes {
                                <ProcessTable processes={processes.clone()} server_pid={machine.map(|machine| machine.server_pid)} />
                            }
                        </div>
                        if let Some(row) = &detail.vmstat {
                            <VmstatTable row={row.clone()} />
                        }
                    }
                </div>
            }
        </>
    }
}
