use std::rc::Rc;

use everwire::Watermarks;
use everwire_yew::SocketOptions;
use yew::prelude::*;

use super::controller::use_controller;
use super::parts::{Chooser, StoredFiles, Transfers};
use super::remembered;
use crate::components::PageHead;
use crate::line::use_line;
use crate::now::now;

/// How much may wait in the browser's buffer. It is refilled before it runs dry, and little enough for a ping to get
/// through soon.
const HIGH_WATER_MARK: u64 = 2 << 20;
const LOW_WATER_MARK: u64 = 1 << 20;

/// A file in binary chunks under backpressure, resumed where it stopped.
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
    let left = remembered::unfinished().into_iter().filter(|unfinished| !sending.contains(&unfinished.key));
    html! {
        <>
            <PageHead title="File transfer" connection={controller.status().map(|status| (line.clone(), status))}
                lead="Send a file, also a large one. It goes in small pieces, no faster than the server writes them; when the connection breaks it goes on where it was, and at the end both sides compare what they have." />
            <div class="files">
                <div class="stack">
                    <Chooser limits={state.limits} is_small={!state.transfers.is_empty()} left={left.collect::<Vec<_>>()} controller={controller.clone()} {on_files} />
                    <Transfers state={Rc::clone(&state)} controller={controller.clone()} now={now()} />
                </div>
                <StoredFiles {state} {controller} {base} {server_time} />
            </div>
        </>
    }
}

/// Where files are fetched from: where the connection leads to, by HTTP. Empty before there was a connection.
fn http_base(url: &str) -> String {
    let path = url.split('?').next().unwrap_or_default();
    path.replacen("ws", "http", 1)
}

#[cfg(test)]
mod tests {
    use super::http_base;

    #[test]
    fn files_are_fetched_from_where_the_connection_leads_to() {
        assert_eq!(http_base("ws://127.0.0.1:9001/files?fault=drop:0"), "http://127.0.0.1:9001/files");
        assert_eq!(http_base("wss://demo.example/live/files"), "https://demo.example/live/files");
        assert_eq!(http_base("wss://files.example/files"), "https://files.example/files");
        assert_eq!(http_base(""), "");
    }
}
