use yew::prelude::*;

use crate::pages::echo::presets::{PRESETS, Preset};

#[derive(Properties, PartialEq)]
pub(super) struct PresetsBarProps {
    /// The endpoint that the address leads to.
    pub(super) current: Option<Preset>,
    pub(super) on_choose: Callback<Preset>,
}

/// A button for each endpoint of the companion server.
#[component]
pub(super) fn PresetsBar(props: &PresetsBarProps) -> Html {
    let buttons = PRESETS.iter().map(|&preset| {
        let choose = props.on_choose.reform(move |_: MouseEvent| preset);
        let is_current = props.current == Some(preset);
        html! {
            <li>
                <button type="button" class="preset" aria-pressed={is_current.to_string()} title={preset.does} onclick={choose}>
                    { "/" }{ preset.name }
                </button>
            </li>
        }
    });
    let does = props.current.map_or("Another server or endpoint.", |preset| preset.does);
    html! {
        <div class="presets">
            <ul class="presets-list" aria-label="Endpoints of the companion server">{ for buttons }</ul>
            <p class="field-note">{ does }</p>
        </div>
    }
}
