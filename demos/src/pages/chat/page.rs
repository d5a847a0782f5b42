use everwire::{Channel, Client};
use everwire_companion_api::chat::{Message, ROOMS, channel_name};
use everwire_yew::use_presence;
use gloo_events::{EventListener, EventListenerOptions};
use web_sys::window;
use yew::prelude::*;

use super::clock::day;
use super::composer::Composer;
use super::controller::Controller;
use super::log::Log;
use super::outgoing::Fate;
use super::people::people;
use super::room::Room;
use super::rows::blocks;
use super::side::{ListedRoom, PeopleButton, PeopleList, RoomList, here};
use crate::client::use_client_line;
use crate::components::{Icon, PageHead};
use crate::now::now;
use crate::routes::Route;
use crate::visitor;

/// How often the date is looked at, in milliseconds.
const LOOK_AT_DATE: u32 = 30_000;

/// Rooms over one connection.
#[component]
pub(crate) fn ChatPage() -> Html {
    let connection = use_client_line();
    let controller = use_controller(connection.0.key());
    let name = visitor::use_name();
    crate::ticks::use_ticks(LOOK_AT_DATE, true);
    let rooms = controller.rooms();
    let room = rooms.current();
    let channel = Channel::<Message>::named(channel_name(&room.name));
    let members = use_presence(&channel);
    use_question_before_unload(rooms.are_waiting());
    use_title(rooms.unread());

    let me = controller.me();
    let session = controller.client().and_then(|client| client.session());
    let people = people(&members, session.as_deref());
    let is_connected = connection.1.is_open();
    let behind_utc = js_sys::Date::new_0().get_timezone_offset();
    let listed = |other: &Room| ListedRoom {
        name: other.name.clone(),
        unread: other.unread(),
        is_current: other.name == room.name,
        has_failed: other.outgoing.messages().iter().any(|message| matches!(message.fate, Fate::Failed(_))),
    };
    let leave = {
        let (controller, name) = (controller.clone(), room.name.clone());
        Callback::from(move |_: MouseEvent| controller.leave_room(&name))
    };
    let blocks = blocks(room, me.as_deref().unwrap_or_default(), behind_utc);
    html! {
        <>
            <PageHead title="Chat" {connection}
                lead="Rooms over one connection. What you write waits for the connection, and arrives once." />
            <div class="chat">
                <RoomList controller={controller.clone()} rooms={rooms.all().iter().map(listed).collect::<Vec<_>>()} />
                <section class="chat-main" aria-label={format!("Room {}", room.name)}>
                    <header class="chat-main-head">
                        <h2><span aria-hidden="true">{ "#" }</span><bdi>{ &room.name }</bdi></h2>
                        if !ROOMS.contains(&&*room.name) {
                            <button type="button" class="button button-small button-quiet" disabled={!rooms.can_be_removed(&room.name)} onclick={leave}>
                                { Icon::Close.draw() }{ "Leave" }
                            </button>
                        }
                        <div class="chat-people-button"><PeopleButton people={people.clone()} {is_connected} /></div>
                    </header>
                    if let Some(problem) = &room.problem {
                        <p class="notice notice-broken" role="alert">{ format!("This room cannot be read: {problem}.") }</p>
                    }
                    <Log key={room.name.clone()} controller={controller.clone()} room={room.name.clone()} {blocks}
                        unread={room.unread()} today={day(now(), behind_utc)} {behind_utc} />
                    <p class="chat-typing">
                        if is_connected {
                            { room.typists.text().unwrap_or_default() }
                        } else {
                            { if me.is_some() { "Not connected. What you send waits, in order." } else { "Connecting…" } }
                        }
                    </p>
                    <Composer key={format!("{}-composer", room.name)} controller={controller.clone()} room={room.name.clone()} {name}
                        is_known={me.is_some()} />
                </section>
                <aside class="chat-people" aria-labelledby="chat-people-heading">
                    <h2 id="chat-people-heading" class="chat-side-head">{ here(people.len()) }</h2>
                    <PeopleList people={people.clone()} {is_connected} />
                </aside>
                <p class="visually-hidden" aria-live="polite">{ controller.announcement() }</p>
            </div>
        </>
    }
}

/// The chat, which goes on without the page and is read while the page is shown.
#[hook]
fn use_controller(server: String) -> Controller {
    let controller = Controller::shared();
    let client = use_context::<Option<Client>>().flatten();
    let update = use_force_update();
    use_effect_with(client, {
        let controller = controller.clone();
        move |client| {
            controller.show(client.clone(), &server, update);
            move || controller.hide()
        }
    });
    controller
}

/// Has the browser ask before the application is left, while something waits to be sent. Its other pages may be visited.
#[hook]
fn use_question_before_unload(is_needed: bool) {
    use_effect_with(is_needed, |is_needed| {
        let options = EventListenerOptions::enable_prevent_default();
        let listener = window().filter(|_| *is_needed).map(|window| {
            EventListener::new_with_options(&window, "beforeunload", options, |event| event.prevent_default())
        });
        move || drop(listener)
    });
}

/// Shows in the browser's tab how many messages are unread.
#[hook]
fn use_title(unread: u64) {
    use_effect_with(unread, |unread| {
        let title = Route::Chat.document_title();
        if let Some(document) = window().and_then(|window| window.document()) {
            document.set_title(&if *unread == 0 { title } else { format!("({unread}) {title}") });
        }
    });
}
