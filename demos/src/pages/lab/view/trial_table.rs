use yew::prelude::*;

use super::words::{ms, or_dash, overhead};
use crate::format;
use crate::pages::lab::experiment::Results;
use crate::pages::lab::numbers::Summary;
use crate::pages::lab::transport::Transport;

/// What came of an experiment, a row for each transport.
pub(super) fn trial_table(results: &Results) -> Html {
    let heads = ["Transport", "Calls", "Mean", "SD", "p50", "p99", "Min", "Max", "Requests", "Overhead a call"];
    html! {
        <>
            <div class="scroll" tabindex="0" role="region" aria-label="Results of the experiment">
                <table class="lab-table">
                    <thead><tr>{ for heads.map(|head| html! { <th scope="col">{ head }</th> }) }</tr></thead>
                    <tbody>{ for results.plan.transports.iter().map(|transport| row(*transport, results)) }</tbody>
                </table>
            </div>
            <p class="field-note lab-note">{ format!("Round trips in milliseconds; {}.", results.conditions) }</p>
        </>
    }
}

fn row(transport: Transport, results: &Results) -> Html {
    let summary = results.summary(transport);
    let figure =
        |of: fn(&Summary) -> f64| html! { <td>{ or_dash(summary.as_ref().map(|summary| ms(of(summary)))) }</td> };
    let unanswered = results.unanswered(transport);
    let count = format::count(results.round_trips(transport).len() as u64);
    html! {
        <tr>
            <th scope="row">{ transport.name() }</th>
            <td>{ if unanswered > 0 { format!("{count}, {unanswered} unanswered") } else { count } }</td>
            { figure(|of| of.mean) }
            { figure(|of| of.deviation) }
            { figure(|of| of.p50) }
            { figure(|of| of.p99) }
            { figure(|of| of.min) }
            { figure(|of| of.max) }
            <td>{ format::count(results.usage(transport).requests) }</td>
            <td>{ or_dash(results.overhead_of_a_call(transport).map(|bytes| format!("{} B", overhead(bytes)))) }</td>
        </tr>
    }
}
