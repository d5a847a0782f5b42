use std::cell::Cell;
use std::rc::Rc;

use gloo_timers::callback::Interval;
use web_sys::{File, HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use super::file::{Progress, send_file};
use crate::format;
use crate::job::Job;
use crate::pages::echo::session::Session;

/// The sizes of message that a file can be cut into, in bytes. The companion server takes up to 1 MiB.
const CHUNKS: [(u32, &str); 4] =
    [(16 << 10, "16 KiB"), (64 << 10, "64 KiB"), (256 << 10, "256 KiB"), (1 << 20, "1 MiB")];

#[derive(Properties, PartialEq)]
pub(super) struct FileFormProps {
    pub(super) session: Session,
    pub(super) can_send: bool,
}

struct Running {
    progress: Rc<Cell<Progress>>,
    _job: Job,
    /// The network's buffer drains without an event.
    _redraw: Interval,
}

/// Sends a file in messages of a chosen size.
#[component]
pub(super) fn FileForm(props: &FileFormProps) -> Html {
    let update = use_force_update();
    let file = use_state(|| None::<File>);
    let chunk = use_state(|| CHUNKS[1].0);
    let running = use_state(|| None::<Running>);
    let outcome = use_state(|| None::<Result<String, String>>);

    let choose = {
        let (file, outcome) = (file.clone(), outcome.clone());
        Callback::from(move |event: Event| {
            let files = event.target_unchecked_into::<HtmlInputElement>().files();
            file.set(files.and_then(|files| files.get(0)));
            outcome.set(None);
        })
    };
    let choose_chunk = {
        let chunk = chunk.clone();
        Callback::from(move |event: Event| {
            let value = event.target_unchecked_into::<HtmlSelectElement>().value();
            chunk.set(value.parse().unwrap_or(CHUNKS[1].0));
        })
    };
    let onsubmit = {
        let (session, file, chunk, running, outcome) =
            (props.session.clone(), file.clone(), *chunk, running.clone(), outcome.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let Some(file) = (*file).clone() else { return };
            outcome.set(None);
            let progress = Rc::new(Cell::new(Progress { accepted: 0, total: file.size() as u64 }));
            let size = format::bytes(progress.get().total);
            let work = send_file(session.clone(), file, chunk, Rc::clone(&progress));
            let (ended, told) = (running.setter(), outcome.setter());
            let job = Job::start(async move {
                let sent = work.await;
                ended.set(None);
                told.set(Some(sent.map(|()| format!("{size} sent."))));
            });
            let update = update.clone();
            let redraw = Interval::new(100, move || update.force_update());
            running.set(Some(Running { progress, _job: job, _redraw: redraw }));
        })
    };
    let stop = {
        let (running, outcome) = (running.clone(), outcome.clone());
        Callback::from(move |_: MouseEvent| {
            running.set(None);
            outcome.set(Some(Err("Stopped. A part of the file was already sent.".to_owned())));
        })
    };
    let progress = running.as_ref().map(|running| {
        let Progress { accepted, total } = running.progress.get();
        let waiting = props.session.handle().map_or(0, |handle| handle.buffered_amount());
        (accepted.saturating_sub(waiting), total)
    });
    html! {
        <form class="file-form" {onsubmit} aria-label="Send a file">
            <label class="field">
                <span>{ "Or a file" }</span>
                <input class="input" type="file" onchange={choose} disabled={progress.is_some()} />
            </label>
            <label class="field">
                <span>{ "in messages of" }</span>
                <select class="input" onchange={choose_chunk} disabled={progress.is_some()}>
                    { for CHUNKS.map(|(size, name)| html! { <option value={size.to_string()} selected={size == *chunk}>{ name }</option> }) }
                </select>
            </label>
            if progress.is_some() {
                // Two elements: one that turned into the other while it is pressed would send the form, and start again.
                <button key="stop" type="button" class="button button-danger" onclick={stop}>{ "Stop" }</button>
            } else {
                <button key="start" type="submit" class="button" disabled={!props.can_send || file.is_none()}>{ "Send file" }</button>
            }
            <div class="repeat-note" role="status">
                if let Some((sent, total)) = progress {
                    <progress class="progress" max={total.to_string()} value={sent.to_string()} aria-label="File sent" />
                    <span class="field-note number">{ format!("{} of {}", format::bytes(sent), format::bytes(total)) }</span>
                } else {
                    { told((*outcome).as_ref()) }
                }
            </div>
        </form>
    }
}

fn told(outcome: Option<&Result<String, String>>) -> Html {
    match outcome {
        Some(Ok(done)) => html! { <span class="field-note">{ done }</span> },
        Some(Err(problem)) => html! { <span class="field-error">{ problem }</span> },
        None => html! {},
    }
}
