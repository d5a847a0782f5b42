//! The rooms and the people, at the sides of the messages.

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::controller::Controller;
use super::people::{Person, color, initials};
use crate::components::Popover;
use crate::format;

/// A room in the list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ListedRoom {
    pub(super) name: String,
    pub(super) unread: u64,
    pub(super) is_current: bool,
    /// Something in it was not sent.
    pub(super) has_failed: bool,
}

#[derive(Properties, PartialEq)]
pub(super) struct RoomListProps {
    pub(super) controller: Controller,
    pub(super) rooms: Vec<ListedRoom>,
}

#[component]
pub(super) fn RoomList(props: &RoomListProps) -> Html {
    let RoomListProps { controller, rooms } = props;
    let room = |room: &ListedRoom| {
        let onclick = {
            let (controller, name) = (controller.clone(), room.name.clone());
            Callback::from(move |_: MouseEvent| controller.select(&name))
        };
        let class = classes!("chat-room", (room.unread > 0).then_some("has-unread"));
        html! {
            <li key={room.name.clone()}>
                <button type="button" {class} aria-current={room.is_current.then_some("true")} {onclick}>
                    <span class="chat-room-name"><span aria-hidden="true">{ "#" }</span><bdi>{ &room.name }</bdi></span>
                    if room.has_failed {
                        <span class="chat-badge is-failed"><span aria-hidden="true">{ "!" }</span><span class="visually-hidden">{ "message not sent" }</span></span>
                    } else if room.unread > 0 {
                        <span class="chat-badge number">{ unread(room.unread) }<span class="visually-hidden">{ " unread" }</span></span>
                    }
                </button>
            </li>
        }
    };
    html! {
        <nav class="chat-rooms" aria-label="Rooms">
            <h2 class="chat-side-head">{ "Rooms" }</h2>
            <ul class="chat-room-list">{ for rooms.iter().map(room) }</ul>
            <AddRoom controller={controller.clone()} />
        </nav>
    }
}

fn unread(count: u64) -> String {
    if count > 99 { "99+".to_owned() } else { count.to_string() }
}

#[derive(Properties, PartialEq)]
struct AddRoomProps {
    controller: Controller,
}

#[component]
fn AddRoom(props: &AddRoomProps) -> Html {
    let is_open = use_state_eq(|| false);
    let typed = use_state(String::new);
    let problem = use_state_eq(|| None::<String>);
    let field = use_node_ref();
    {
        let field = field.clone();
        use_effect_with(*is_open, move |is_open| {
            if let Some(field) = field.cast::<HtmlInputElement>().filter(|_| *is_open) {
                let _ = field.focus();
            }
        });
    }
    let on_toggle = {
        let (is_open, problem) = (is_open.setter(), problem.setter());
        Callback::from(move |open| {
            is_open.set(open);
            problem.set(None);
        })
    };
    let oninput = {
        let typed = typed.setter();
        Callback::from(move |event: InputEvent| typed.set(event.target_unchecked_into::<HtmlInputElement>().value()))
    };
    let onsubmit = {
        let (controller, typed, problem, is_open) =
            (props.controller.clone(), typed.clone(), problem.setter(), is_open.setter());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            match controller.add_room(&typed) {
                Ok(()) => {
                    typed.set(String::new());
                    problem.set(None);
                    is_open.set(false);
                }
                Err(error) => problem.set(Some(error.to_string())),
            }
        })
    };
    html! {
        <Popover id="chat-add-room" button={html! { <><span aria-hidden="true">{ "+" }</span><span class="chat-add-text">{ "Join a room" }</span></> }} button_class="button button-small button-quiet chat-add"
            label="Join a room" open={*is_open} {on_toggle}>
            <form class="chat-add-form" {onsubmit}>
                <label class="field">
                    <span>{ "Room, also a new one" }</span>
                    <input ref={field} class="input" autocomplete="off" autocapitalize="none" value={(*typed).clone()}
                        aria-invalid={problem.is_some().to_string()} {oninput} />
                </label>
                <button type="submit" class="button button-primary">{ "Join" }</button>
                if let Some(problem) = &*problem {
                    <p class="field-error" role="alert">{ problem }</p>
                }
            </form>
        </Popover>
    }
}

#[derive(Properties, PartialEq)]
pub(super) struct PeopleProps {
    pub(super) people: Vec<Person>,
    pub(super) is_connected: bool,
}

/// Who is here.
#[component]
pub(super) fn PeopleList(props: &PeopleProps) -> Html {
    let person = |person: &Person| {
        html! {
            <li key={person.id.clone()} class="chat-person">
                <span class={classes!("chat-avatar", format!("who-{}", color(&person.id, 7)))} aria-hidden="true">{ initials(&person.name) }</span>
                <span class="chat-person-name"><bdi>{ &person.name }</bdi></span>
                if person.is_me { <span class="tag">{ "you" }</span> }
            </li>
        }
    };
    html! {
        <>
            <ul class={classes!("chat-person-list", (!props.is_connected).then_some("is-stale"))}>{ for props.people.iter().map(person) }</ul>
            if !props.is_connected {
                <p class="field-note">{ "Not connected. This is who was here." }</p>
            }
        </>
    }
}

/// The same list behind a button, where there is no room beside the messages.
#[component]
pub(super) fn PeopleButton(props: &PeopleProps) -> Html {
    let is_open = use_state_eq(|| false);
    let on_toggle = {
        let is_open = is_open.setter();
        Callback::from(move |open| is_open.set(open))
    };
    html! {
        <Popover id="chat-people" button={html! { { here(props.people.len()) } }} button_class="button button-small button-quiet"
            label="People in this room" open={*is_open} {on_toggle}>
            <PeopleList people={props.people.clone()} is_connected={props.is_connected} />
        </Popover>
    }
}

pub(super) fn here(people: usize) -> String {
    format!("{} here", format::count(people as u64))
}
