//! What the visitor sends: once, repeatedly, or from a file.

mod editor;
mod file;
mod file_form;
mod repeat;
mod repeat_form;

use everwire::State;
use yew::prelude::*;

use self::editor::Editor;
use self::file_form::FileForm;
use self::repeat_form::RepeatForm;
use super::draft::{Draft, Format};
use super::frames::use_redraw;
use super::session::Session;

#[derive(Properties, PartialEq)]
pub(super) struct SendCardProps {
    pub(super) session: Session,
    pub(super) draft: Draft,
    pub(super) on_change: Callback<Draft>,
}

/// The part of the page that sends.
#[component]
pub(super) fn SendCard(props: &SendCardProps) -> Html {
    use_redraw(&props.session, 100);
    let refused = use_state(|| None::<AttrValue>);
    let payload = props.draft.payload();
    let state = props.session.state();
    let can_send = !matches!(state, State::Closed | State::Closing);

    let send = {
        let (session, refused, payload) = (props.session.clone(), refused.clone(), payload.clone());
        Callback::from(move |()| {
            if let (true, Ok(payload)) = (can_send, &payload) {
                refused.set(session.send(payload).err().map(|error| AttrValue::from(error.to_string())));
            }
        })
    };
    let on_format = {
        let (draft, on_change) = (props.draft.clone(), props.on_change.clone());
        Callback::from(move |format| {
            let mut draft = draft.clone();
            draft.format = format;
            on_change.emit(draft);
        })
    };
    let onsubmit = send.reform(|event: SubmitEvent| event.prevent_default());
    html! {
        <section class="card stack stack-tight" aria-labelledby="send-heading">
            <div class="card-head">
                <h2 id="send-heading">{ "Send" }</h2>
                { formats(props.draft.format, on_format) }
            </div>
            <form class="stack stack-tight" {onsubmit}>
                <Editor draft={props.draft.clone()} mistake={payload.as_ref().err().cloned()} on_change={props.on_change.clone()} on_send={send} />
                <div class="send-row">
                    <button type="submit" class="button button-primary" disabled={!can_send || payload.is_err()}>{ "Send" }</button>
                    <span class="field-note">{ hint(&props.session, state) }</span>
                </div>
                if let Some(refused) = (*refused).clone() {
                    <p class="field-error" role="alert">{ refused }</p>
                }
            </form>
            <RepeatForm session={props.session.clone()} payload={payload.ok()} {can_send} />
            if props.draft.format == Format::Binary {
                <FileForm session={props.session.clone()} {can_send} />
            }
        </section>
    }
}

fn formats(current: Format, on_choose: Callback<Format>) -> Html {
    let choices = [(Format::Text, "Text"), (Format::Json, "JSON"), (Format::Binary, "Binary")];
    html! {
        <div class="segments" role="radiogroup" aria-label="Format">
            { for choices.map(|(format, name)| html! {
                <label>
                    <input type="radio" name="format" checked={format == current} onchange={on_choose.reform(move |_: Event| format)} />
                    <span>{ name }</span>
                </label>
            }) }
        </div>
    }
}

/// What happens to a message that is sent now.
fn hint(session: &Session, state: State) -> String {
    match state {
        State::Closed => "Connect first.".to_owned(),
        State::Closing => "The connection is closing.".to_owned(),
        _ => match session.handle().map_or(0, |handle| handle.stats().queued_messages) {
            0 if state == State::Open => "Ctrl + Enter also sends.".to_owned(),
            0 => "Messages will wait for the connection.".to_owned(),
            1 => "1 message is waiting for the connection.".to_owned(),
            waiting => format!("{waiting} messages are waiting for the connection."),
        },
    }
}
