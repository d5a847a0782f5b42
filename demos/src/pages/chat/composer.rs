//! Where the visitor writes, and under which name.

use web_sys::{HtmlInputElement, HtmlTextAreaElement};
use yew::prelude::*;

use super::controller::Controller;
use super::text::Length;
use crate::components::{Icon, Popover};
use crate::visitor;

/// What the picker offers; the keyboard of the system has all others.
const EMOJI: [&str; 12] = ["👍", "❤️", "😂", "🎉", "😮", "😢", "🙏", "👋", "👀", "🚀", "✅", "🤔"];

/// The most lines that the field grows to.
const MOST_LINES: usize = 8;

#[derive(Properties, PartialEq)]
pub(super) struct ComposerProps {
    pub(super) controller: Controller,
    pub(super) room: AttrValue,
    pub(super) name: AttrValue,
    /// Whether it is known who the visitor is.
    pub(super) is_known: bool,
}

/// The field for a message to one room; another room has another.
#[component]
pub(super) fn Composer(props: &ComposerProps) -> Html {
    let ComposerProps { controller, room, .. } = props;
    let draft = use_state(|| controller.rooms().get(room).map(|room| room.draft.clone()).unwrap_or_default());
    let field = use_node_ref();
    let set = {
        let (controller, room, draft) = (controller.clone(), room.clone(), draft.setter());
        move |text: String| {
            controller.typed(&room, text.clone());
            draft.set(text);
        }
    };
    let send = {
        let (controller, room, draft, field) = (controller.clone(), room.clone(), draft.clone(), field.clone());
        Callback::from(move |()| {
            if controller.send(&room, &draft) {
                draft.set(String::new());
            }
            focus(&field);
        })
    };
    let oninput = {
        let set = set.clone();
        Callback::from(move |event: InputEvent| set(event.target_unchecked_into::<HtmlTextAreaElement>().value()))
    };
    let onkeydown = {
        let send = send.clone();
        Callback::from(move |event: KeyboardEvent| {
            // While an input method composes, Enter chooses what it proposes.
            if event.key() == "Enter" && !event.shift_key() && !event.is_composing() {
                event.prevent_default();
                send.emit(());
            }
        })
    };
    let onsubmit = send.reform(|event: SubmitEvent| event.prevent_default());
    let on_emoji = {
        let (draft, field) = (draft.clone(), field.clone());
        Callback::from(move |emoji: &'static str| {
            set(inserted(&draft, emoji, caret(&field)));
            focus(&field);
        })
    };
    let length = Length::of(&draft);
    let lines = draft.lines().count() + usize::from(draft.ends_with('\n'));
    html! {
        <form class="chat-composer" {onsubmit}>
            <div class="chat-field">
                <textarea ref={field} class="input" rows={lines.clamp(1, MOST_LINES).to_string()} dir="auto" enterkeyhint="send"
                    placeholder={format!("Message #{room}")} aria-label={format!("Message to {room}")}
                    aria-invalid={length.is_too_long().to_string()} aria-describedby="chat-length" value={(*draft).clone()} {oninput} {onkeydown} />
                <EmojiPicker {on_emoji} />
                <button type="submit" class="button button-primary" disabled={!props.is_known || !length.can_be_sent()}>{ "Send" }</button>
            </div>
            <div class="chat-composer-foot">
                <Rename name={props.name.clone()} />
                <p id="chat-length" class={if length.is_too_long() { "field-error number" } else { "field-note number" }} role="status">
                    if let Some(note) = length.note() {
                        { note }
                    }
                </p>
            </div>
        </form>
    }
}

fn focus(field: &NodeRef) {
    if let Some(field) = field.cast::<HtmlTextAreaElement>() {
        // It fails only for an element that has left the page.
        let _ = field.focus();
    }
}

/// Where in the field the next letter comes, in UTF-16 units as browsers count.
fn caret(field: &NodeRef) -> Option<usize> {
    Some(field.cast::<HtmlTextAreaElement>()?.selection_end().ok()?? as usize)
}

/// A text with something put into it, after so many UTF-16 units.
fn inserted(text: &str, what: &str, after: Option<usize>) -> String {
    let mut units = 0;
    let place = text.char_indices().find(|(_, char)| {
        let is_there = after.is_some_and(|after| units >= after);
        units += char.len_utf16();
        is_there
    });
    let (before, rest) = text.split_at(place.map_or(text.len(), |(index, _)| index));
    format!("{before}{what}{rest}")
}

