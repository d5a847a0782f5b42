use everwire_companion_api::server::Faults;
use everwire_yew::ConnectionStatus;
use wasm_bindgen_futures::spawn_local;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::{Icon, Popover};
use crate::fault::{Disruption, Fault};
use crate::line::Line;

/// The close codes that can be tried, with what they mean to a client.
const CODES: [(u16, &str); 5] = [
    (1001, "going away"),
    (1011, "internal error"),
    (1012, "service restart"),
    (1013, "try again later"),
    (4000, "the application's own"),
];

#[derive(Properties, PartialEq)]
pub(crate) struct BreakMenuProps {
    pub(crate) line: Line,
    pub(crate) status: ConnectionStatus,
    /// Called with what was chosen.
    pub(crate) on_break: Callback<Disruption>,
}

/// What is known of the server's readiness to break connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readiness {
    Asking,
    Ready,
    Unwilling,
    /// There is no connection yet.
    Unconnected,
}

/// The menu of everything that can happen to a connection.
#[component]
pub(crate) fn BreakMenu(props: &BreakMenuProps) -> Html {
    let open = use_state(|| false);
    let offered = use_offered(&props.line, *open);
    let readiness = match offered {
        _ if props.status.is_idle() => Readiness::Unconnected,
        None => Readiness::Asking,
        Some(Faults { faults: true, .. }) => Readiness::Ready,
        Some(_) => Readiness::Unwilling,
    };
    let can_kill = offered.is_some_and(|faults| faults.kill);
    let code = use_state(|| 1012_u16);
    let choose_code = {
        let code = code.clone();
        Callback::from(move |event: Event| {
            let chosen = event.target_dyn_into::<HtmlSelectElement>().and_then(|select| select.value().parse().ok());
            code.set(chosen.unwrap_or(*code));
        })
    };
    let disruption = |disruption: Disruption, is_possible: bool, name: &'static str, shows: &'static str| {
        let (open, on_break) = (open.setter(), props.on_break.clone());
        let onclick = Callback::from(move |_| {
            open.set(false);
            on_break.emit(disruption);
        });
        html! {
            <button type="button" class="break-entry" disabled={!is_possible} {onclick}>
                <strong>{ name }</strong><span>{ shows }</span>
            </button>
        }
    };
    let entry = |fault, name, shows| disruption(Disruption::Fault(fault), readiness == Readiness::Ready, name, shows);
    let garbage = if props.line.has_channels() {
        "Broken text and bytes in place of the protocol. The page drops that connection."
    } else {
        "Broken text and bytes between the messages, until you restore the connection."
    };
    let kill = if can_kill || offered.is_none() {
        "SIGKILL. Its supervisor starts it again; the journal has every message."
    } else {
        "SIGKILL, for a server that was started with --supervise, from its own pages."
    };
    let on_toggle = {
        let open = open.setter();
        Callback::from(move |to| open.set(to))
    };
    let button = html! { <>{ Icon::Break.draw() }<span>{ "Break" }<span class="line-long">{ " the connection" }</span></span></> };
    html! {
        <Popover id="break-menu" {button} button_class="button button-small" label="Ways to break the connection" open={*open} {on_toggle}>
            { notice(readiness, &props.line) }
            <ul class="break-entries">
                <li>{ entry(Fault::Cut, "Cut the connection", "TCP ends without a word, as when a router restarts.") }</li>
                <li>{ entry(Fault::Silence, "Go silent", "The link looks alive and carries nothing. Noticed within 15 seconds.") }</li>
                <li>{ entry(Fault::Refuse, "Refuse", "The next attempt is answered with HTTP 503.") }</li>
                <li class="break-code">
                    { entry(Fault::Close(*code), "Close", "The server ends it properly, with this code.") }
                    <select class="input" aria-label="Close code" onchange={choose_code} disabled={readiness != Readiness::Ready}>
                        { for CODES.map(|(number, meaning)| html! {
                            <option value={number.to_string()} selected={number == *code}>{ format!("{number} {meaning}") }</option>
                        }) }
                    </select>
                </li>
                <li>{ entry(Fault::Delay(800), "Slow it down", "Every message comes 0.8 seconds late, until you restore the connection.") }</li>
                <li>{ entry(Fault::Garbage, "Send garbage", garbage) }</li>
                <li class="break-kill">{ disruption(Disruption::KillServer, can_kill, "Kill the server", kill) }</li>
            </ul>
            <p class="break-hint">
                { "Or take this machine offline: switch on flight mode, or turn Wi-Fi off for a moment. The connection is back as soon as the network is." }
            </p>
        </Popover>
    }
}

fn notice(readiness: Readiness, line: &Line) -> Html {
    match readiness {
        Readiness::Ready => html! {},
        Readiness::Unconnected => {
            html! { <p class="break-notice" role="status">{ "There is nothing to break yet. Connect first." }</p> }
        }
        Readiness::Asking => {
            html! { <p class="break-notice" role="status">{ "Asking the server whether it takes part…" }</p> }
        }
        Readiness::Unwilling => {
            let host = line.server().host().unwrap_or_else(|| "The server".to_owned());
            html! {
                <p class="break-notice" role="status">
                    { format!("{host} does not break connections on request. Start it with ") }<code>{ "--faults" }</code>{ "." }
                </p>
            }
        }
    }
}

/// What the server offers, asked each time the menu opens: it may have been started again with other flags. `None` until it has
/// answered.
#[hook]
fn use_offered(line: &Line, open: bool) -> Option<Faults> {
    let offered = use_state_eq(|| None);
    {
        let offered = offered.setter();
        use_effect_with((line.server().clone(), open), move |(server, open)| {
            if *open {
                let server = server.clone();
                spawn_local(async move { offered.set(Some(server.faults().await)) });
            }
        });
    }
    *offered
}
