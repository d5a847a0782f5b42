use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use super::columns::{Column, Sorting};
use crate::components::Icon;
use crate::format;

#[derive(Properties, PartialEq)]
pub(super) struct BoardToolsProps {
    pub(super) filter: AttrValue,
    pub(super) on_filter: Callback<AttrValue>,
    pub(super) sorting: Sorting,
    pub(super) on_sort: Callback<Sorting>,
    pub(super) shown: usize,
    pub(super) total: usize,
}

/// The filter; and where the table has no head, on a phone, the sorting.
#[component]
pub(super) fn BoardTools(props: &BoardToolsProps) -> Html {
    let oninput = {
        let on_filter = props.on_filter.clone();
        Callback::from(move |event: InputEvent| {
            if let Some(input) = event.target_dyn_into::<HtmlInputElement>() {
                on_filter.emit(input.value().into());
            }
        })
    };
    let onchange = {
        let on_sort = props.on_sort.clone();
        Callback::from(move |event: Event| {
            if let Some(select) = event.target_dyn_into::<HtmlSelectElement>() {
                on_sort.emit(Column::from_name(&select.value()).map(Sorting::by).unwrap_or_default());
            }
        })
    };
    let sorted_by = props.sorting.column();
    let count = |number: usize| format::count(number.try_into().unwrap_or(u64::MAX));
    let amount = match (props.shown, props.total) {
        (_, 0) => String::new(),
        (shown, total) if shown == total => format!("{} companies", count(total)),
        (shown, total) => format!("{} of {}", count(shown), count(total)),
    };
    html! {
        <div class="card-head ticker-tools">
            <label class="search">
                <span class="visually-hidden">{ "Filter by symbol or company" }</span>
                { Icon::Search.draw() }
                <input class="input" type="search" placeholder="Symbol or company" value={props.filter.clone()} autocomplete="off" spellcheck="false" {oninput} />
            </label>
            <label class="ticker-sort">
                <span class="visually-hidden">{ "Sort by" }</span>
                <select class="input" {onchange}>
                    <option value="" selected={sorted_by.is_none()}>{ "As in the feed" }</option>
                    { for Column::ALL.map(|column| html! {
                        <option value={column.name()} selected={sorted_by == Some(column)}>{ column.name() }</option>
                    }) }
                </select>
            </label>
            <p class="field-note number" role="status">{ amount }</p>
        </div>
    }
}
