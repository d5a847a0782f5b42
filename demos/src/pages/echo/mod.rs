//! The echo tester: talk to any WebSocket, and see everything that happens.
//!
//! # Layout
//! - [`session`]: the connection and what it has seen, for all parts of the page; [`record`]: that, without the page
//! - [`connection`], [`send`], [`log_view`], [`statistics`]: the parts of the page
//! - [`frames`]: when parts are drawn
//! - [`log`], [`traffic`]: the lines; how fast messages go and how long they take
//! - [`draft`], [`payload`], [`hex`], [`json_text`], [`place`]: what is sent
//! - [`address`], [`presets`], [`choice`], [`heartbeat_choice`]: where to, and how
//! - [`told`], [`clock_text`]: events and times in words

mod address;
mod choice;
mod clock_text;
mod connection;
mod draft;
mod frames;
mod heartbeat_choice;
mod hex;
mod json_text;
mod log;
mod log_view;
mod payload;
mod place;
mod presets;
mod props;
mod record;
mod send;
mod session;
mod statistics;
mod told;
mod traffic;

use everwire::{Event, State};
use everwire_yew::{SocketOptions, use_raw_socket};
use wasm_bindgen_futures::spawn_local;
use yew::prelude::*;

use self::choice::Choice;
use self::connection::{ConnectionCard, OpenDraft};
use self::draft::Draft;
use self::heartbeat_choice::HeartbeatChoice;
use self::log_view::LogCard;
use self::presets::{PRESETS, Preset};
use self::send::SendCard;
use self::session::Session;
use self::statistics::StatisticsCard;
use crate::components::PageHead;
use crate::line::{ServerChoice, use_line_to};

/// The echo tester.
#[component]
pub(crate) fn EchoPage() -> Html {
    let session = (*use_memo((), |()| Session::new())).clone();
    let draft = use_state(Draft::default);
    let open_draft = use_open_draft();
    let choice = use_state(|| None::<Choice>);

    let line = use_line_to(choice.as_ref().map_or(&open_draft.address, |choice| &choice.address));
    let options = choice.as_ref().map_or_else(SocketOptions::idle, |choice| choice.options(&line));
    let on_event = {
        let session = session.clone();
        Callback::from(move |event: Event| session.happened(event))
    };
    let socket = use_raw_socket(options, on_event);
    session.hold(socket.handle().clone());

    let on_open = {
        let (session, choice, line) = (session.clone(), choice.clone(), line.clone());
        Callback::from(move |chosen: Choice| {
            line.arm(None);
            session.connecting(&chosen.address);
            choice.set(Some(chosen));
        })
    };
    let on_close = {
        let socket = socket.clone();
        Callback::from(move |(code, reason)| socket.close_with(code, reason))
    };
    let on_change = {
        let open_draft = open_draft.clone();
        Callback::from(move |changed| open_draft.set(changed))
    };
    let on_preset = {
        let draft = draft.clone();
        Callback::from(move |preset: Preset| {
            if let Some(example) = preset.example {
                let mut suggested = (*draft).clone();
                suggested.suggest(example);
                draft.set(suggested);
            }
        })
    };
    let on_draft = {
        let draft = draft.clone();
        Callback::from(move |changed| draft.set(changed))
    };
    let status = socket.status();
    // A socket that could not even be made has no attempt to follow, and its trouble is the address.
    let trouble = status.trouble().filter(|_| choice.is_some() && status.is_idle()).cloned();
    let state = if status.is_idle() { State::Closed } else { status.state() };
    html! {
        <div class="echo">
            <PageHead title="Echo tester" lead={LEAD} connection={(line, status.clone())} />
            <ConnectionCard draft={(*open_draft).clone()} {state} {trouble} {on_change} {on_preset} {on_open} {on_close} />
            <div class="echo-parts">
                <SendCard session={session.clone()} draft={(*draft).clone()} on_change={on_draft} />
                <LogCard session={session.clone()} />
                <StatisticsCard {session} />
            </div>
        </div>
    }
}

const LEAD: &str = "Connect to any WebSocket server, send messages, and see everything that happens on the connection.";

/// The connection form. It starts with the server that all pages talk to, and follows when another is chosen.
#[hook]
fn use_open_draft() -> UseStateHandle<OpenDraft> {
    let draft = use_state(|| OpenDraft {
        address: String::new(),
        protocols: String::new(),
        heartbeat: HeartbeatChoice::EverySecond,
    });
    let server = use_context::<ServerChoice>().map(|choice| choice.server).unwrap_or_default();
    {
        let draft = draft.clone();
        use_effect_with(server, move |server| {
            let server = server.clone();
            spawn_local(async move {
                if let Ok(base) = server.base().await {
                    let address = address::with_path(&base, PRESETS[0].path);
                    draft.set(OpenDraft { address, ..(*draft).clone() });
                }
            });
        });
    }
    draft
}