#[derive(Properties, PartialEq)]
struct EmojiPickerProps {
    on_emoji: Callback<&'static str>,
}

#[component]
fn EmojiPicker(props: &EmojiPickerProps) -> Html {
    let is_open = use_state_eq(|| false);
    let on_toggle = {
        let is_open = is_open.setter();
        Callback::from(move |open| is_open.set(open))
    };
    let emoji = |emoji: &'static str| {
        let (is_open, on_emoji) = (is_open.setter(), props.on_emoji.clone());
        let onclick = Callback::from(move |_: MouseEvent| {
            is_open.set(false);
            on_emoji.emit(emoji);
        });
        html! { <button type="button" class="icon-button" {onclick}>{ emoji }</button> }
    };
    html! {
        <Popover id="chat-emoji" button={Icon::Emoji.draw()} button_class="icon-button" button_label="Emoji" label="Emoji"
            open={*is_open} {on_toggle}>
            <div class="chat-emoji">{ for EMOJI.into_iter().map(emoji) }</div>
        </Popover>
    }
}

#[derive(Properties, PartialEq)]
struct RenameProps {
    name: AttrValue,
}

/// The visitor's name, which becomes a field in its place.
#[component]
fn Rename(props: &RenameProps) -> Html {
    let typed = use_state(|| None::<String>);
    let problem = use_state_eq(|| None::<String>);
    let field = use_node_ref();
    {
        let field = field.clone();
        use_effect_with(typed.is_some(), move |is_open| {
            if let Some(field) = field.cast::<HtmlInputElement>().filter(|_| *is_open) {
                let _ = field.focus();
                field.select();
            }
        });
    }
    let Some(text) = (*typed).clone() else {
        let open = {
            let (typed, name) = (typed.setter(), props.name.to_string());
            Callback::from(move |_: MouseEvent| typed.set(Some(name.clone())))
        };
        return html! {
            <p class="chat-name">
                <span>{ "You are " }<strong><bdi>{ &props.name }</bdi></strong></span>
                <button type="button" class="button button-small button-quiet" onclick={open}>{ "Rename" }</button>
            </p>
        };
    };
    let close = {
        let (typed, problem) = (typed.setter(), problem.setter());
        Callback::from(move |()| {
            typed.set(None);
            problem.set(None);
        })
    };
    let save = {
        let (text, problem, close) = (text.clone(), problem.setter(), close.clone());
        Callback::from(move |()| match visitor::rename(&text) {
            Ok(()) => close.emit(()),
            Err(error) => problem.set(Some(error.to_string())),
        })
    };
    let oninput = {
        let typed = typed.setter();
        Callback::from(move |event: InputEvent| {
            typed.set(Some(event.target_unchecked_into::<HtmlInputElement>().value()))
        })
    };
    let onkeydown = {
        let (save, close) = (save.clone(), close.clone());
        Callback::from(move |event: KeyboardEvent| {
            match &*event.key() {
                // The form around it would send a message.
                "Enter" if !event.is_composing() => save.emit(()),
                "Escape" => close.emit(()),
                _ => return,
            }
            event.prevent_default();
        })
    };
    html! {
        <div class="chat-name">
            <input ref={field} class="input" aria-label="Your name" autocomplete="nickname" value={text}
                aria-invalid={problem.is_some().to_string()} {oninput} {onkeydown} />
            <button type="button" class="button button-small" onclick={save.reform(|_: MouseEvent| ())}>{ "Save" }</button>
            <button type="button" class="button button-small button-quiet" onclick={close.reform(|_: MouseEvent| ())}>{ "Cancel" }</button>
            if let Some(problem) = &*problem {
                <p class="field-error" role="alert">{ problem }</p>
            }
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emoji_is_put_where_the_next_letter_comes() {
        assert_eq!(inserted("ab", "👍", Some(1)), "a👍b");
        assert_eq!(inserted("😀b", "👍", Some(2)), "😀👍b", "an emoji is two units");
        assert_eq!(inserted("ab", "👍", Some(2)), "ab👍");
        assert_eq!(inserted("", "👍", None), "👍");
        assert_eq!(inserted("a😀", "👍", Some(2)), "a😀👍", "within a character is after it");
    }
}
