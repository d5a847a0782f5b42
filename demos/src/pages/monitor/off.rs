use yew::prelude::*;

use crate::components::{CopyButton, Icon};

/// What starts a server that tells, from this project's folder.
const COMMAND: &str = "cargo run --release -p everwire-companion -- --monitor";

#[derive(Properties, PartialEq)]
pub(super) struct OffProps {
    pub(super) on_retry: Callback<()>,
}

/// Explains why there is nothing to see, and what to do.
#[component]
pub(super) fn Off(props: &OffProps) -> Html {
    let text = use_callback((), |(), ()| COMMAND.to_owned());
    let retry = props.on_retry.reform(|_: MouseEvent| ());
    html! {
        <section class="card monitor-off" aria-labelledby="monitor-off">
            <div class="monitor-off-sign">{ Icon::Monitor.draw() }</div>
            <h2 id="monitor-off">{ "This server keeps it to itself" }</h2>
            <p role="status">{ "The monitor is off, since it exposes information about the machine; start the server with --monitor." }</p>
            <div class="monitor-command">
                <code>{ COMMAND }</code>
                <CopyButton {text} />
            </div>
            <p class="field-note">
                { "Add the flags that you use already. Whoever can connect then sees the names of its processes, so keep it on a machine of your own. Once it runs:" }
            </p>
            <button type="button" class="button button-primary" onclick={retry}>{ "Look again" }</button>
        </section>
    }
}
