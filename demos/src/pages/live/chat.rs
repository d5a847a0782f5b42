use everwire::Client;
use everwire_companion_api::chat::{Message, ROOMS, TEXT_CHARS};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::feed::use_feed;
use super::frame::{Frame, PanelProps};
use super::lists::time_of_day;
use super::panel::Panel;
use super::talk::Talk;
use crate::client::use_client_line;
use crate::components::{Icon, RouteLink};
use crate::pages::chat::{Controller, Fate};
use crate::routes::Route;

/// The room of the panel's channel.
const ROOM: &str = ROOMS[0];

/// The latest messages of the lobby, and an input.
#[component]
pub(super) fn ChatPanel(props: &PanelProps) -> Html {
    let feed = use_feed::<Talk>(Panel::Chat, props.is_on, &props.traffic);
    let chat = use_chat();
    let input = use_node_ref();
    let onsubmit = {
        let (chat, input) = (chat.clone(), input.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if let Some(input) = input.cast::<HtmlInputElement>()
                && chat.send(ROOM, &input.value())
            {
                input.set_value("");
            }
        })
    };
    let tools = html! { <RouteLink to={Route::Chat} class="live-link">{ "All rooms" }</RouteLink> };
    let (talk, rooms) = (feed.model(), chat.rooms());
    let pending: Vec<_> = rooms.get(ROOM).into_iter().flat_map(|room| talk.pending(&room.outgoing)).collect();
    let is_empty = talk.messages().next().is_none() && pending.is_empty();
    html! {
        <Frame panel={Panel::Chat} is_on={props.is_on} on_switch={props.on_switch.clone()} resumed={feed.resumed} refused={feed.refused.clone()} {tools}>
            <div class="scroll live-scroll live-chat-scroll" tabindex="0" role="region" aria-label="Messages of the lobby">
                if is_empty {
                    <p class="live-nothing">{ "Nothing was said yet. Say hello." }</p>
                }
                <ol class="live-chat-list">
                    { for talk.messages().map(|said| line(&said.message, html! { <time>{ time_of_day(said.time) }</time> })) }
                    { for pending.into_iter().map(|pending| line(&pending.message, note(&chat, &pending.message.id, &pending.fate))) }
                </ol>
            </div>
            <form class="live-chat-form" {onsubmit}>
                <input class="input" ref={input} aria-label="Message to the lobby" placeholder="Say something" maxlength={TEXT_CHARS.to_string()} autocomplete="off" />
                <button type="submit" class="button" aria-label="Send">{ Icon::Arrow.draw() }</button>
            </form>
        </Frame>
    }
}

/// The chat, whose page shows the same messages of the visitor as this panel.
#[hook]
fn use_chat() -> Controller {
    let controller = Controller::shared();
    let server = use_client_line().0.key();
    let client = use_context::<Option<Client>>().flatten();
    let update = use_force_update();
    use_effect_with(client, {
        let controller = controller.clone();
        move |client| {
            controller.attach(client.clone(), &server, update);
            move || controller.hide()
        }
    });
    controller
}

fn line(message: &Message, note: Html) -> Html {
    html! {
        <li key={message.id.clone()}><strong>{ &message.author.name }</strong>{ " " }<span>{ &message.text }</span>{ " " }{ note }</li>
    }
}

/// What has become of a message of the visitor.
fn note(chat: &Controller, id: &str, fate: &Fate) -> Html {
    let Fate::Failed(why) = fate else { return html! { <span class="live-pending">{ "Sending…" }</span> } };
    let button = |text: &'static str, act: fn(&Controller, &str, &str)| {
        let (chat, id) = (chat.clone(), id.to_owned());
        let onclick = Callback::from(move |_: MouseEvent| act(&chat, ROOM, &id));
        html! { <button type="button" class="button button-small" {onclick}>{ text }</button> }
    };
    html! {
        <span class="live-failed" role="group" aria-label="Message that was not sent">
            { "Not sent. " }{ why }{ " " }
            { button("Send again", Controller::send_again) }{ " " }{ button("Discard", Controller::discard) }
        </span>
    }
}
