use everwire::client::{SubscribeOptions, SubscriptionError};
use everwire::{Client, Delivery};
use everwire_companion_api::monitor::{KEPT, POINTS, STATUS};
use everwire_core::protocol::ErrorCode;
use yew::prelude::*;

use super::charts::charts;
use super::off::Off;
use super::processes::ProcessTable;
use super::state::State;
use super::traffic::{EndpointTable, WorkerTable};
use super::vmstat::VmstatTable;
use crate::client::use_client_line;
use crate::components::PageHead;
use crate::now::now;
use crate::subscription::use_subscription;
use crate::ticks::use_ticks;

/// The machine that the server runs on, and the server itself, once a second.
#[component]
pub(crate) fn MonitorPage() -> Html {
    let (line, status) = use_client_line();
    let state = use_mut_ref(State::default);
    let round = use_state(|| 0);
    let update = use_force_update();
    {
        // Another server is another machine.
        let state = state.clone();
        use_effect_with(line.key(), move |_| drop(state.take()));
    }
    let open_points = {
        let state = state.clone();
        move |client: &Client| {
            state.borrow_mut().history_follows();
            client.subscribe_with(&POINTS, &SubscribeOptions::default().last(KEPT.into()))
        }
    };
    let look_again = {
        let round = round.clone();
        use_callback(*round, move |(), before| round.set(before + 1))
    };
    use_subscription(*round, open_points, {
        let (state, update, look_again) = (state.clone(), update.clone(), look_again.clone());
        move |delivery| {
            let mut state = state.borrow_mut();
            match delivery {
                Delivery::Message(message) => state.point(message.value, now()),
                // The history may have what is missing here, and begins again where the server has lost it.
                Delivery::Gap(_) => look_again.emit(()),
                Delivery::CaughtUp => state.caught_up(now()),
                Delivery::Ended(SubscriptionError::Refused { code: ErrorCode::Denied, .. }) => state.denied(),
                _ => return,
            }
            update.force_update();
        }
    });
    let open_status = |client: &Client| client.subscribe_with(&STATUS, &SubscribeOptions::default().latest());
    use_subscription(*round, open_status, {
        let state = state.clone();
        move |delivery| {
            if let Delivery::Message(message) = delivery {
                state.borrow_mut().status(message.value);
                update.force_update();
            }
        }
    });
    // While no message draws the page, its charts move on and show what is missing.
    use_ticks(1_000, !status.is_open());

    let state = state.borrow();
    let machine = state.machine.as_ref();
    html! {
        <>
            <PageHead
                title="Server monitor"
                lead="The machine that the server runs on, and what the server does there, once a second. The charts keep five minutes, also those in which the connection was down."
                connection={Some((line, status))}
            />
            if state.is_off {
                <Off on_retry={look_again} />
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
