use web_sys::{HtmlInputElement, SubmitEvent};
use yew::prelude::*;

use super::load_profile::{LoadProfile, parse_within};

#[derive(Properties, PartialEq)]
pub(super) struct ControlsProps {
    pub(super) is_running: bool,
    pub(super) on_start: Callback<LoadProfile>,
    pub(super) on_stop: Callback<()>,
}

/// The fields of the load profile, with start and stop.
#[component]
pub(super) fn Controls(props: &ControlsProps) -> Html {
    let ControlsProps { is_running, on_start, on_stop } = props;
    let usual = LoadProfile::default();
    let in_flight = use_state(|| usual.in_flight.to_string());
    let bytes = use_state(|| usual.bytes.to_string());
    let connections = use_state(|| usual.connections.to_string());
    let profile = LoadProfile::parse(&connections, &in_flight, &bytes);

    let set = |text: &UseStateHandle<String>| {
        let text = text.clone();
        Callback::from(move |event: InputEvent| text.set(event.target_unchecked_into::<HtmlInputElement>().value()))
    };
    let onsubmit = {
        let (is_running, on_start, on_stop, profile) =
            (*is_running, on_start.clone(), on_stop.clone(), profile.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            match &profile {
                _ if is_running => on_stop.emit(()),
                Ok(profile) => on_start.emit(*profile),
                Err(_) => {}
            }
        })
    };
    let preset = |preset: usize| {
        let connections = connections.clone();
        let is_chosen = parse_within(&connections, LoadProfile::CONNECTIONS) == Ok(preset);
        let onclick = Callback::from(move |_: MouseEvent| connections.set(preset.to_string()));
        html! {
            <li><button type="button" class="preset" aria-pressed={is_chosen.to_string()} aria-label={format!("{preset} connections")} disabled={*is_running} {onclick}>{ preset }</button></li>
        }
    };
    let shown = parse_within(&connections, LoadProfile::CONNECTIONS).unwrap_or(usual.connections);
    html! {
        <form class="throughput-controls" {onsubmit} novalidate=true aria-label="Load">
            <div class="throughput-connections">
                <label class="field">
                    <span>{ "Connections" }</span>
                    <input class="input number" inputmode="numeric" value={(*connections).clone()} oninput={set(&connections)} disabled={*is_running} aria-describedby="throughput-note" />
                </label>
                <input
                    class="range" type="range" aria-label="Connections, as a slider" disabled={*is_running}
                    min={LoadProfile::CONNECTIONS.start().to_string()} max={LoadProfile::CONNECTIONS.end().to_string()}
                    value={shown.to_string()} oninput={set(&connections)}
                />
            </div>
            <ul class="throughput-presets" aria-label="Common numbers of connections">{ for LoadProfile::PRESETS.map(preset) }</ul>
            <div class="throughput-fields">
                <label class="field">
                    <span>{ "Pings in flight" }</span>
                    <input class="input number" inputmode="numeric" value={(*in_flight).clone()} oninput={set(&in_flight)} disabled={*is_running} aria-describedby="throughput-note" />
                </label>
                <label class="field">
                    <span>{ "Bytes per ping" }</span>
                    <input class="input number" inputmode="numeric" value={(*bytes).clone()} oninput={set(&bytes)} disabled={*is_running} aria-describedby="throughput-note" />
                </label>
                // One element for both, so that it keeps the focus when it is pressed with the keyboard. Both submit the form: a button that
                // became a submit button while it is pressed would start what it has just stopped.
                <button type="submit" class={classes!("button", if *is_running { "button-danger" } else { "button-primary" })} disabled={!is_running && profile.is_err()}>
                    { if *is_running { "Stop" } else { "Start" } }
                </button>
            </div>
            <p id="throughput-note" class={if profile.is_err() { "field-error" } else { "field-note" }}>
                { profile.err().unwrap_or_else(|| "Each connection keeps this many pings in flight and sends the next when one comes back, at most 9,000 per second.".to_owned()) }
            </p>
        </form>
    }
}
