use web_sys::{HtmlInputElement, SubmitEvent};
use yew::prelude::*;

use super::choice::{Choice, read};

#[derive(Properties, PartialEq)]
pub(super) struct ControlsProps {
    pub(super) is_running: bool,
    pub(super) on_start: Callback<Choice>,
    pub(super) on_stop: Callback<()>,
}

/// How many connections, how many pings under way on each, how large; start and stop.
#[component]
pub(super) fn Controls(props: &ControlsProps) -> Html {
    let ControlsProps { is_running, on_start, on_stop } = props;
    let usual = Choice::default();
    let in_flight = use_state(|| usual.in_flight.to_string());
    let bytes = use_state(|| usual.bytes.to_string());
    let connections = use_state(|| usual.connections.to_string());
    let asked = Choice::read(&connections, &in_flight, &bytes);

    let set = |text: &UseStateHandle<String>| {
        let text = text.clone();
        Callback::from(move |event: InputEvent| text.set(event.target_unchecked_into::<HtmlInputElement>().value()))
    };
    let onsubmit = {
        let (is_running, on_start, on_stop, asked) = (*is_running, on_start.clone(), on_stop.clone(), asked.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            match &asked {
                _ if is_running => on_stop.emit(()),
                Ok(asked) => on_start.emit(*asked),
                Err(_) => {}
            }
        })
    };
    let preset = |preset: usize| {
        let connections = connections.clone();
        let is_chosen = read(&connections, Choice::CONNECTIONS) == Ok(preset);
        let onclick = Callback::from(move |_: MouseEvent| connections.set(preset.to_string()));
        html! {
            <li><button type="button" class="preset" aria-pressed={is_chosen.to_string()} aria-label={format!("{preset} connections")} disabled={*is_running} {onclick}>{ preset }</button></li>
        }
    };
    let shown = read(&connections, Choice::CONNECTIONS).unwrap_or(usual.connections);
    html! {
        <form class="throughput-controls" {onsubmit} novalidate=true aria-label="What to measure">
            <div class="throughput-connections">
                <label class="field">
                    <span>{ "Connections" }</span>
                    <input class="input number" inputmode="numeric" value={(*connections).clone()} oninput={set(&connections)} disabled={*is_running} aria-describedby="throughput-note" />
                </label>
                <input
                    class="range" type="range" aria-label="Connections, as a slider" disabled={*is_running}
                    min={Choice::CONNECTIONS.start().to_string()} max={Choice::CONNECTIONS.end().to_string()}
                    value={shown.to_string()} oninput={set(&connections)}
                />
            </div>
            <ul class="throughput-presets" aria-label="Usual numbers of connections">{ for Choice::PRESETS.map(preset) }</ul>
            <div class="throughput-fields">
                <label class="field">
                    <span>{ "Pings under way" }</span>
                    <input class="input number" inputmode="numeric" value={(*in_flight).clone()} oninput={set(&in_flight)} disabled={*is_running} aria-describedby="throughput-note" />
                </label>
                <label class="field">
                    <span>{ "Bytes a ping" }</span>
                    <input class="input number" inputmode="numeric" value={(*bytes).clone()} oninput={set(&bytes)} disabled={*is_running} aria-describedby="throughput-note" />
                </label>
                // One element, so that who pressed it with the keyboard is still there. Both ways it sends the form: a button that came to
                // do so while it is pressed would start what it has just ended.
                <button type="submit" class={classes!("button", if *is_running { "button-danger" } else { "button-primary" })} disabled={!is_running && asked.is_err()}>
                    { if *is_running { "Stop" } else { "Start" } }
                </button>
            </div>
            <p id="throughput-note" class={if asked.is_err() { "field-error" } else { "field-note" }}>
                { asked.err().unwrap_or_else(|| "Each connection keeps so many pings under way: for one that comes back it sends the next, at most 9,000 a second.".to_owned()) }
            </p>
        </form>
    }
}
