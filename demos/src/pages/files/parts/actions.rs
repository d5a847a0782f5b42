use yew::prelude::*;

use crate::pages::files::controller::Controller;
use crate::pages::files::state::{Command, State};
use crate::pages::files::transfer::{Stage, Transfer};

type Act = fn(&mut State, u32) -> Vec<Command>;

/// What the visitor can do with a file. `on_act` is told which button was pressed.
///
/// There are two places, and a button that takes the place of another is the same element: the focus stays on it.
pub(super) fn actions(transfer: &Transfer, controller: &Controller, on_act: &Callback<String>) -> Html {
    let button = |place: &'static str, class: &'static str, (words, act): (&'static str, Act)| {
        let (id, element) = (transfer.id, format!("files-{}-{place}", transfer.id));
        let onclick = {
            let (controller, on_act, element) = (controller.clone(), on_act.clone(), element.clone());
            Callback::from(move |_: MouseEvent| {
                on_act.emit(element.clone());
                controller.change(|state| act(state, id));
            })
        };
        html! {
            <button key={place} id={element} type="button" class={classes!("button", "button-small", class)} {onclick}
                aria-label={format!("{words} {}", transfer.name)}>{ words }</button>
        }
    };
    let (first, last) = offered(&transfer.stage);
    html! {
        <>
            { for first.map(|first| button("first", "", first)) }
            { button("last", "button-quiet", last) }
        </>
    }
}

fn offered(stage: &Stage) -> (Option<(&'static str, Act)>, (&'static str, Act)) {
    match stage {
        Stage::Paused => (Some(("Resume", State::resume)), ("Cancel", State::cancel)),
        Stage::Failed(failure) if !failure.is_final => (Some(("Send again", State::again)), ("Dismiss", State::cancel)),
        Stage::Failed(_) | Stage::Done(_) => (None, ("Dismiss", State::cancel)),
        _ => (Some(("Pause", State::pause)), ("Cancel", State::cancel)),
    }
}
