use std::collections::BTreeMap;

use yew::prelude::*;

use crate::format;

/// Heads with their meaning.
type Columns = &'static [(&'static str, &'static str)];

/// The columns of `vmstat` in its order and under its heads, each with what it means.
const GROUPS: [(&str, &str, Columns); 6] = [
    ("procs", "processes", &[("r", "running, or waiting for a core"), ("b", "blocked by a device")]),
    (
        "memory",
        "KiB",
        &[
            ("swpd", "moved to swap"),
            ("free", "used for nothing"),
            ("buff", "buffers of devices"),
            ("cache", "files kept at hand"),
        ],
    ),
    ("swap", "KiB a second", &[("si", "read from swap"), ("so", "written to swap")]),
    ("io", "KiB a second", &[("bi", "read from devices"), ("bo", "written to devices")]),
    ("system", "a second", &[("in", "interrupts"), ("cs", "switches of context")]),
    (
        "cpu",
        "% of all cores",
        &[
            ("us", "programs"),
            ("sy", "kernel"),
            ("id", "idle"),
            ("wa", "idle, waiting for a device"),
            ("st", "taken by the host"),
        ],
    ),
];

#[derive(Properties, PartialEq)]
pub(super) struct VmstatProps {
    pub(super) counters: BTreeMap<String, u64>,
}

/// What `vmstat 1` prints in a line, with its heads explained.
#[component]
pub(super) fn Vmstat(props: &VmstatProps) -> Html {
    html! {
        <section class="card" aria-labelledby="vmstat">
            <div class="card-head">
                <h2 id="vmstat">{ "Counters of the kernel" }</h2>
                <span class="field-note">{ "as " }<code>{ "vmstat" }</code>{ " has them" }</span>
            </div>
            <div class="vmstat-groups">
                { for GROUPS.iter().map(|(name, unit, columns)| html! {
                    <div class="vmstat-group">
                        <h3><code>{ *name }</code><span class="field-note">{ *unit }</span></h3>
                        <dl>
                            { for columns.iter().map(|(head, meaning)| html! {
                                <div>
                                    <dt><code>{ *head }</code><span>{ *meaning }</span></dt>
                                    <dd class="number">{ props.counters.get(*head).map_or_else(|| "–".to_owned(), |value| format::count(*value)) }</dd>
                                </div>
                            }) }
                        </dl>
                    </div>
                }) }
            </div>
        </section>
    }
}
