use everwire::Channel;
use everwire_companion_api::chat::{Author, Message, TEXT_CHARS};
use web_sys::HtmlInputElement;
use yew::platform::spawn_local;
use yew::prelude::*;

use super::feed::{Feed, use_feed};
use super::frame::{Frame, PanelProps};
use super::lists::time_of_day;
use super::panel::Panel;
use super::talk::Talk;
use crate::components::{Icon, RouteLink};
use crate::routes::Route;
use crate::{secret, visitor};

/// The latest messages of the lobby, and an input.
#[component]
pub(super) fn ChatPanel(props: &PanelProps) -> Html {
    let feed = use_feed::<Talk>(Panel::Chat, props.is_on, &props.traffic);
    let update = use_force_update();
    let input = use_node_ref();
    let onsubmit = {
        let (feed, input) = (feed.clone(), input.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let Some(input) = input.cast::<HtmlInputElement>() else { return };
            let text = input.value().trim().to_owned();
            if !text.is_empty() && say(&feed, text, update.clone()) {
                input.set_value("");
                update.force_update();
            }
        })
    };
    let tools = html! { <RouteLink to={Route::Chat} class="live-link">{ "All rooms" }</RouteLink> };
    let talk = feed.model();
    let is_empty = talk.messages().next().is_none() && talk.pending().is_empty();
    html! {
        <Frame panel={Panel::Chat} is_on={props.is_on} on_switch={props.on_switch.clone()} resumed={feed.resumed} refused={feed.refused.clone()} {tools}>
            <div class="scroll live-scroll live-chat-scroll" tabindex="0" role="region" aria-label="Messages of the lobby">
                if is_empty {
                    <p class="live-nothing">{ "Nothing was said yet. Say hello." }</p>
                }
                <ol class="live-chat-list">
                    { for talk.messages().map(|said| line(&said.message, html! { <time>{ time_of_day(said.time) }</time> })) }
                    { for talk.pending().iter().map(|pending| line(&pending.message, match &pending.failed {
                        None => html! { <span class="live-pending">{ "Sending…" }</span> },
                        Some(why) => html! { <span class="live-failed">{ format!("Not sent: {why}") }</span> },
                    })) }
                </ol>
            </div>
            <form class="live-chat-form" {onsubmit}>
                <input class="input" ref={input} aria-label="Message to the lobby" placeholder="Say something" maxlength={TEXT_CHARS.to_string()} autocomplete="off" />
                <button type="submit" class="button" aria-label="Send">{ Icon::Arrow.draw() }</button>
            </form>
        </Frame>
    }
}

fn line(message: &Message, note: Html) -> Html {
    html! {
        <li key={message.id.clone()}><strong>{ &message.author.name }</strong>{ " " }<span>{ &message.text }</span>{ " " }{ note }</li>
    }
}

/// Publishes a text, which comes back when it is stored. Returns whether there is a client for it.
fn say(feed: &Feed<Talk>, text: String, update: UseForceUpdateHandle) -> bool {
    let Some(client) = &feed.client else { return false };
    let id = visitor::user().or_else(|| client.session()).unwrap_or_default();
    let author = Author { id, name: visitor::name() };
    let message = Message { id: secret::random(), author, text };
    let publishing = client.publish(&Channel::new(Panel::Chat.channel()), &message);
    let id = message.id.clone();
    feed.model_mut().write(message);
    let feed = feed.clone();
    spawn_local(async move {
        if let Err(error) = publishing.await {
            feed.model_mut().fail(&id, error.to_string());
            update.force_update();
        }
    });
    true
}
