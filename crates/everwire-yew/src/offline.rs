use gloo_events::EventListener;
use web_sys::window;
use yew::prelude::*;

/// Whether the browser says that this device has no network; rendered again when that changes.
#[hook]
pub(crate) fn use_offline() -> bool {
    // Asked for in an effect alone: a component that is rendered on a server has no browser to ask.
    let is_offline = use_state_eq(|| false);
    {
        let is_offline = is_offline.setter();
        use_effect_with((), move |()| {
            let listeners = window().map(|window| {
                let navigator = window.navigator();
                is_offline.set(!navigator.on_line());
                ["online", "offline"].map(|event| {
                    let (is_offline, navigator) = (is_offline.clone(), navigator.clone());
                    EventListener::new(&window, event, move |_| is_offline.set(!navigator.on_line()))
                })
            });
            move || drop(listeners)
        });
    }
    *is_offline
}
