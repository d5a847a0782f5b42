use std::rc::Rc;

use everwire::Watermarks;
use everwire_companion_api::files::{Limits, StoredFile};
use everwire_yew::SocketOptions;
use gloo_events::{EventListener, EventListenerOptions};
use web_sys::{File, FileList, HtmlInputElement, window};
use yew::prelude::*;

use super::controller::{Controller, use_controller};
use super::state::State;
use super::text::{age, span};
use super::transfer_list::{FileName, INPUT, TransferList};
use super::unfinished::{self, UnfinishedUpload};
use crate::components::{Icon, PageHead};
use crate::format;
use crate::line::use_line;
use crate::now::now;

/// The watermarks of the browser's send buffer: enough that it does not run empty, and so little that a ping gets through soon.
const HIGH_WATER_MARK: u64 = 2 << 20;
const LOW_WATER_MARK: u64 = 1 << 20;

/// Sends files in binary chunks under backpressure, and resumes them where they stopped.
#[component]
pub(crate) fn FilesPage() -> Html {
    let line = use_line("/files");
    let watermarks = Watermarks::default().high(HIGH_WATER_MARK).low(LOW_WATER_MARK);
    let options = SocketOptions::with_builder(line.key(), line.builder().watermarks(watermarks));
    let controller = use_controller(options);
    let on_files = {
        let controller = controller.clone();
        use_callback((), move |files, ()| controller.add(files))
    };

    let state = Rc::new(controller.state().clone());
    let handle = controller.handle();
    let server_time = handle.as_ref().and_then(|handle| handle.server_time()).unwrap_or_else(now);
    let base = handle.map(|handle| http_base(&handle.url())).unwrap_or_default();
    let sending = state.transfers.iter().filter_map(|transfer| transfer.key.clone()).collect::<Vec<_>>();
    let unfinished = unfinished::list().into_iter().filter(|unfinished| !sending.contains(&unfinished.key));
    html! {
        <>
            <PageHead title="File transfer" connection={controller.status().map(|status| (line.clone(), status))}
                lead="Send files, large ones too. They go out in small chunks, no faster than the server can accept. If the connection breaks, the transfer resumes where it stopped, and at the end both sides compare checksums." />
            <div class="files">
                <div class="stack">
                    <Chooser limits={state.limits} is_compact={!state.transfers.is_empty()} unfinished={unfinished.collect::<Vec<_>>()} controller={controller.clone()} {on_files} />
                    <TransferList state={Rc::clone(&state)} controller={controller.clone()} now={now()} />
                </div>
                <StoredFiles {state} {controller} {base} {server_time} />
            </div>
        </>
    }
}

/// The HTTP address of downloads, from the address of the connection. Empty before the first connection.
fn http_base(url: &str) -> String {
    let path = url.split('?').next().unwrap_or_default();
    path.replacen("ws", "http", 1)
}

#[derive(Properties, PartialEq)]
struct ChooserProps {
    limits: Option<Limits>,
    /// Whether the drop zone makes room for a list below it.
    is_compact: bool,
    /// The uploads that an earlier visit left unfinished.
    unfinished: Vec<UnfinishedUpload>,
    controller: Controller,
    on_files: Callback<Vec<File>>,
}

/// The drop zone, the file input, and the uploads to resume.
#[component]
fn Chooser(props: &ChooserProps) -> Html {
    let is_over = use_state_eq(|| false);
    use_ignore_stray_drops();
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
            on_files.emit(to_vec(drop.data_transfer().and_then(|dropped| dropped.files())));
        })
    };
    let onchange = {
        let on_files = props.on_files.clone();
        Callback::from(move |event: Event| {
            let input = event.target_unchecked_into::<HtmlInputElement>();
            on_files.emit(to_vec(input.files()));
            // Otherwise choosing the same file again would be no change.
            input.set_value("");
        })
    };
    html! {
        <section class="card files-send" aria-labelledby="send-heading">
            <div class="card-head"><h2 id="send-heading">{ "Send files" }</h2></div>
            <div class={classes!("files-drop", is_over.then_some("is-over"), props.is_compact.then_some("is-small"))} {ondragover} {ondragleave} {ondrop}>
                { Icon::Files.draw() }
                <p class="files-drop-words">{ "Drop files here, or" }</p>
                <label class="button button-primary files-pick">
                    <input id={INPUT} type="file" multiple=true class="visually-hidden" aria-describedby="files-limits" {onchange} />
                    <span>{ "Choose files" }</span>
                </label>
            </div>
            <p id="files-limits" class="field-note">{ limits_text(props.limits) }</p>
            { for props.unfinished.iter().map(|unfinished| unfinished_notice(unfinished, &props.controller)) }
        </section>
    }
}

