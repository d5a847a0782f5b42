use everwire_companion_api::monitor::Vmstat;
use yew::prelude::*;

use crate::format;

/// Names of columns, each with its meaning and its value.
type Columns = &'static [(&'static str, &'static str, fn(&Vmstat) -> u64)];

/// The columns of `vmstat`, in its order and under its names.
const GROUPS: [(&str, &str, Columns); 6] = [
    (
        "procs",
        "processes",
        &[("r", "running, or waiting for a core", |row| row.running), ("b", "blocked by a device", |row| row.blocked)],
    ),
    (
        "memory",
        "KiB",
        &[
            ("swpd", "moved to swap", |row| row.swap_used),
            ("free", "used for nothing", |row| row.free),
            ("buff", "buffers of devices", |row| row.buffers),
            ("cache", "files kept at hand", |row| row.cache),
        ],
    ),
    (
        "swap",
        "KiB a second",
        &[("si", "read from swap", |row| row.swapped_in), ("so", "written to swap", |row| row.swapped_out)],
    ),
    (
        "io",
        "KiB a second",
        &[("bi", "read from devices", |row| row.blocks_in), ("bo", "written to devices", |row| row.blocks_out)],
    ),
    (
        "system",
        "a second",
        &[("in", "interrupts", |row| row.interrupts), ("cs", "switches of context", |row| row.switches)],
    ),
    (
        "cpu",
        "% of all cores",
        &[
            ("us", "programs", |row| row.user),
            ("sy", "kernel", |row| row.system),
            ("id", "idle", |row| row.idle),
            ("wa", "idle, waiting for a device", |row| row.wait),
            ("st", "taken by the host", |row| row.stolen),
        ],
    ),
];

#[derive(Properties, PartialEq)]
pub(super) struct VmstatTableProps {
    pub(super) row: Vmstat,
}

/// A line of `vmstat 1`, with its columns explained.
#[component]
pub(super) fn VmstatTable(props: &VmstatTableProps) -> Html {
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
                            { for columns.iter().map(|(head, meaning, value)| html! {
                                <div>
                                    <dt><code>{ *head }</code><span>{ *meaning }</span></dt>
                                    <dd class="number">{ format::count(value(&props.row)) }</dd>
                                </div>
                            }) }
                        </dl>
                    </div>
                }) }
            </div>
        </section>
    }
}
