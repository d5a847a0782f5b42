use std::rc::Rc;

use everwire::Event;
use everwire_yew::{SocketOptions, UseSocket, use_raw_socket};
use yew::prelude::*;

use super::connection_pool::ConnectionPool;
use super::controls::Controls;
use super::load_profile::LoadProfile;
use super::results::{failures, figures, use_charts};
use crate::components::PageHead;
use crate::line::use_line;
use crate::ticks::{READABLE, use_ticks};

/// A run of the check.
#[derive(Clone)]
struct Run {
    /// Tells runs apart that have the same load profile.
    number: u32,
    pool: Rc<ConnectionPool>,
    is_running: bool,
}

/// Pings counted per second, over as many connections as the visitor opens.
#[component]
pub(crate) fn ThroughputPage() -> Html {
    let line = use_line("/echo");
    let run = use_state(|| None::<Run>);
    let pool = run.as_ref().map(|run| Rc::clone(&run.pool));
    let number = run.as_ref().filter(|run| run.is_running).map(|run| run.number);

    let options = number.map_or_else(SocketOptions::idle, |number| {
        SocketOptions::with_builder(format!("{} {number}", line.key()), line.builder())
    });
    // The callback needs the handle of the socket, which exists only after the callback was passed to the hook.
    let current = use_mut_ref(|| None::<UseSocket>);
    let on_event = {
        let (current, pool) = (Rc::clone(&current), pool.clone());
        Callback::from(move |event: Event| {
            let handle = current.borrow().as_ref().and_then(UseSocket::handle);
            if let (Some(pool), Some(handle)) = (&pool, handle) {
                pool.on_page_event(event, &handle);
            }
        })
    };
    let socket = use_raw_socket(options, on_event);
    *current.borrow_mut() = Some(socket.clone());
    {
        let pool = pool.clone();
        // Closes the connections when the page is left, or another run begins.
        use_effect_with(number, move |_| move || pool.iter().for_each(|pool| pool.stop()));
    }
    use_ticks(READABLE, number.is_some());

    let on_start = {
        let (run, line) = (run.clone(), line.clone());
        Callback::from(move |profile: LoadProfile| {
            let number = run.as_ref().map_or(1, |run| run.number + 1);
            line.arm(None);
            run.set(Some(Run { number, pool: ConnectionPool::start(profile, &line), is_running: true }));
        })
    };
    let on_stop = {
        let run = run.clone();
        Callback::from(move |()| {
            if let Some(stopped) = run.as_ref() {
                stopped.pool.stop();
                run.set(Some(Run { is_running: false, ..stopped.clone() }));
            }
        })
    };
    let charts = use_charts(pool.as_deref());
    html! {
        <>
            <PageHead
                title="Throughput check"
                lead="Counts pings per second over as many connections as you open. The first of them is the one below: break it, and the others continue."
                connection={Some((line, socket.status()))}
            />
            <div class="stack">
                <section class="throughput-panel" aria-label="Measurement">
                    <Controls is_running={number.is_some()} {on_start} {on_stop} />
                    { figures(pool.as_deref()) }
                </section>
                { charts }
                { failures(pool.as_deref().filter(|_| number.is_some())) }
            </div>
        </>
    }
}
