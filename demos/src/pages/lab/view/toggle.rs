use yew::prelude::*;

/// A button that starts something, and ends it when it runs. It is one element all the time, so that who pressed it with the keyboard
/// is still there and can press it again.
pub(super) fn toggle(
    is_running: bool,
    start: &'static str,
    stop: &'static str,
    can_start: bool,
    onclick: Callback<MouseEvent>,
) -> Html {
    let (look, name) = if is_running { ("button-danger", stop) } else { ("button-primary", start) };
    html! {
        <button type="button" class={classes!("button", look)} disabled={!is_running && !can_start} {onclick}>{ name }</button>
    }
}
