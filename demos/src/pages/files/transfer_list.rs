//! The list of the visitor's files: progress, figures and actions of each.

use std::rc::Rc;

use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, window};
use yew::prelude::*;

use super::controller::Controller;
use super::state::{Command, State};
use super::text::{figures, name_parts, percent};
use super::transfer::{FlowControl, Stage, Transfer};

/// The element ids that the focus falls back to.
const HEADING: &str = "transfers-heading";
pub(super) const INPUT: &str = "files-input";

#[derive(Properties)]
pub(super) struct TransferListProps {
    pub(super) state: Rc<State>,
    pub(super) controller: Controller,
    pub(super) now: f64,
}

impl PartialEq for TransferListProps {
    fn eq(&self, _: &Self) -> bool {
        // Speeds and times change also while no property does.
        false
    }
}

/// The files that the visitor sends.
#[component]
pub(super) fn TransferList(props: &TransferListProps) -> Html {
    let mut transfers: Vec<&Transfer> = props.state.transfers.iter().collect();
    transfers.sort_by_key(|transfer| rank(transfer));
    let on_act = use_kept_focus();
    let rows = transfers.into_iter().map(|transfer| row(transfer, props, &on_act));
    html! {
        <>
            if !props.state.transfers.is_empty() {
                <section class="card" aria-labelledby={HEADING}>
                    <div class="card-head"><h2 id={HEADING} tabindex="-1">{ "Your files" }</h2></div>
                    <ul class="files-transfers">{ for rows }</ul>
                </section>
            }
            <p class="visually-hidden" role="status">{ &props.state.announcement }</p>
        </>
    }
}

/// The order of the list: active, failed, paused, queued, done.
fn rank(transfer: &Transfer) -> u8 {
    match transfer.stage {
        _ if transfer.is_active() => 0,
        Stage::Failed(_) => 1,
        Stage::Paused => 2,
        Stage::Queued => 3,
        _ => 4,
    }
}

fn row(transfer: &Transfer, props: &TransferListProps, on_act: &Callback<String>) -> Html {
    let is_interrupted = transfer.needs_connection() && !props.state.is_open();
    let (tag, class) = tag(transfer, is_interrupted);
    let figures = figures(transfer, props.state.limits, is_interrupted, props.now);
    html! {
        <li key={transfer.id} class="files-transfer" aria-label={transfer.name.clone()}>
            <div class="files-transfer-head">
                <FileName name={transfer.name.clone()} />
                <span class={class}>{ tag }</span>
            </div>
            if transfer.is_unfinished() {
                <Progress name={transfer.name.clone()} flow={transfer.flow} value_text={figures.join(", ")}
                    class={classes!((transfer.stage == Stage::Paused || is_interrupted).then_some("is-still"))} />
            }
            <div class="files-transfer-foot">
                <p class="files-figures number">{ for figures.iter().map(|figure| html! { <span>{ figure }</span> }) }</p>
                <div class="files-actions">{ actions(transfer, &props.controller, on_act) }</div>
            </div>
            if let Some(note) = transfer.note.filter(|_| !matches!(transfer.stage, Stage::Failed(_))) {
                <p class="notice notice-waiting files-note">{ note }</p>
            }
            if let Stage::Failed(failure) = &transfer.stage {
                <p class="notice notice-broken files-note">{ &failure.why }</p>
            }
        </li>
    }
}

fn tag(transfer: &Transfer, is_interrupted: bool) -> (&'static str, &'static str) {
    match &transfer.stage {
        _ if is_interrupted => ("Waiting for the connection", "tag tag-waiting"),
        Stage::Queued => ("Queued", "tag"),
        Stage::Preparing | Stage::Requesting => ("Starting", "tag"),
        Stage::Rereading(_) => ("Checking", "tag"),
        // The server compares only when it has the last byte.
        Stage::Verifying if transfer.flow.in_flight() > 0 => ("Sending", "tag tag-alive"),
        Stage::Sending => ("Sending", "tag tag-alive"),
        Stage::Verifying => ("Verifying", "tag tag-alive"),
        Stage::Paused => ("Paused", "tag tag-waiting"),
        Stage::Done(_) => ("Complete", "tag tag-alive"),
        Stage::Failed(_) => ("Failed", "tag tag-broken"),
    }
}

type Action = fn(&mut State, u32) -> Vec<Command>;

