//! A row of the log.

use everwire_companion_api::chat::{Author, Message};
use yew::prelude::*;

use super::clock::{day_name, time_of_day};
use super::outgoing::{Fate, Unconfirmed};
use super::people::{color, initials};
use super::rows::{Load, Row};
use super::text::{Part, is_emoji_alone, parts};
use crate::format;

/// How many colours people have, in the style sheet.
const COLORS: usize = 7;

/// What becomes of a message that was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    SendAgain,
    Discard,
}

pub(super) fn row(
    row: &Row,
    today: i64,
    behind_utc: f64,
    on_unsent: &Callback<(String, Unsent)>,
    on_load: &Callback<()>,
) -> Html {
    match row {
        Row::Day(day) => html! { <p class="chat-row chat-day"><span>{ day_name(*day, today) }</span></p> },
        Row::New => html! { <p class="chat-row chat-new"><span>{ "New" }</span></p> },
        Row::Start => note("This is the beginning of the room."),
        Row::Older => note("Older messages are no longer available."),
        Row::Gone(1) => note("1 message is no longer available."),
        Row::Gone(missing) => note(&format!("{} messages are no longer available.", format::count(*missing))),
        Row::Restarted => note("The server has lost what was before, and begins again here."),
        Row::Load(Load::Soon) => note("Loading messages…"),
        Row::Load(Load::Later(1)) => note("1 message is not loaded yet."),
        Row::Load(Load::Later(missing)) => note(&format!("{} messages are not loaded yet.", format::count(*missing))),
        Row::Load(Load::Failed(problem)) => html! {
            <div class="chat-row chat-note">
                <p>{ format!("Older messages could not be loaded: {problem}.") }</p>
                <button type="button" class="button button-small" onclick={on_load.reform(|_: MouseEvent| ())}>{ "Try again" }</button>
            </div>
        },
        Row::Message { entry, is_continued, is_mine } => match entry.message() {
            None => note("A message that this page cannot read."),
            Some(message) => {
                let look = Look { is_continued: *is_continued, is_mine: *is_mine, state: None };
                message_row(message, entry.time, behind_utc, look, Html::default())
            }
        },
        Row::Unconfirmed { message, is_continued } => unconfirmed(message, *is_continued, behind_utc, on_unsent),
    }
}

fn note(text: &str) -> Html {
    html! { <p class="chat-row chat-note">{ text }</p> }
}

fn unconfirmed(
    unconfirmed: &Unconfirmed,
    is_continued: bool,
    behind_utc: f64,
    on_unsent: &Callback<(String, Unsent)>,
) -> Html {
    let Unconfirmed { message, time, fate, .. } = unconfirmed;
    let wish = |wish: Unsent| {
        let id = message.id.clone();
        on_unsent.reform(move |_: MouseEvent| (id.clone(), wish))
    };
    let (state, foot) = match fate {
        Fate::Pending => ("is-pending", html! { <p class="chat-sending">{ "Sending…" }</p> }),
        Fate::Looking => ("is-pending", html! { <p class="chat-sending">{ "Looking whether it arrived…" }</p> }),
        Fate::Failed(reason) => (
            "is-failed",
            html! {
                <div class="chat-failed" role="group" aria-label="Message that was not sent">
                    <p><strong>{ "Not sent." }</strong>{ " " }{ reason }</p>
                    <button type="button" class="button button-small" onclick={wish(Unsent::SendAgain)}>{ "Send again" }</button>
                    <button type="button" class="button button-small button-quiet" onclick={wish(Unsent::Discard)}>{ "Discard" }</button>
                </div>
            },
        ),
    };
    message_row(message, *time, behind_utc, Look { is_continued, is_mine: true, state: Some(state) }, foot)
}

struct Look {
    is_continued: bool,
    is_mine: bool,
    state: Option<&'static str>,
}

fn message_row(message: &Message, time: f64, behind_utc: f64, look: Look, foot: Html) -> Html {
    let Look { is_continued, is_mine, state } = look;
    let Author { id, name } = &message.author;
    let time = time_of_day(time, behind_utc);
    let class = classes!(
        "chat-row",
        "chat-message",
        is_continued.then_some("is-continued"),
        is_mine.then_some("is-mine"),
        state
    );
    // Author, time, text: in this order for those who hear it.
    html! {
        <div {class} role="article">
            if is_continued {
                <span class="visually-hidden">{ name }{ ", " }</span>
                <time class="chat-time number">{ time }</time>
            } else {
                <span class={classes!("chat-avatar", format!("who-{}", color(id, COLORS)))} aria-hidden="true">{ initials(name) }</span>
                <p class="chat-head"><bdi class="chat-author">{ name }</bdi>{ " " }<time class="chat-time number">{ time }</time></p>
            }
            <div class={classes!("chat-text", is_emoji_alone(&message.text).then_some("is-emoji"))} dir="auto">
                { for parts(&message.text).into_iter().map(part) }
            </div>
            { foot }
        </div>
    }
}

fn part(part: Part<'_>) -> Html {
    match part {
        Part::Text(text) => html! { { text } },
        Part::Link(url) => {
            let url = url.to_owned();
            html! { <a href={url.clone()} target="_blank" rel="noopener noreferrer nofollow">{ url }</a> }
        }
    }
}
