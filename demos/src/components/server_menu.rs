use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::{Icon, Popover};
use crate::line::{Line, ServerChoice};
use crate::server::Server;

#[derive(Properties, PartialEq)]
pub(crate) struct ServerMenuProps {
    pub(crate) line: Line,
    /// Host and port that the line leads to, as far as they are known.
    pub(crate) host: Option<AttrValue>,
}

/// Where the line leads, and a form to have it lead elsewhere.
#[component]
pub(crate) fn ServerMenu(props: &ServerMenuProps) -> Html {
    let open = use_state(|| false);
    let error = use_state_eq(|| None::<AttrValue>);
    let input = use_node_ref();
    let choice = use_context::<ServerChoice>();
    let server = props.line.server();
    let host = props.host.clone().unwrap_or_default();

    let choose = {
        let (open, error) = (open.setter(), error.setter());
        Callback::from(move |typed: String| match Server::choose(&typed) {
            Ok(server) => {
                error.set(None);
                open.set(false);
                if let Some(choice) = &choice {
                    choice.choose.emit(server);
                }
            }
            Err(problem) => error.set(Some(problem.to_string().into())),
        })
    };
    let onsubmit = {
        let (input, choose) = (input.clone(), choose.clone());
        Callback::from(move |submit: SubmitEvent| {
            submit.prevent_default();
            let typed = input.cast::<HtmlInputElement>().map(|input| input.value());
            choose.emit(typed.unwrap_or_default());
        })
    };
    let find = Callback::from(move |_| choose.emit(String::new()));
    let on_toggle = {
        let (open, error) = (open.setter(), error.setter());
        Callback::from(move |to| {
            error.set(None);
            open.set(to);
        })
    };
    let button = html! {
        <>{ Icon::Server.draw() }<span class="line-address"><span class="line-host">{ &host }</span>{ props.line.endpoint() }</span></>
    };
    let label = format!("Server {host}{}, change it", props.line.endpoint());
    html! {
        <Popover id="server-menu" {button} button_class="button button-small button-quiet line-server" button_label={label} label="Server" open={*open} {on_toggle}>
            <form class="stack stack-tight" {onsubmit}>
                <label class="field">
                    <span>{ "Server that all pages talk to" }</span>
                    <input
                        class="input mono"
                        ref={input}
                        value={server.choice().unwrap_or_default().to_owned()}
                        placeholder="ws://127.0.0.1:9001"
                        autocomplete="off"
                        spellcheck="false"
                        aria-invalid={error.is_some().to_string()}
                        aria-describedby="server-menu-note"
                    />
                </label>
                <p id="server-menu-note" class={if error.is_some() { "field-error" } else { "field-note" }} role="status">
                    { (*error).clone().unwrap_or_else(|| "Empty: the server of this page, or port 9001 of the same host.".into()) }
                </p>
                <div class="toolbar">
                    <button type="submit" class="button button-primary button-small">{ "Use this server" }</button>
                    <button type="button" class="button button-small" onclick={find}>{ "Find it" }</button>
                </div>
            </form>
        </Popover>
    }
}
