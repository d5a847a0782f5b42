use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use crate::pages::tracker::start_place::StartPlace;

#[derive(Properties, PartialEq)]
pub(crate) struct SimulationProps {
    /// Where the walk begins; `None`: the device's own positions are shared.
    pub(crate) start: Option<StartPlace>,
    /// While the visitor shares, the source of positions stays: switching must not send a real position by surprise.
    pub(crate) is_fixed: bool,
    pub(crate) on_choose: Callback<Option<StartPlace>>,
}

/// A walk for a desktop without GPS.
#[component]
pub(crate) fn Simulation(props: &SimulationProps) -> Html {
    let switch = props.on_choose.reform(|change: Event| {
        let is_on = change.target_dyn_into::<HtmlInputElement>().is_some_and(|input| input.checked());
        is_on.then(StartPlace::default)
    });
    let choose = props.on_choose.reform(|change: Event| {
        let key =
            change.target().and_then(|target| target.dyn_into::<HtmlSelectElement>().ok()).map(|select| select.value());
        key.and_then(|key| StartPlace::from_key(&key))
    });
    let option = |place: StartPlace| {
        html! { <option value={place.key()} selected={Some(place) == props.start}>{ place.name() }</option> }
    };
    html! {
        <fieldset class="tracker-simulation stack stack-tight" disabled={props.is_fixed}>
            <legend class="visually-hidden">{ "Source of positions" }</legend>
            <label class="switch">
                <input type="checkbox" checked={props.start.is_some()} onchange={switch} />
                <span>{ "Simulate a walk" }</span>
            </label>
            if props.start.is_some() {
                <label class="field">
                    <span>{ "It begins near" }</span>
                    <select class="input" onchange={choose}>{ for StartPlace::all().map(option) }</select>
                </label>
            }
            <p class="field-note">
                if props.is_fixed {
                    { "Stop sharing to change this." }
                } else if props.start.is_some() {
                    { "Made up at walking speed; your own position is not read. Others cannot tell it from a real one." }
                } else {
                    { "For a device without GPS. Your own position is not read." }
                }
            </p>
        </fieldset>
    }
}
