use std::rc::Rc;

use yew::prelude::*;

use super::actions::actions;
use super::figures::figures;
use super::file_name::FileName;
use super::focus::{HEADING, use_kept_focus};
use super::progress::Progress;
use crate::pages::files::controller::Controller;
use crate::pages::files::state::State;
use crate::pages::files::transfer::{Stage, Transfer};

#[derive(Properties)]
pub(crate) struct TransfersProps {
    pub(crate) state: Rc<State>,
    pub(crate) controller: Controller,
    pub(crate) now: f64,
}

impl PartialEq for TransfersProps {
    fn eq(&self, _: &Self) -> bool {
        // Times go on while nothing else does.
        false
    }
}

/// The files that the visitor sends.
#[component]
pub(crate) fn Transfers(props: &TransfersProps) -> Html {
    let mut transfers: Vec<&Transfer> = props.state.transfers.iter().collect();
    transfers.sort_by_key(|transfer| place(transfer));
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

/// What is under way stands first, then what needs the visitor, then what comes next, then what is over.
fn place(transfer: &Transfer) -> u8 {
    match transfer.stage {
        _ if transfer.is_active() => 0,
        Stage::Failed(_) => 1,
        Stage::Paused => 2,
        Stage::Waiting => 3,
        _ => 4,
    }
}

fn row(transfer: &Transfer, props: &TransfersProps, on_act: &Callback<String>) -> Html {
    let is_interrupted = transfer.is_on_line() && !props.state.is_open();
    let (tag, class) = tag(transfer, is_interrupted);
    let figures = figures(transfer, props.state.limits, is_interrupted, props.now);
    html! {
        <li key={transfer.id} class="files-transfer" aria-label={transfer.name.clone()}>
            <div class="files-transfer-head">
                <FileName name={transfer.name.clone()} />
                <span class={class}>{ tag }</span>
            </div>
            if transfer.is_unfinished() {
                <Progress name={transfer.name.clone()} flow={transfer.flow} told={figures.join(", ")}
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
        _ if is_interrupted => ("Waits for the connection", "tag tag-waiting"),
        Stage::Waiting => ("In the queue", "tag"),
        Stage::Preparing | Stage::Asking => ("Starting", "tag"),
        Stage::Checking(_) => ("Checking", "tag"),
        // The server compares as soon as it has the last byte.
        Stage::Comparing if transfer.flow.on_the_way() > 0 => ("Sending", "tag tag-alive"),
        Stage::Sending => ("Sending", "tag tag-alive"),
        Stage::Comparing => ("Comparing", "tag tag-alive"),
        Stage::Paused => ("Paused", "tag tag-waiting"),
        Stage::Done(_) => ("Arrived", "tag tag-alive"),
        Stage::Failed(_) => ("Not sent", "tag tag-broken"),
    }
}
