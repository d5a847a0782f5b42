use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, window};
use yew::prelude::*;

/// The heading above the files that are sent.
pub(super) const HEADING: &str = "transfers-heading";
/// What files are chosen with.
pub(super) const INPUT: &str = "files-input";

/// Keeps the focus near where the visitor acts: an element that leaves its place takes the focus away, and somebody
/// without a mouse would have to begin at the top of the page. The callback is told the id of what was pressed.
#[hook]
pub(super) fn use_kept_focus() -> Callback<String> {
    let pressed = use_mut_ref(|| None::<String>);
    {
        let pressed = Rc::clone(&pressed);
        use_effect(move || {
            if let Some(id) = pressed.take() {
                restore(&id);
            }
        });
    }
    use_callback((), move |id, ()| {
        pressed.replace(Some(id));
    })
}

/// Focuses what was pressed, or else what is nearest to where it was, unless something has the focus.
fn restore(id: &str) {
    let Some(document) = window().and_then(|window| window.document()) else { return };
    // Without a focus the body has it.
    if document.active_element().is_some_and(|element| element.tag_name() != "BODY") {
        return;
    }
    let nearest = [id, HEADING, INPUT].into_iter().find_map(|id| document.get_element_by_id(id));
    if let Some(nearest) = nearest.and_then(|nearest| nearest.dyn_into::<HtmlElement>().ok()) {
        // It fails only for an element that has left the page.
        let _ = nearest.focus();
    }
}
