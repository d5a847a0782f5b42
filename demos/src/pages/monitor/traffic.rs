use everwire_companion_api::monitor::{EndpointTraffic, WorkerTraffic};
use yew::prelude::*;

use super::readable::{byte_rate, rate};
use crate::format;

#[derive(Properties, PartialEq)]
pub(super) struct EndpointTableProps {
    pub(super) endpoints: Vec<EndpointTraffic>,
}

/// Who is connected where, and what goes in and out there.
#[component]
pub(super) fn EndpointTable(props: &EndpointTableProps) -> Html {
    let rows = props.endpoints.iter().map(|endpoint| {
        let is_quiet = endpoint.connections == 0 && endpoint.messages_in == 0.0 && endpoint.messages_out == 0.0;
        html! {
            <tr class={is_quiet.then_some("is-quiet")}>
                <th scope="row"><code>{ &endpoint.path }</code></th>
                <td>{ format::count(endpoint.connections) }</td>
                <td>{ rate(endpoint.messages_in) }</td>
                <td>{ rate(endpoint.messages_out) }</td>
                <td class="wide-only">{ byte_rate(endpoint.bytes_in) }</td>
                <td class="wide-only">{ byte_rate(endpoint.bytes_out) }</td>
            </tr>
        }
    });
    html! {
        <section class="card" aria-labelledby="endpoints">
            <div class="card-head"><h2 id="endpoints">{ "Endpoints" }</h2><span class="field-note">{ "messages a second" }</span></div>
            <table class="monitor-table endpoint-table" aria-labelledby="endpoints">
                <thead>
                    <tr>
                        <th scope="col">{ "Path" }</th>
                        <th scope="col">{ "Open" }</th>
                        <th scope="col">{ "In" }</th>
                        <th scope="col">{ "Out" }</th>
                        <th scope="col" class="wide-only">{ "Bytes in" }</th>
                        <th scope="col" class="wide-only">{ "Bytes out" }</th>
                    </tr>
                </thead>
                <tbody>{ for rows }</tbody>
            </table>
        </section>
    }
}

#[derive(Properties, PartialEq)]
pub(super) struct WorkerTableProps {
    pub(super) workers: Vec<WorkerTraffic>,
}

/// How the work is spread over the threads of the server.
#[component]
pub(super) fn WorkerTable(props: &WorkerTableProps) -> Html {
    let rows = props.workers.iter().enumerate().map(|(index, worker)| {
        html! {
            <tr>
                <th scope="row">{ index + 1 }</th>
                <td>{ format::count(worker.connections) }</td>
                <td>{ rate(worker.messages_in) }</td>
                <td>{ rate(worker.messages_out) }</td>
                <td>{ format::bytes(worker.queued) }</td>
                <td>{ format::bytes(worker.largest_queue) }</td>
            </tr>
        }
    });
    html! {
        <section class="card" aria-labelledby="workers">
            <div class="card-head"><h2 id="workers">{ "Workers" }</h2><span class="field-note">{ "a thread each" }</span></div>
            <table class="monitor-table worker-table" aria-labelledby="workers">
                <thead>
                    <tr>
                        <th scope="col">{ "No." }</th>
                        <th scope="col">{ "Served" }</th>
                        <th scope="col">{ "In" }</th>
                        <th scope="col">{ "Out" }</th>
                        <th scope="col">{ "Waiting" }</th>
                        <th scope="col">{ "Slowest" }</th>
                    </tr>
                </thead>
                <tbody>{ for rows }</tbody>
            </table>
            <p class="field-note">
                { "A connection counts to the worker that served it last. What waits is in bytes: of all its connections, and of the slowest reader." }
            </p>
        </section>
    }
}
