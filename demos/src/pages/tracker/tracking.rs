use std::cell::{Ref, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use everwire::client::{ClientState, RequestError, Requesting, SubscribeOptions};
use everwire::{Client, Delivery};
use everwire_companion_api::tracker::{ClientMessage, POSITIONS, REPORT};
use gloo_events::EventListener;
use gloo_timers::callback::Interval;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::{PageTransitionEvent, window};
use yew::prelude::*;

use super::fix::Fix;
use super::frame::use_render_per_frame;
use super::identity::Identity;
use super::now;
use super::outbox::Outbox;
use super::precision::Precision;
use super::problem::Problem;
use super::remembered;
use super::source::Source;
use super::state::State;
use crate::map::LatLon;
use crate::subscription::{use_attached, use_subscription};

/// How often ages are rendered, in milliseconds.
const TICK: u32 = 1_000;

/// Connects the page's state, the application's client and the source of positions. Clones share them.
#[derive(Clone)]
pub(super) struct Tracking {
    state: Rc<RefCell<State>>,
    client: Rc<RefCell<Option<Client>>>,
    outbox: Rc<RefCell<Outbox>>,
    /// The report that is under way.
    request: Rc<RefCell<Option<Requesting<()>>>>,
    source: Rc<RefCell<Option<Source>>>,
    render: Rc<dyn Fn()>,
}

/// Follows the participants for as long as the component lives. The component renders again when something changed, and
/// each second, since ages change by themselves.
#[hook]
pub(super) fn use_tracking() -> Tracking {
    let render = use_render_per_frame();
    let tracking = use_memo((), move |()| Tracking {
        state: Rc::new(RefCell::new(State::new(remembered::precision()))),
        client: Rc::default(),
        outbox: Rc::default(),
        request: Rc::default(),
        source: Rc::default(),
        render,
    });
    let client = use_context::<Option<Client>>().flatten();
    {
        // Effects run in this order: the client is there before the channel is read.
        let tracking = tracking.clone();
        use_effect_with(client, move |client| {
            tracking.client.replace(client.clone());
            tracking.look(State::everyone_follows);
        });
    }
    let open = |client: &Client| client.subscribe_with(&POSITIONS, &SubscribeOptions::default().latest());
    use_subscription((), open, {
        let tracking = tracking.clone();
        move |delivery| {
            tracking.look(|state| match delivery {
                Delivery::Message(message) => state.moved(message.value, now()),
                Delivery::Removed(removed) => removed.key.parse().into_iter().for_each(|id| state.left(id)),
                Delivery::Gap(_) => state.everyone_follows(),
                Delivery::CaughtUp => state.caught_up(),
                // A position that cannot be read is skipped: the next one is as good.
                _ => {}
            });
        }
    });
    use_attached({
        let tracking = tracking.clone();
        move || tracking.change(|state| state.connected(now()))
    });
    {
        let tracking = tracking.clone();
        use_effect_with((), move |()| {
            let ticks = {
                let tracking = tracking.clone();
                Interval::new(TICK, move || tracking.change(|state| state.sharing.tick(now())))
            };
            let farewell = window().map(|window| {
                let tracking = tracking.clone();
                EventListener::new(&window, "pagehide", move |event| {
                    // A page in the back/forward cache comes back; if it does not, the server removes the visitor.
                    let is_kept = event.dyn_ref().is_some_and(PageTransitionEvent::persisted);
                    if !is_kept {
                        tracking.stop();
                    }
                })
            });
            move || {
                drop((ticks, farewell));
                // Other pages keep the connection, so that the server has to be told.
                tracking.stop();
            }
        });
    }
    (*tracking).clone()
}

impl Tracking {
    /// What the page knows at the moment.
    pub(super) fn state(&self) -> Ref<'_, State> {
        self.state.borrow()
    }

    /// The server's time as the connection measured it.
    pub(super) fn server_time(&self) -> Option<f64> {
        self.client.borrow().as_ref()?.server_time()
    }

    /// The visitor pressed the button: shares the device's positions, or a walk around a place.
    pub(super) fn start(&self, walk_from: Option<LatLon>) {
        self.look(|state| state.start(Identity::random()));
        let on_fix = {
            let tracking = self.clone();
            move |fix: Fix| tracking.change(|state| state.measured(fix, now()))
        };
        let source = match walk_from {
            Some(place) => Ok(Source::simulation(place, on_fix)),
            None => {
                let tracking = self.clone();
                Source::device(on_fix, move |problem| tracking.fail(problem))
            }
        };
        match source {
            Ok(source) => {
                self.source.replace(Some(source));
            }
            Err(problem) => self.fail(problem),
        }
    }

    /// The visitor pressed stop.
    pub(super) fn stop(&self) {
        self.source.replace(None);
        self.change(State::stop);
    }

    pub(super) fn set_precision(&self, precision: Precision) {
        remembered::keep_precision(precision);
        self.change(|state| state.sharing.set_precision(precision, now()));
    }

    /// The visitor picked a participant: the view moves there.
    pub(super) fn pick(&self, id: u64) {
        self.look(|state| state.pick(id));
    }

    /// Moves the view so that everyone is in it.
    pub(super) fn show_everyone(&self) {
        self.look(State::show_everyone);
    }

    /// Has the view follow the visitor, or not any more.
    pub(super) fn set_following(&self, follow: bool) {
        self.look(if follow { State::follow } else { State::stop_following });
    }

    /// The view has reached its target.
    pub(super) fn target_reached(&self) {
        self.state.borrow_mut().target = None;
    }

    /// Renders again, for a change elsewhere.
    pub(super) fn render(&self) {
        (self.render)();
    }

    fn fail(&self, problem: Problem) {
        if problem.is_final() {
            self.source.replace(None);
        }
        self.change(|state| state.failed(problem));
    }

    /// Changes what is seen and nothing that is sent.
    fn look(&self, change: impl FnOnce(&mut State)) {
        self.change(|state| {
            change(state);
            None
        });
    }

    /// Changes the state, sends the report that follows, and renders.
    fn change(&self, change: impl FnOnce(&mut State) -> Option<ClientMessage>) {
        let report = change(&mut self.state.borrow_mut());
        if let Some(report) = report {
            self.report(report);
        }
        self.render();
    }

    fn report(&self, report: ClientMessage) {
        let is_connected = self.client.borrow().as_ref().is_some_and(|client| client.state() == ClientState::Attached);
        if self.outbox.borrow_mut().push(report, is_connected)
            && let Some(request) = &*self.request.borrow()
        {
            request.cancel();
        }
        if self.request.borrow().is_none()
            && let Some(request) = self.next_request()
        {
            // Sent before this returns: a page that is closed has no other time.
            self.request.replace(Some(request));
            let tracking = self.clone();
            spawn_local(async move { tracking.deliver().await });
        }
    }

    fn next_request(&self) -> Option<Requesting<()>> {
        let client = self.client.borrow().clone()?;
        let report = self.outbox.borrow_mut().next()?;
        Some(client.request(REPORT, &report))
    }

    /// Waits for the answers, and sends one report after another.
    async fn deliver(&self) {
        loop {
            let answer = poll_fn(|context| match self.request.borrow_mut().as_mut() {
                Some(request) => Pin::new(request).poll(context),
                None => Poll::Ready(Ok(())),
            });
            match answer.await {
                // The fate of a report whose session was lost.
                Err(RequestError::Unknown | RequestError::Expired) => self.outbox.borrow_mut().undecided(),
                // Another report has replaced it.
                Err(RequestError::Cancelled) => {}
                _ => self.outbox.borrow_mut().answered(),
            }
            let next = self.next_request();
            let is_done = next.is_none();
            self.request.replace(next);
            if is_done {
                return;
            }
        }
    }
}
