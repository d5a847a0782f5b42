use gloo_events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{BeforeUnloadEvent, window};

/// Has the browser ask before the page is left, for as long as it is held: an upload would stop.
pub(super) struct Guard {
    _listener: Option<EventListener>,
}

impl Guard {
    pub(super) fn new() -> Self {
        let options = EventListenerOptions::enable_prevent_default();
        let listener = window().map(|window| {
            EventListener::new_with_options(&window, "beforeunload", options, |event| {
                event.prevent_default();
                // Browsers before 2023 ask for this instead; no browser shows the text any more.
                if let Some(event) = event.dyn_ref::<BeforeUnloadEvent>() {
                    event.set_return_value("Files are still being sent.");
                }
            })
        });
        Self { _listener: listener }
    }
}
