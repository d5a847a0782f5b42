use everwire_companion_api::files::Limits;
use gloo_events::{EventListener, EventListenerOptions};
use web_sys::{File, FileList, HtmlInputElement, window};
use yew::prelude::*;

use super::focus::INPUT;
use crate::components::Icon;
use crate::format;
use crate::pages::files::controller::Controller;
use crate::pages::files::readable;
use crate::pages::files::remembered::Unfinished;

#[derive(Properties, PartialEq)]
pub(crate) struct ChooserProps {
    pub(crate) limits: Option<Limits>,
    /// Whether there is more to see than the place itself.
    pub(crate) is_small: bool,
    /// What an earlier visit left unfinished.
    pub(crate) left: Vec<Unfinished>,
    pub(crate) controller: Controller,
    pub(crate) on_files: Callback<Vec<File>>,
}

/// Where files are dropped or chosen.
#[component]
pub(crate) fn Chooser(props: &ChooserProps) -> Html {
    let is_over = use_state_eq(|| false);
    use_no_stray_drops();
    let ondragover = {
        let is_over = is_over.setter();
        Callback::from(move |drag: DragEvent| {
            drag.prevent_default();
            is_over.set(true);
        })
    };
    let ondragleave = {
        let is_over = is_over.setter();
        Callback::from(move |_: DragEvent| is_over.set(false))
    };
    let ondrop = {
        let (is_over, on_files) = (is_over.setter(), props.on_files.clone());
        Callback::from(move |drop: DragEvent| {
            drop.prevent_default();
            is_over.set(false);
            on_files.emit(all(drop.data_transfer().and_then(|dropped| dropped.files())));
        })
    };
    let onchange = {
        let on_files = props.on_files.clone();
        Callback::from(move |event: Event| {
            let input = event.target_unchecked_into::<HtmlInputElement>();
            on_files.emit(all(input.files()));
            // So that choosing the same file once more is a change.
            input.set_value("");
        })
    };
    html! {
        <section class="card files-send" aria-labelledby="send-heading">
            <div class="card-head"><h2 id="send-heading">{ "Send" }</h2></div>
            <div class={classes!("files-drop", is_over.then_some("is-over"), props.is_small.then_some("is-small"))} {ondragover} {ondragleave} {ondrop}>
                { Icon::Files.draw() }
                <p class="files-drop-words">{ "Drop files here, or" }</p>
                <label class="button button-primary files-pick">
                    <input id={INPUT} type="file" multiple=true class="visually-hidden" aria-describedby="files-limits" {onchange} />
                    <span>{ "Choose files" }</span>
                </label>
            </div>
            <p id="files-limits" class="field-note">{ limits(props.limits) }</p>
            { for props.left.iter().map(|unfinished| left(unfinished, &props.controller)) }
        </section>
    }
}

fn limits(limits: Option<Limits>) -> String {
    match limits {
        Some(limits) => format!(
            "Up to {} each. Everybody here can fetch them, for {}; then they are deleted.",
            format::bytes(limits.file_bytes),
            readable::wait(limits.finished)
        ),
        None => "Everybody here can fetch them.".to_owned(),
    }
}

fn left(unfinished: &Unfinished, controller: &Controller) -> Html {
    let forget = {
        let (controller, unfinished) = (controller.clone(), unfinished.clone());
        Callback::from(move |_: MouseEvent| controller.forget(&unfinished))
    };
    let Unfinished { name, size, key } = unfinished;
    html! {
        <div key={key.as_str()} class="notice notice-waiting files-left">
            <p>
                <strong class="files-left-name">{ name }</strong>{ format!(" ({}) is not finished. ", format::bytes(*size)) }
                { "Choose the same file again to go on where it stopped." }
            </p>
            <button type="button" class="button button-small" onclick={forget} aria-label={format!("Forget {name}")}>{ "Forget it" }</button>
        </div>
    }
}

fn all(files: Option<FileList>) -> Vec<File> {
    files.iter().flat_map(|files| (0..files.length()).filter_map(|index| files.get(index))).collect()
}

/// A file that is dropped beside the place for it would otherwise be opened by the browser in place of the page.
#[hook]
fn use_no_stray_drops() {
    use_effect_with((), |()| {
        let listen = |kind: &'static str| {
            let options = EventListenerOptions::enable_prevent_default();
            window()
                .map(|window| EventListener::new_with_options(&window, kind, options, |event| event.prevent_default()))
        };
        let listeners = ["dragover", "drop"].map(listen);
        move || drop(listeners)
    });
}