/// The buttons of a file. `on_act` gets the id of the button that is pressed.
///
/// There are two places for buttons. A button that replaces another has its key, so that it is the same element and keeps the focus.
fn actions(transfer: &Transfer, controller: &Controller, on_act: &Callback<String>) -> Html {
    let button = |place: &'static str, class: &'static str, (label, action): (&'static str, Action)| {
        let (id, element) = (transfer.id, format!("files-{}-{place}", transfer.id));
        let onclick = {
            let (controller, on_act, element) = (controller.clone(), on_act.clone(), element.clone());
            Callback::from(move |_: MouseEvent| {
                on_act.emit(element.clone());
                controller.change(|state| action(state, id));
            })
        };
        html! {
            <button key={place} id={element} type="button" class={classes!("button", "button-small", class)} {onclick}
                aria-label={format!("{label} {}", transfer.name)}>{ label }</button>
        }
    };
    let (first, last) = available_actions(&transfer.stage);
    html! {
        <>
            { for first.map(|first| button("first", "", first)) }
            { button("last", "button-quiet", last) }
        </>
    }
}

fn available_actions(stage: &Stage) -> (Option<(&'static str, Action)>, (&'static str, Action)) {
    match stage {
        Stage::Paused => (Some(("Resume", State::resume)), ("Cancel", State::cancel)),
        Stage::Failed(failure) if !failure.is_final => (Some(("Retry", State::retry)), ("Dismiss", State::cancel)),
        Stage::Failed(_) | Stage::Done(_) => (None, ("Dismiss", State::cancel)),
        _ => (Some(("Pause", State::pause)), ("Cancel", State::cancel)),
    }
}

#[derive(Properties, PartialEq)]
struct ProgressProps {
    name: AttrValue,
    flow: FlowControl,
    /// The text for screen readers.
    value_text: AttrValue,
    class: Classes,
}

/// A progress bar: what the server has acknowledged, and what is in flight.
#[component]
fn Progress(props: &ProgressProps) -> Html {
    let (acked, sent, size) = (props.flow.acked(), props.flow.sent(), props.flow.size());
    html! {
        <div class={classes!("files-bar", props.class.clone())} role="progressbar" aria-label={format!("{} sent", props.name)}
            aria-valuemin="0" aria-valuemax="100" aria-valuenow={percent(acked, size).to_string()} aria-valuetext={props.value_text.clone()}>
            <span class="files-bar-sent" style={width(sent, size)}></span>
            <span class="files-bar-acked" style={width(acked, size)}></span>
        </div>
    }
}

#[expect(clippy::cast_precision_loss, reason = "a screen has fewer pixels")]
fn width(part: u64, whole: u64) -> String {
    let share = if whole == 0 { 100.0 } else { part as f64 / whole as f64 * 100.0 };
    format!("width:{share:.2}%")
}

#[derive(Properties, PartialEq)]
pub(super) struct FileNameProps {
    pub(super) name: AttrValue,
}

/// A file's name, cut in its middle where space is short. A screen reader reads all of it.
#[component]
pub(super) fn FileName(props: &FileNameProps) -> Html {
    let (start, end) = name_parts(&props.name);
    html! {
        <span class="files-name" title={&props.name}>
            <span class="visually-hidden">{ &props.name }</span>
            <span class="files-name-start" aria-hidden="true">{ start }</span>
            <span aria-hidden="true">{ end }</span>
        </span>
    }
}

/// Keeps the focus near the button that was pressed. When that button is removed, the focus would return to the top of the page, which
/// keyboard users would have to tab through again. The callback gets the id of the pressed button.
#[hook]
fn use_kept_focus() -> Callback<String> {
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

/// Focuses the pressed button, or the nearest fallback if it is gone, unless something else has the focus.
fn restore(id: &str) {
    let Some(document) = window().and_then(|window| window.document()) else { return };
    // The body is the active element when nothing has the focus.
    if document.active_element().is_some_and(|element| element.tag_name() != "BODY") {
        return;
    }
    let nearest = [id, HEADING, INPUT].into_iter().find_map(|id| document.get_element_by_id(id));
    if let Some(nearest) = nearest.and_then(|nearest| nearest.dyn_into::<HtmlElement>().ok()) {
        // It fails only for an element that is no longer in the page.
        let _ = nearest.focus();
    }
}
