use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::window;
use yew::prelude::*;

use crate::components::Icon;

/// What starts a server that tells, from this project's folder.
const COMMAND: &str = "cargo run --release -p everwire-server -- --monitor";

#[derive(Properties, PartialEq)]
pub(super) struct OffProps {
    /// What the server said.
    pub(super) sentence: AttrValue,
    pub(super) on_retry: Callback<()>,
}

/// Explains why there is nothing to see, and what to do.
#[component]
pub(super) fn Off(props: &OffProps) -> Html {
    let is_copied = use_state(|| false);
    let copy = {
        let is_copied = is_copied.setter();
        Callback::from(move |_: MouseEvent| {
            let is_copied = is_copied.clone();
            let copied = window().map(|window| window.navigator().clipboard().write_text(COMMAND));
            spawn_local(async move {
                // Where a page may not write to the clipboard, the command can still be selected.
                if let Some(copied) = copied {
                    is_copied.set(JsFuture::from(copied).await.is_ok());
                }
            });
        })
    };
    let retry = props.on_retry.reform(|_: MouseEvent| ());
    html! {
        <section class="card monitor-off" aria-labelledby="monitor-off">
            <div class="monitor-off-sign">{ Icon::Monitor.draw() }</div>
            <h2 id="monitor-off">{ "This server keeps it to itself" }</h2>
            <p role="status">{ &props.sentence }</p>
            <div class="monitor-command">
                <code>{ COMMAND }</code>
                <button type="button" class="button button-small" onclick={copy}>
                    if *is_copied { { Icon::Check.draw() } }
                    { if *is_copied { "Copied" } else { "Copy" } }
                </button>
            </div>
            <p class="field-note">
                { "Add the flags that you use already. Whoever can connect then sees the names of its processes, so keep it on a machine of your own. Once it runs:" }
            </p>
            <button type="button" class="button button-primary" onclick={retry}>{ "Look again" }</button>
        </section>
    }
}
