use std::cell::{Ref, RefCell};
use std::rc::Rc;

use everwire::{SendOptions, SocketHandle};
use everwire_companion_api::tracker::{ClientMessage, ServerMessage};
use everwire_yew::{ConnectionStatus, SocketOptions, UseSocket, use_socket};
use gloo_timers::callback::Interval;
use yew::prelude::*;

use super::fix::Fix;
use super::frame::use_render_per_frame;
use super::identity::Identity;
use super::now;
use super::precision::Precision;
use super::problem::Problem;
use super::remembered;
use super::source::Source;
use super::state::State;
use crate::map::LatLon;

/// How often ages are shown anew, in milliseconds.
const TICK: u32 = 1_000;

/// Connects the page's state, its socket and its source of positions. Clones share them.
#[derive(Clone)]
pub(super) struct Tracking {
    state: Rc<RefCell<State>>,
    socket: Rc<RefCell<Option<UseSocket<ClientMessage>>>>,
    source: Rc<RefCell<Option<Source>>>,
    render: Rc<dyn Fn()>,
}

/// Follows the participants for as long as the component lives. The component renders again when something changed, and
/// each second, since ages change by themselves.
#[hook]
pub(super) fn use_tracking(options: SocketOptions) -> Tracking {
    let render = use_render_per_frame();
    let tracking = use_memo((), move |()| Tracking {
        state: Rc::new(RefCell::new(State::new(remembered::precision()))),
        socket: Rc::default(),
        source: Rc::default(),
        render,
    });
    let on_event = {
        let tracking = tracking.clone();
        Callback::from(move |event| {
            // A message that cannot be decoded is skipped: the next one is as good.
            if let Ok(event) = event {
                tracking.change(|state| state.on_event(event, now()));
            }
        })
    };
    let socket = use_socket::<ClientMessage, ServerMessage>(options, on_event);
    tracking.socket.replace(Some(socket));
    {
        let tracking = tracking.clone();
        use_effect_with((), move |()| {
            let ticks = {
                let tracking = tracking.clone();
                Interval::new(TICK, move || tracking.change(|state| state.sharing.tick(now())))
            };
            move || {
                drop(ticks);
                // The device's search ends with the page; the end of the connection removes the participant for all others.
                tracking.source.replace(None);
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

    pub(super) fn status(&self) -> Option<ConnectionStatus> {
        self.socket.borrow().as_ref().map(UseSocket::status)
    }

    /// The server's time as the connection measured it.
    pub(super) fn server_time(&self) -> Option<f64> {
        self.handle()?.server_time()
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

    /// Changes the state, sends the message that follows, and renders.
    fn change(&self, change: impl FnOnce(&mut State) -> Option<ClientMessage>) {
        let message = change(&mut self.state.borrow_mut());
        if let (Some(message), Some(handle)) = (message, self.handle()) {
            send(&handle, &message);
        }
        self.render();
    }

    fn handle(&self) -> Option<SocketHandle> {
        self.socket.borrow().as_ref()?.handle()
    }
}

fn send(handle: &SocketHandle, message: &ClientMessage) {
    // Of the queued messages about a participant only the last is sent: an outdated position, or one before a stop, never leaves
    // the page. A stop stays queued when the visitor starts again, since that is another participant.
    let (ClientMessage::Position { secret, .. } | ClientMessage::Leave { secret }) = message;
    let mut options = SendOptions::default();
    if let Some(secret) = secret {
        options = options.key(secret.as_str());
    }
    if let Ok(text) = serde_json::to_string(message) {
        // It is refused only when the connection is over. When it is opened again, the position is sent again.
        let _ = handle.send_with(text, options);
    }
}
