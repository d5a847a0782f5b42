use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// A list to choose a number from, with its label.
pub(super) fn choice<T: Copy + PartialEq + 'static>(
    label: &'static str,
    entries: &[(T, String)],
    chosen: T,
    is_disabled: bool,
    on_choose: impl Fn(T) + 'static,
) -> Html {
    let values: Vec<T> = entries.iter().map(|(value, _)| *value).collect();
    let onchange = Callback::from(move |event: Event| {
        let index = event.target_dyn_into::<HtmlSelectElement>().map(|select| select.selected_index());
        let value = index.and_then(|index| values.get(usize::try_from(index).ok()?));
        value.into_iter().for_each(|value| on_choose(*value));
    });
    html! {
        <label class="field">
            <span>{ label }</span>
            <select class="input" {onchange} disabled={is_disabled}>
                { for entries.iter().map(|(value, text)| html! { <option selected={*value == chosen}>{ text }</option> }) }
            </select>
        </label>
    }
}
