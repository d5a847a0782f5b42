use std::rc::Rc;

use yew::prelude::*;

use super::file_name::FileName;
use super::progress::Progress;
use crate::format;
use crate::pages::files::courier::Courier;
use crate::pages::files::desk::{Desk, Order};
use crate::pages::files::readable;
use crate::pages::files::transfer::{Stage, Transfer};

#[derive(Properties)]
pub(crate) struct TransfersProps {
    pub(crate) desk: Rc<Desk>,
    pub(crate) courier: Courier,
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
    let mut transfers: Vec<&Transfer> = props.desk.transfers.iter().collect();
    transfers.sort_by_key(|transfer| place(transfer));
    let rows = transfers.into_iter().map(|transfer| row(transfer, props));
    html! {
        <>
            if !props.desk.transfers.is_empty() {
                <section class="card" aria-labelledby="transfers-heading">
                    <div class="card-head"><h2 id="transfers-heading">{ "Your files" }</h2></div>
                    <ul class="files-transfers">{ for rows }</ul>
                </section>
            }
            <p class="visually-hidden" role="status">{ &props.desk.announcement }</p>
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

fn row(transfer: &Transfer, props: &TransfersProps) -> Html {
    let is_interrupted = transfer.is_on_line() && !props.desk.is_open();
    let (tag, class) = tag(transfer, is_interrupted);
    let figures = figures(transfer, is_interrupted, props.now);
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
                <div class="files-actions">{ actions(transfer, &props.courier) }</div>
            </div>
            if let Some(note) = transfer.note.filter(|_| !matches!(transfer.stage, Stage::Failed(_))) {
                <p class="notice notice-waiting files-note">{ note }</p>
            }
            if let Stage::Failed(why) = &transfer.stage {
                <p class="notice notice-broken files-note">{ why }</p>
            }
        </li>
    }
}

fn tag(transfer: &Transfer, is_interrupted: bool) -> (&'static str, &'static str) {
    match &transfer.stage {
        _ if is_interrupted => ("Waits for the line", "tag tag-waiting"),
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

/// The numbers of a transfer, the most important first.
fn figures(transfer: &Transfer, is_interrupted: bool, now: f64) -> Vec<String> {
    let (acked, size) = (transfer.flow.acked(), transfer.flow.size());
    match &transfer.stage {
        Stage::Done(file) => {
            vec![format::bytes(size), format!("SHA-256 {}… is equal on both sides", &short(&file.sha256))]
        }
        Stage::Failed(_) | Stage::Waiting => vec![format::bytes(size)],
        Stage::Checking(position) => {
            vec![format!("{} of {} read again for the checksum", format::bytes(*position), format::bytes(acked))]
        }
        _ => {
            let mut figures = vec![
                format!("{} %", readable::percent(acked, size)),
                format!("{} of {}", format::bytes(acked), format::bytes(size)),
            ];
            if matches!(transfer.stage, Stage::Sending | Stage::Comparing) && !is_interrupted {
                figures.extend(transfer.meter.speed(now).map(readable::speed));
                let left = transfer.meter.time_left(now, size - acked);
                figures.extend(left.map(|left| format!("{} left", readable::wait(left))));
                figures.push(format!("{} on the way", format::bytes(transfer.flow.on_the_way())));
            }
            figures
        }
    }
}

fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

fn actions(transfer: &Transfer, courier: &Courier) -> Html {
    let id = transfer.id;
    let button = |words: &'static str, class: &'static str, act: fn(&mut Desk, u32) -> Vec<Order>| {
        let courier = courier.clone();
        let onclick = Callback::from(move |_: MouseEvent| courier.change(|desk| act(desk, id)));
        html! {
            <button key={words} type="button" class={classes!("button", "button-small", class)} {onclick}
                aria-label={format!("{words} {}", transfer.name)}>{ words }</button>
        }
    };
    match &transfer.stage {
        Stage::Paused => {
            html! { <>{ button("Resume", "", Desk::resume) }{ button("Cancel", "button-quiet", Desk::cancel) }</> }
        }
        Stage::Failed(_) => {
            html! { <>{ button("Send again", "", Desk::again) }{ button("Dismiss", "button-quiet", Desk::cancel) }</> }
        }
        Stage::Done(_) => button("Dismiss", "button-quiet", Desk::cancel),
        _ => html! { <>{ button("Pause", "", Desk::pause) }{ button("Cancel", "button-quiet", Desk::cancel) }</> },
    }
}
