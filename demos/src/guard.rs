use std::cell::Cell;

use gloo_events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{BeforeUnloadEvent, window};

thread_local! {
    /// What is asked before another page of the application is shown.
    static QUESTION: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Has the visitor asked before the page is left, for as long as it is held: something would stop. One is held at a time.
pub(crate) struct Guard {
    _listener: Option<EventListener>,
}

impl Guard {
    pub(crate) fn new(question: &'static str) -> Self {
        QUESTION.set(Some(question));
        let options = EventListenerOptions::enable_prevent_default();
        let listener = window().map(|window| {
            EventListener::new_with_options(&window, "beforeunload", options, move |event| {
                event.prevent_default();
                // Browsers before 2023 ask for this instead; no browser shows the text any more.
                if let Some(event) = event.dyn_ref::<BeforeUnloadEvent>() {
                    event.set_return_value(question);
                }
            })
        });
        Self { _listener: listener }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        QUESTION.set(None);
    }
}

/// Whether the page may be left for another one of the application, of which the browser knows nothing. The visitor is
/// asked if something would stop.
pub(crate) fn may_leave() -> bool {
    let Some(question) = QUESTION.get() else { return true };
    // A browser that shows no dialogs must not keep the visitor here.
    window().is_none_or(|window| window.confirm_with_message(question).unwrap_or(true))
}
