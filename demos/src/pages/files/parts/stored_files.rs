use std::rc::Rc;

use everwire_companion_api::files::StoredFile;
use yew::prelude::*;

use super::file_name::FileName;
use crate::components::Icon;
use crate::format;
use crate::pages::files::controller::Controller;
use crate::pages::files::readable;
use crate::pages::files::state::State;

#[derive(Properties, PartialEq)]
pub(crate) struct StoredFilesProps {
    pub(crate) state: Rc<State>,
    pub(crate) controller: Controller,
    /// Where files are fetched from.
    pub(crate) base: String,
    /// Milliseconds since the Unix epoch by the server's clock.
    pub(crate) server_time: f64,
}

/// What everybody can fetch.
#[component]
pub(crate) fn StoredFiles(props: &StoredFilesProps) -> Html {
    let files = &props.state.files;
    let taken: u64 = files.iter().map(|file| file.size).sum();
    let room = props.state.limits.map(|limits| format::bytes(limits.store_bytes));
    html! {
        <section class="card" aria-labelledby="shelf-heading">
            <div class="card-head">
                <h2 id="shelf-heading">{ "To fetch" }</h2>
                if let Some(room) = room {
                    <span class="field-note number">{ format!("{} of {room}", format::bytes(taken)) }</span>
                }
            </div>
            if files.is_empty() {
                <p class="empty">{ if props.state.has_listing { "Nothing yet. What anybody sends appears here." } else { "Waiting for the server to tell what there is." } }</p>
            } else {
                <ul class="files-shelf">{ for files.iter().map(|file| row(file, props)) }</ul>
            }
        </section>
    }
}

fn row(file: &StoredFile, props: &StoredFilesProps) -> Html {
    let take_back = {
        let (controller, id) = (props.controller.clone(), file.id.clone());
        Callback::from(move |_: MouseEvent| controller.change(|state| state.take_back(&id)))
    };
    let sha256 = &file.sha256;
    html! {
        <li key={file.id.clone()} class="files-stored">
            <a class="files-fetch" href={format!("{}/{}", props.base, file.id)} download={file.name.clone()}>
                <FileName name={file.name.clone()} />
                <span class="files-fetch-icon">{ Icon::Arrow.draw() }</span>
            </a>
            <p class="files-figures number">
                <span>{ format::bytes(file.size) }</span>
                <span>{ readable::age(props.server_time - file.added) }</span>
                <span>{ format!("goes in {}", readable::wait(file.expires - props.server_time)) }</span>
            </p>
            <div class="files-stored-foot">
                <p class="files-sha" title={format!("SHA-256 {sha256}")}>
                    { "SHA-256 " }<code>{ sha256.get(..16).unwrap_or(sha256) }{ "…" }</code>
                </p>
                if props.state.is_mine(&file.id) {
                    <button type="button" class="button button-small button-quiet" onclick={take_back}
                        aria-label={format!("Delete {}", file.name)}>{ "Delete" }</button>
                }
            </div>
        </li>
    }
}
