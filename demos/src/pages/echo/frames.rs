use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use gloo_render::{AnimationFrame, request_animation_frame};
use gloo_timers::callback::Timeout;
use yew::functional::UseForceUpdateHandle;
use yew::prelude::*;

use super::session::Session;

/// Tells its watchers once per animation frame that something changed, however often it did: ten thousand messages a second
/// cost sixty drawings, and none in a page that nobody sees.
#[derive(Default)]
pub(super) struct Frames(Rc<Inner>);

#[derive(Default)]
struct Inner {
    asked: RefCell<Option<AnimationFrame>>,
    watchers: RefCell<Vec<Weak<dyn Fn()>>>,
}

impl Frames {
    /// Something changed.
    pub(super) fn ask(&self) {
        let mut asked = self.0.asked.borrow_mut();
        if asked.is_none() {
            let inner = Rc::downgrade(&self.0);
            *asked = Some(request_animation_frame(move |_| {
                if let Some(inner) = inner.upgrade() {
                    inner.tell();
                }
            }));
        }
    }

    /// Calls `watcher` in each frame after a change, for as long as it is kept.
    fn watch(&self, watcher: &Rc<dyn Fn()>) {
        self.0.watchers.borrow_mut().push(Rc::downgrade(watcher));
    }
}

impl Inner {
    fn tell(&self) {
        self.asked.replace(None);
        self.watchers.borrow_mut().retain(|watcher| watcher.strong_count() > 0);
        // A watcher may let another one go.
        let watchers = self.watchers.borrow().clone();
        watchers.iter().filter_map(Weak::upgrade).for_each(|watcher| watcher());
    }
}

/// Draws the component anew in the frame after something happened in the session, but not more often than every so many
/// milliseconds: the latest state is always drawn in the end.
#[hook]
pub(super) fn use_redraw(session: &Session, apart_ms: u32) {
    let update = use_force_update();
    use_effect_with(session.clone(), move |session| {
        let drawing = Rc::new(Drawing { update, apart_ms, pause: RefCell::default(), is_late: Cell::default() });
        let watcher: Rc<dyn Fn()> = Rc::new(move || drawing.ask());
        session.frames().watch(&watcher);
        move || drop(watcher)
    });
}

/// When a component is drawn.
struct Drawing {
    update: UseForceUpdateHandle,
    apart_ms: u32,
    /// Until when it is not drawn again.
    pause: RefCell<Option<Timeout>>,
    /// Whether it was asked for during the pause.
    is_late: Cell<bool>,
}

impl Drawing {
    fn ask(self: &Rc<Self>) {
        if self.pause.borrow().is_some() {
            self.is_late.set(true);
            return;
        }
        self.update.force_update();
        if self.apart_ms > 0 {
            let drawing = Rc::downgrade(self);
            let end = move || drawing.upgrade().iter().for_each(|drawing| drawing.end_pause());
            self.pause.replace(Some(Timeout::new(self.apart_ms, end)));
        }
    }

    fn end_pause(self: &Rc<Self>) {
        self.pause.replace(None);
        if self.is_late.replace(false) {
            self.ask();
        }
    }
}
