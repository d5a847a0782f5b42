//! A page with a chat: who is there, the latest hundred lines, and an input. Several components could use the channel; they would share it.
//!
//! `cargo run -p everwire --example chat` starts a server for it, on port 9002. To see the page, build this file as the program of a
//! page, with `trunk serve` for example.

use everwire::{Channel, client::ClientState};
use everwire_yew::{ClientProvider, use_channel, use_client, use_client_state, use_presence};
use serde::{Deserialize, Serialize};
use yew::prelude::*;

#[derive(Serialize, Deserialize)]
struct ChatMessage {
    text: String,
}

/// Declared once, and shared with the server.
const CHAT: Channel<ChatMessage> = Channel::new("chat");

#[component]
fn App() -> Html {
    let client = use_client("ws://127.0.0.1:9002/everwire");
    html! { <ClientProvider context={client}><Chat /></ClientProvider> }
}

#[component]
fn Chat() -> Html {
    let (chat, members) = (use_channel(&CHAT), use_presence(&CHAT));
    let is_online = use_client_state() == Some(ClientState::Attached);
    let input = use_node_ref();
    let onsubmit = {
        let (chat, input) = (chat.clone(), input.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if let Some(input) = input.cast::<web_sys::HtmlInputElement>() {
                // Sent now or when the connection is back; it comes back as a message when it is stored.
                drop(chat.publish(&ChatMessage { text: input.value() }));
                input.set_value("");
            }
        })
    };
    html! {
        <main>
            <p>{ if is_online { format!("{} present", members.len()) } else { "Connecting …".to_owned() } }</p>
            if let Some(error) = chat.error() { <p role="alert">{ error.to_string() }</p> }
            if chat.gap().is_some() { <p>{ "Some lines are missing here." }</p> }
            <ol>{ for chat.messages().iter().map(|message| html! {
                <li key={message.offset().to_string()}>{ &message.value.text }</li>
            }) }</ol>
            <form {onsubmit}><input ref={input} placeholder="Say something" /></form>
        </main>
    }
}

fn main() {
    yew::Renderer::<App>::new().render();
}
