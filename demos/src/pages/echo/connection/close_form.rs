use everwire::{CloseCode, CloseReason};
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// Reads what the visitor typed as a close code. Nothing is code 1000.
fn code(text: &str) -> Result<CloseCode, String> {
    match text.trim() {
        "" => Ok(CloseCode::NORMAL),
        number => {
            let number: u16 = number.parse().map_err(|_| format!("{number:?} is not a close code: {ALLOWED}"))?;
            CloseCode::new(number).map_err(|_| format!("Code {number} is reserved: {ALLOWED}"))
        }
    }
}

const ALLOWED: &str = "use 1000 or one from 3000 to 4999.";

#[derive(Properties, PartialEq)]
pub(super) struct CloseFormProps {
    /// Whether the closing handshake is already under way.
    pub(super) is_closing: bool,
    pub(super) on_close: Callback<(CloseCode, CloseReason)>,
}

/// Disconnects with a code and a reason.
#[component]
pub(super) fn CloseForm(props: &CloseFormProps) -> Html {
    let code_text = use_state(|| "1000".to_owned());
    let reason_text = use_state(String::new);
    let code = code(&code_text);
    let reason = CloseReason::new(reason_text.as_str());
    let set = |text: &UseStateHandle<String>| {
        let text = text.clone();
        Callback::from(move |event: InputEvent| text.set(event.target_unchecked_into::<HtmlInputElement>().value()))
    };
    let onsubmit = {
        let (on_close, asked) = (props.on_close.clone(), code.clone().ok().zip(reason.clone().ok()));
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            asked.iter().for_each(|asked| on_close.emit(asked.clone()));
        })
    };
    let code_note = code.as_ref().err().cloned();
    let reason_note = match &reason {
        Ok(reason) => format!("{} of {} bytes", reason.as_str().len(), CloseReason::MAX_BYTES),
        Err(error) => format!("{error}."),
    };
    html! {
        <form class="close-form" {onsubmit} novalidate=true>
            <label class="field close-code">
                <span>{ "Close code" }</span>
                <input class="input number" inputmode="numeric" autocomplete="off" value={(*code_text).clone()} oninput={set(&code_text)}
                    aria-invalid={code.is_err().to_string()} aria-describedby="close-notes" />
            </label>
            <label class="field close-reason">
                <span>{ "Reason" }</span>
                <input class="input" autocomplete="off" placeholder="none" value={(*reason_text).clone()} oninput={set(&reason_text)}
                    aria-invalid={reason.is_err().to_string()} aria-describedby="close-notes" />
            </label>
            <button type="submit" class="button button-danger" disabled={props.is_closing || code.is_err() || reason.is_err()}>
                { if props.is_closing { "Closing…" } else { "Disconnect" } }
            </button>
            <p id="close-notes" class="close-notes" aria-live="polite">
                if let Some(note) = code_note {
                    <span class="field-error">{ note }{ " " }</span>
                }
                <span class={if reason.is_err() { "field-error" } else { "field-note" }}>{ reason_note }</span>
            </p>
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_or_refused_with_what_to_use_instead() {
        assert_eq!(code("").map(CloseCode::value), Ok(1000));
        assert_eq!(code(" 3000 ").map(CloseCode::value), Ok(3000));
        for wrong in ["999", "1001", "2999", "5000", "70000", "-1", "abc"] {
            let error = code(wrong).unwrap_err();
            assert!(error.contains(wrong) && error.ends_with(ALLOWED), "{error}");
        }
    }
}
