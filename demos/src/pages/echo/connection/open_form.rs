use everwire::{Protocols, ProtocolsError};
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use crate::pages::echo::address;
use crate::pages::echo::choice::Choice;
use crate::pages::echo::heartbeat_choice::HeartbeatChoice;

/// What is written in the form.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::pages::echo) struct OpenDraft {
    pub(in crate::pages::echo) address: String,
    pub(in crate::pages::echo) protocols: String,
    pub(in crate::pages::echo) heartbeat: HeartbeatChoice,
}

impl OpenDraft {
    /// What the form asks for, or what is wrong with it. The names of subprotocols stand between blanks or commas.
    pub(super) fn choice(&self, page_is_secure: bool, press: u32) -> Result<Choice, String> {
        address::check(&self.address, page_is_secure).map_err(|error| error.to_string())?;
        let protocols = self.offered().map_err(|error| error.to_string())?;
        Ok(Choice { address: self.address.trim().to_owned(), protocols, heartbeat: self.heartbeat, press })
    }

    fn offered(&self) -> Result<Protocols, ProtocolsError> {
        Protocols::new(self.protocols.split([' ', ',', '\t']).filter(|name| !name.is_empty()))
    }
}

#[derive(Properties, PartialEq)]
pub(super) struct OpenFormProps {
    pub(super) draft: OpenDraft,
    /// Why the last attempt to connect came to nothing.
    pub(super) error: Option<AttrValue>,
    /// Whether there is a connection, which has to end before the form can be changed.
    pub(super) is_busy: bool,
    pub(super) on_change: Callback<OpenDraft>,
    pub(super) on_open: Callback<()>,
}

/// Address, TLS, subprotocols and heartbeat.
#[component]
pub(super) fn OpenForm(props: &OpenFormProps) -> Html {
    let OpenFormProps { draft, is_busy, .. } = props;
    let change = |apply: fn(&mut OpenDraft, String)| {
        let (draft, on_change) = (draft.clone(), props.on_change.clone());
        move |value: String| {
            let mut draft = draft.clone();
            apply(&mut draft, value);
            on_change.emit(draft);
        }
    };
    let typed = |apply| {
        let change = change(apply);
        Callback::from(move |event: InputEvent| change(event.target_unchecked_into::<HtmlInputElement>().value()))
    };
    let choose_heartbeat = {
        let change = change(|draft, value| {
            draft.heartbeat = HeartbeatChoice::from_value(&value).unwrap_or(draft.heartbeat);
        });
        Callback::from(move |event: Event| change(event.target_unchecked_into::<HtmlSelectElement>().value()))
    };
    let is_secure = address::is_secure(&draft.address) == Some(true);
    let switch_tls = {
        let change = change(|draft, _| {
            let secure = address::is_secure(&draft.address) != Some(true);
            draft.address = address::with_security(&draft.address, secure);
        });
        Callback::from(move |_: Event| change(String::new()))
    };
    let onsubmit = props.on_open.reform(|event: SubmitEvent| event.prevent_default());
    let protocols_error = draft.offered().err().map(|error| error.to_string());
    html! {
        <form class="open-form" {onsubmit} novalidate=true>
            <div class="open-address">
                <label class="field">
                    <span>{ "Address" }</span>
                    <input class="input mono" type="url" inputmode="url" spellcheck="false" autocapitalize="off" autocomplete="off"
                        value={draft.address.clone()} disabled={*is_busy} oninput={typed(|draft, value| draft.address = value)}
                        aria-invalid={props.error.is_some().to_string()} aria-describedby="open-error" />
                </label>
                <label class="switch">
                    <input type="checkbox" role="switch" checked={is_secure} disabled={*is_busy} onchange={switch_tls} />
                    <span>{ "TLS" }</span>
                </label>
                if !is_busy {
                    <button type="submit" class="button button-primary">{ "Connect" }</button>
                }
            </div>
            <p id="open-error" class="field-error" role="alert">{ props.error.clone() }</p>
            if !is_busy {
                <div class="columns open-options">
                    <label class="field">
                        <span>{ "Subprotocols" }</span>
                        <input class="input mono" spellcheck="false" autocapitalize="off" autocomplete="off" placeholder="none"
                            value={draft.protocols.clone()} oninput={typed(|draft, value| draft.protocols = value)}
                            aria-invalid={protocols_error.is_some().to_string()} aria-describedby="protocols-note" />
                        <span id="protocols-note" class={if protocols_error.is_some() { "field-error" } else { "field-note" }}>
                            { protocols_error.unwrap_or_else(|| "Separated by spaces, in order of preference.".to_owned()) }
                        </span>
                    </label>
                    <label class="field">
                        <span>{ "Heartbeat" }</span>
                        <select class="input" onchange={choose_heartbeat}>
                            { for HeartbeatChoice::ALL.map(|choice| html! {
                                <option value={choice.value()} selected={choice == draft.heartbeat}>{ choice.label() }</option>
                            }) }
                        </select>
                        <span class="field-note">{ "How a dead connection is detected. Turn pings off for servers that do not answer them." }</span>
                    </label>
                </div>
            }
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(protocols: &str) -> OpenDraft {
        OpenDraft {
            address: "ws://localhost:9001/echo".to_owned(),
            protocols: protocols.to_owned(),
            heartbeat: HeartbeatChoice::Standard,
        }
    }

    #[test]
    fn subprotocols_stand_between_blanks_or_commas() {
        assert_eq!(draft(" chat, superchat  v2 ").offered().unwrap().as_slice(), ["chat", "superchat", "v2"]);
        assert!(draft("  ").offered().unwrap().as_slice().is_empty());
    }

    #[test]
    fn a_name_that_no_server_could_be_offered_is_told() {
        assert_eq!(draft("a/b").offered(), Err(ProtocolsError::NotAToken("a/b".to_owned())));
        assert_eq!(draft("chat, Chat").offered(), Err(ProtocolsError::Repeated("Chat".to_owned())));
    }
}
