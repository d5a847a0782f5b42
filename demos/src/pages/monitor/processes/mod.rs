//! The processes, as `top` shows them.

mod columns;

use everwire_companion_api::monitor::{Process, Processes};
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use self::columns::{Column, Sorting};
use super::readable;
use crate::format;

#[derive(Properties, PartialEq)]
pub(super) struct ProcessTableProps {
    pub(super) processes: Processes,
    /// The server's own process, which is marked.
    pub(super) server_pid: Option<u32>,
}

/// The busiest processes, sorted by any column.
#[component]
pub(super) fn ProcessTable(props: &ProcessTableProps) -> Html {
    let sorting = use_state_eq(Sorting::default);
    let Processes { count, running, top } = &props.processes;
    let mut rows = top.clone();
    sorting.sort(&mut rows);
    let onchange = {
        let sorting = sorting.setter();
        Callback::from(move |event: Event| {
            let chosen =
                event.target_dyn_into::<HtmlSelectElement>().and_then(|select| Column::from_name(&select.value()));
            sorting.set(chosen.map(Sorting::by).unwrap_or_default());
        })
    };
    let told = format!("The {} busiest of {}, {} running", top.len(), format::count(*count), format::count(*running));
    html! {
        <section class="card monitor-processes" aria-labelledby="processes">
            <div class="card-head">
                <h2 id="processes">{ "Processes" }</h2>
                <span class="field-note number">{ told }</span>
                <label class="monitor-sort">
                    <span class="visually-hidden">{ "Sort by" }</span>
                    <select class="input" {onchange}>
                        { for Column::ALL.map(|column| html! {
                            <option value={column.name()} selected={sorting.column() == column}>{ column.name() }</option>
                        }) }
                    </select>
                </label>
            </div>
            <div class="scroll monitor-scroll" tabindex="0" role="region" aria-label="Table of processes">
                <table class="monitor-table process-table" role="table">
                    <thead role="rowgroup"><tr role="row">{ for Column::ALL.map(|column| head(column, &sorting)) }</tr></thead>
                    <tbody role="rowgroup">{ for rows.iter().map(|process| row(process, props.server_pid)) }</tbody>
                </table>
            </div>
        </section>
    }
}

fn head(column: Column, sorting: &UseStateHandle<Sorting>) -> Html {
    let onclick = {
        let sorting = sorting.clone();
        Callback::from(move |_| sorting.set(sorting.pressed(column)))
    };
    html! {
        <th class={column.class()} role="columnheader" scope="col" aria-sort={sorting.aria(column)}>
            <button type="button" class="sort" {onclick}>{ column.name() }<span class="sort-arrow" aria-hidden="true"></span></button>
        </th>
    }
}

fn row(process: &Process, server_pid: Option<u32>) -> Html {
    html! {
        <tr key={process.pid} role="row">
            <td class="pid-cell" role="cell">{ process.pid }</td>
            <th class="name-cell" role="rowheader" scope="row">
                { &process.name }
                if server_pid == Some(process.pid) {
                    <span class="tag">{ "this server" }</span>
                }
            </th>
            <td class="user-cell" role="cell">{ process.user.as_deref().unwrap_or("–") }</td>
            <td class="state-cell" role="cell">{ &process.state }</td>
            <td class="cpu-cell" role="cell">{ format!("{:.1}", process.cpu) }</td>
            <td class="memory-cell" role="cell">{ format::memory(process.memory) }</td>
            <td class="time-cell" role="cell">{ readable::computed(process.time) }</td>
        </tr>
    }
}
