use gloo_timers::callback::Timeout;
use js_sys::Reflect;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Clipboard, window};
use yew::prelude::*;

use super::Icon;

/// How long the button says that it has copied, in milliseconds.
const SAID_FOR: u32 = 2_000;

#[derive(Properties, PartialEq)]
pub(crate) struct CopyButtonProps {
    /// Makes the text, which may be long, when it is asked for.
    pub(crate) text: Callback<(), String>,
}

/// A button that copies a text. There is none where the page cannot reach the clipboard, as on an address without TLS: the text can
/// still be selected.
#[component]
pub(crate) fn CopyButton(props: &CopyButtonProps) -> Html {
    let copied = use_state(|| None::<Timeout>);
    let Some(clipboard) = clipboard() else { return Html::default() };
    let onclick = {
        let (text, copied) = (props.text.clone(), copied.setter());
        Callback::from(move |_: MouseEvent| {
            let (written, copied) = (clipboard.write_text(&text.emit(())), copied.clone());
            spawn_local(async move {
                // Where the visitor forbids it there is nothing to do but not to claim that it was done.
                if JsFuture::from(written).await.is_ok() {
                    let forget = copied.clone();
                    copied.set(Some(Timeout::new(SAID_FOR, move || forget.set(None))));
                }
            });
        })
    };
    let is_copied = copied.is_some();
    html! {
        <button type="button" class="button button-small" {onclick}>
            if is_copied { { Icon::Check.draw() } }
            { if is_copied { "Copied" } else { "Copy" } }
        </button>
    }
}

/// Browsers leave the property out where a page may not have it, and a call to what is not there would throw.
fn clipboard() -> Option<Clipboard> {
    let clipboard = Reflect::get(&window()?.navigator(), &"clipboard".into()).ok()?;
    (!clipboard.is_falsy()).then(|| clipboard.unchecked_into())
}
