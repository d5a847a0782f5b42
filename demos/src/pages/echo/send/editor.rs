use web_sys::HtmlTextAreaElement;
use yew::prelude::*;

use crate::format;
use crate::pages::echo::draft::{Draft, Format, Mistake};

#[derive(Properties, PartialEq)]
pub(super) struct EditorProps {
    pub(super) draft: Draft,
    /// Why the draft cannot be sent.
    pub(super) mistake: Option<Mistake>,
    pub(super) on_change: Callback<Draft>,
    pub(super) on_send: Callback<()>,
}

/// Where a message is written. What is wrong with it is said while it is written, with the place.
#[component]
pub(super) fn Editor(props: &EditorProps) -> Html {
    let EditorProps { draft, mistake, .. } = props;
    let oninput = {
        let (draft, on_change) = (draft.clone(), props.on_change.clone());
        Callback::from(move |event: InputEvent| {
            let mut draft = draft.clone();
            draft.write(event.target_unchecked_into::<HtmlTextAreaElement>().value());
            on_change.emit(draft);
        })
    };
    let onkeydown = {
        let on_send = props.on_send.clone();
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) {
                event.prevent_default();
                on_send.emit(());
            }
        })
    };
    let make_pretty = {
        let (draft, on_change) = (draft.clone(), props.on_change.clone());
        Callback::from(move |_: MouseEvent| {
            let mut draft = draft.clone();
            draft.make_pretty();
            on_change.emit(draft);
        })
    };
    let (label, rows) = match draft.format {
        Format::Text => ("Text", "3"),
        Format::Json => ("JSON", "6"),
        Format::Binary => ("Bytes in hexadecimal", "3"),
    };
    html! {
        <>
            <label class="field">
                <span>{ label }</span>
                <textarea class={classes!("input", (draft.format != Format::Text).then_some("mono"))} {rows} spellcheck="false"
                    value={draft.written().to_owned()} {oninput} {onkeydown}
                    aria-invalid={mistake.is_some().to_string()} aria-describedby="draft-note" />
            </label>
            <div class="editor-foot">
                <div id="draft-note" aria-live="polite">
                    { mistake.as_ref().map_or_else(|| size(draft), explained) }
                </div>
                if draft.format == Format::Json {
                    <button type="button" class="button button-small" disabled={mistake.is_some()} onclick={make_pretty}>{ "Pretty-print" }</button>
                }
            </div>
        </>
    }
}

fn size(draft: &Draft) -> Html {
    let size = draft.payload().map_or(0, |payload| payload.bytes().len());
    html! { <span class="field-note number">{ format::bytes(size as u64) }</span> }
}

fn explained(mistake: &Mistake) -> Html {
    html! {
        <>
            <p class="field-error">{ &mistake.problem }</p>
            // A screen reader has the line and the column in the sentence above.
            <pre class="mistake" aria-hidden="true">{ &mistake.excerpt }</pre>
        </>
    }
}
