//! Where the page connects to, and how it ends.

mod close_form;
mod open_form;
mod presets_bar;

use everwire::{CloseCode, CloseReason, State};
use yew::prelude::*;

use self::close_form::CloseForm;
pub(super) use self::open_form::OpenDraft;
use self::open_form::OpenForm;
use self::presets_bar::PresetsBar;
use super::address;
use super::choice::Choice;
use super::presets::Preset;

#[derive(Properties, PartialEq)]
pub(super) struct ConnectionCardProps {
    pub(super) draft: OpenDraft,
    pub(super) state: State,
    /// What is wrong with the connection that was asked for last.
    pub(super) trouble: Option<AttrValue>,
    pub(super) on_change: Callback<OpenDraft>,
    /// The visitor chose another endpoint.
    pub(super) on_preset: Callback<Preset>,
    pub(super) on_open: Callback<Choice>,
    pub(super) on_close: Callback<(CloseCode, CloseReason)>,
}

/// The part of the page that connects and disconnects.
#[component]
pub(super) fn ConnectionCard(props: &ConnectionCardProps) -> Html {
    let ConnectionCardProps { draft, state, .. } = props;
    let error = use_state(|| None::<AttrValue>);
    let presses = use_mut_ref(|| 0_u32);
    let is_busy = *state != State::Closed;

    let open = {
        let (on_open, error) = (props.on_open.clone(), error.clone());
        Callback::from(move |draft: OpenDraft| {
            *presses.borrow_mut() += 1;
            let choice = draft.choice(page_is_secure(), *presses.borrow());
            error.set(choice.as_ref().err().cloned().map(AttrValue::from));
            choice.into_iter().for_each(|choice| on_open.emit(choice));
        })
    };
    let on_change = {
        let (on_change, error) = (props.on_change.clone(), error.clone());
        Callback::from(move |changed| {
            error.set(None);
            on_change.emit(changed);
        })
    };
    // While a connection is open, another endpoint is somewhere else to go at once.
    let on_choose = {
        let (draft, open, on_change, on_preset) =
            (draft.clone(), open.clone(), on_change.clone(), props.on_preset.clone());
        Callback::from(move |preset: Preset| {
            let changed = OpenDraft { address: address::with_path(&draft.address, preset.path), ..draft.clone() };
            on_change.emit(changed.clone());
            on_preset.emit(preset);
            if is_busy {
                open.emit(changed);
            }
        })
    };
    let on_open = {
        let draft = draft.clone();
        open.reform(move |()| draft.clone())
    };
    html! {
        <section class="card stack stack-tight" aria-labelledby="connection-heading">
            <h2 id="connection-heading" class="visually-hidden">{ "Connection" }</h2>
            <PresetsBar current={Preset::of(&draft.address).copied()} {on_choose} />
            <OpenForm draft={draft.clone()} error={(*error).clone().or(props.trouble.clone())} {is_busy} {on_change} {on_open} />
            if is_busy {
                <CloseForm is_closing={*state == State::Closing} on_close={props.on_close.clone()} />
            }
        </section>
    }
}

fn page_is_secure() -> bool {
    web_sys::window().and_then(|window| window.location().protocol().ok()).is_some_and(|protocol| protocol == "https:")
}
