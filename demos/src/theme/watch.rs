use gloo_events::EventListener;
use wasm_bindgen::prelude::*;
use web_sys::{MutationObserver, MutationObserverInit, window};

/// Calls back when the page turns light or dark: by the system's preference, or by the visitor's choice. Dropping it ends
/// that.
#[must_use]
pub(crate) struct ThemeWatch {
    observer: Option<MutationObserver>,
    _of_system: Option<EventListener>,
    // The observer calls it until it is disconnected.
    _of_visitor: Closure<dyn FnMut()>,
}

impl ThemeWatch {
    pub(crate) fn start(on_change: impl Fn() + Clone + 'static) -> Self {
        let of_visitor = Closure::new(on_change.clone());
        Self { observer: observe(&of_visitor), _of_system: listen(on_change), _of_visitor: of_visitor }
    }
}

impl Drop for ThemeWatch {
    fn drop(&mut self) {
        if let Some(observer) = &self.observer {
            observer.disconnect();
        }
    }
}

/// The visitor's choice is an attribute of the root element.
fn observe(on_change: &Closure<dyn FnMut()>) -> Option<MutationObserver> {
    let root = window()?.document()?.document_element()?;
    let observer = MutationObserver::new(on_change.as_ref().unchecked_ref()).ok()?;
    let what = MutationObserverInit::new();
    what.set_attributes(true);
    observer.observe_with_options(&root, &what).ok()?;
    Some(observer)
}

fn listen(on_change: impl Fn() + 'static) -> Option<EventListener> {
    let query = window()?.match_media("(prefers-color-scheme: dark)").ok().flatten()?;
    Some(EventListener::new(&query, "change", move |_| on_change()))
}