fn limits_text(limits: Option<Limits>) -> String {
    match limits {
        Some(limits) => format!(
            "Up to {} each. Everyone can download them; they are deleted after {}.",
            format::bytes(limits.file_bytes),
            span(limits.finished)
        ),
        None => "Everyone can download them.".to_owned(),
    }
}

fn unfinished_notice(unfinished: &UnfinishedUpload, controller: &Controller) -> Html {
    let discard = {
        let (controller, unfinished) = (controller.clone(), unfinished.clone());
        Callback::from(move |_: MouseEvent| controller.discard(&unfinished))
    };
    let UnfinishedUpload { name, size, key } = unfinished;
    html! {
        <div key={key.as_str()} class="notice notice-waiting files-left">
            <p>
                <strong class="files-left-name">{ name }</strong>{ format!(" ({}) is not finished. ", format::bytes(*size)) }
                { "Choose the same file again to resume it." }
            </p>
            <button type="button" class="button button-small" onclick={discard} aria-label={format!("Discard {name}")}>{ "Discard" }</button>
        </div>
    }
}

fn to_vec(files: Option<FileList>) -> Vec<File> {
    files.iter().flat_map(|files| (0..files.length()).filter_map(|index| files.get(index))).collect()
}

/// Ignores files that are dropped outside the drop zone, which the browser would open in place of the page.
#[hook]
fn use_ignore_stray_drops() {
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

#[derive(Properties, PartialEq)]
struct StoredFilesProps {
    state: Rc<State>,
    controller: Controller,
    /// The HTTP address of downloads.
    base: String,
    /// Milliseconds since the Unix epoch by the server's clock.
    server_time: f64,
}

/// The files on the server, which everyone can download.
#[component]
fn StoredFiles(props: &StoredFilesProps) -> Html {
    let files = &props.state.files;
    let used: u64 = files.iter().map(|file| file.size).sum();
    let capacity = props.state.limits.map(|limits| format::bytes(limits.store_bytes));
    html! {
        <section class="card" aria-labelledby="stored-heading">
            <div class="card-head">
                <h2 id="stored-heading">{ "Shared files" }</h2>
                if let Some(capacity) = capacity {
                    <span class="field-note number">{ format!("{} of {capacity}", format::bytes(used)) }</span>
                }
            </div>
            if files.is_empty() {
                <p class="empty">{ if props.state.has_listing { "No files yet. Files that anyone sends appear here." } else { "Waiting for the server’s list of files." } }</p>
            } else {
                <ul class="files-stored-list">{ for files.iter().map(|file| stored_file(file, props)) }</ul>
            }
        </section>
    }
}

fn stored_file(file: &StoredFile, props: &StoredFilesProps) -> Html {
    let on_delete = {
        let (controller, id) = (props.controller.clone(), file.id.clone());
        Callback::from(move |_: MouseEvent| controller.change(|state| state.delete(&id)))
    };
    let sha256 = &file.sha256;
    html! {
        <li key={file.id.clone()} class="files-stored">
            <a class="files-download" href={format!("{}/{}", props.base, file.id)} download={file.name.clone()}>
                <FileName name={file.name.clone()} />
                <span class="files-download-icon">{ Icon::Arrow.draw() }</span>
            </a>
            <p class="files-figures number">
                <span>{ format::bytes(file.size) }</span>
                <span>{ age(props.server_time - file.added) }</span>
                <span>{ format!("deleted in {}", span(file.expires - props.server_time)) }</span>
            </p>
            <div class="files-stored-foot">
                <p class="files-sha" title={format!("SHA-256 {sha256}")}>
                    { "SHA-256 " }<code>{ sha256.get(..16).unwrap_or(sha256) }{ "…" }</code>
                </p>
                if props.state.is_mine(&file.id) {
                    <button type="button" class="button button-small button-quiet" onclick={on_delete}
                        aria-label={format!("Delete {}", file.name)}>{ "Delete" }</button>
                }
            </div>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::http_base;

    #[test]
    fn files_are_downloaded_from_the_server_of_the_connection() {
        assert_eq!(http_base("ws://127.0.0.1:9001/files?fault=drop:0"), "http://127.0.0.1:9001/files");
        assert_eq!(http_base("wss://demo.example/live/files"), "https://demo.example/live/files");
        assert_eq!(http_base("wss://files.example/files"), "https://files.example/files");
        assert_eq!(http_base(""), "");
    }
}
