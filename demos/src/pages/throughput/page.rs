use std::rc::Rc;

use everwire::Event;
use everwire_yew::{SocketOptions, use_raw_socket};
use yew::prelude::*;

use super::choice::Choice;
use super::controls::Controls;
use super::failures::failures;
use super::figures::figures;
use super::fleet::Fleet;
use super::spread::use_charts;
use crate::components::PageHead;
use crate::line::use_line;
use crate::ticks::{READABLE, use_ticks};

/// A run of the check.
#[derive(Clone)]
struct Run {
    /// Each start is a run of its own, also with the same choice.
    number: u32,
    fleet: Rc<Fleet>,
    is_running: bool,
}

/// Pings counted per second, over as many connections as the visitor opens.
#[component]
pub(crate) fn ThroughputPage() -> Html {
    let line = use_line("/echo");
    let run = use_state(|| None::<Run>);
    let fleet = run.as_ref().map(|run| Rc::clone(&run.fleet));
    let number = run.as_ref().filter(|run| run.is_running).map(|run| run.number);

    let options = number.map_or_else(SocketOptions::idle, |number| {
        SocketOptions::with_builder(format!("{} {number}", line.key()), line.builder())
    });
    // What the callback needs of the socket exists only after the socket does.
    let current = use_mut_ref(|| None::<everwire_yew::UseSocket>);
    let on_event = {
        let (current, fleet) = (Rc::clone(&current), fleet.clone());
        Callback::from(move |event: Event| {
            let handle = current.borrow().as_ref().and_then(everwire_yew::UseSocket::handle);
            if let Some(fleet) = &fleet {
                fleet.first_happened(event, handle);
            }
        })
    };
    let socket = use_raw_socket(options, on_event);
    *current.borrow_mut() = Some(socket.clone());
    use_halt(number, fleet.clone());
    use_ticks(READABLE, number.is_some());

    let on_start = {
        let (run, line) = (run.clone(), line.clone());
        Callback::from(move |choice: Choice| {
            let number = run.as_ref().map_or(1, |run| run.number + 1);
            line.arm(None);
            run.set(Some(Run { number, fleet: Fleet::launch(choice, &line), is_running: true }));
        })
    };
    let on_stop = {
        let run = run.clone();
        Callback::from(move |()| {
            if let Some(stopped) = run.as_ref() {
                stopped.fleet.halt();
                run.set(Some(Run { is_running: false, ..stopped.clone() }));
            }
        })
    };
    let charts = use_charts(fleet.as_ref());
    html! {
        <>
            <PageHead
                title="Throughput check"
                lead="Pings counted per second, over as many connections as you open. The first of them is the one below: break it, and the others go on."
                connection={Some((line, socket.status()))}
            />
            <div class="stack">
                <section class="throughput-panel" aria-label="Measurement">
                    <Controls is_running={number.is_some()} {on_start} {on_stop} />
                    { figures(fleet.as_deref()) }
                </section>
                { charts }
                { failures(fleet.as_deref().filter(|_| number.is_some())) }
            </div>
        </>
    }
}

/// Closes the connections when the page is left, or another run begins.
#[hook]
fn use_halt(number: Option<u32>, fleet: Option<Rc<Fleet>>) {
    use_effect_with(number, move |_| {
        move || {
            if let Some(fleet) = fleet {
                fleet.halt();
            }
        }
    });
}
