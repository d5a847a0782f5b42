use yew::prelude::*;

use super::choice::choice;
use super::toggle::toggle;
use crate::format;
use crate::pages::lab::settings::{Network, Settings};

#[derive(Properties, PartialEq)]
pub(in crate::pages::lab) struct ControlsProps {
    pub(in crate::pages::lab) settings: Settings,
    pub(in crate::pages::lab) on_settings: Callback<Settings>,
    pub(in crate::pages::lab) is_running: bool,
    pub(in crate::pages::lab) can_run: bool,
    /// Whether an experiment is under way, which the feed would spoil.
    pub(in crate::pages::lab) is_trying: bool,
    pub(in crate::pages::lab) on_run: Callback<bool>,
    /// Whether the server makes a bad network; `None` until that is known.
    pub(in crate::pages::lab) offers_faults: Option<bool>,
}

/// The feed, the network, and the button that starts.
#[component]
pub(in crate::pages::lab) fn Controls(props: &ControlsProps) -> Html {
    let ControlsProps { settings, on_settings, is_running, can_run, is_trying, on_run, offers_faults } = props;
    let (settings, is_running) = (*settings, *is_running);
    let set = |change: fn(&mut Settings, u32)| {
        let on_settings = on_settings.clone();
        move |value| {
            let mut changed = settings;
            change(&mut changed, value);
            on_settings.emit(changed);
        }
    };
    let list =
        |values: &[u32], show: fn(u32) -> String| values.iter().map(|value| (*value, show(*value))).collect::<Vec<_>>();
    let onclick = {
        let on_run = on_run.clone();
        Callback::from(move |_: MouseEvent| on_run.emit(!is_running))
    };
    let Network { delay, jitter, loss } = settings.network;
    let is_spared = *offers_faults != Some(true);
    html! {
        <section class="card lab-controls" aria-label="Feed and network">
            <div class="lab-fields">
                { choice("Messages a second", &list(&Settings::RATES, |rate| rate.to_string()), settings.rate, false, set(|to, rate| to.rate = rate)) }
                { choice("Message size", &list(&Settings::SIZES, |size| format!("{size} bytes")), settings.size, false, set(|to, size| to.size = size)) }
                { choice("Poll every", &list(&Settings::PERIODS, |ms| format::milliseconds(ms.into())), settings.period, false, set(|to, period| to.period = period)) }
                { choice("Delay", &list(&Network::DELAYS, |ms| format!("{ms} ms")), delay, is_spared, set(|to, delay| to.network.delay = delay)) }
                { choice("Jitter", &list(&Network::JITTERS, |ms| format!("{ms} ms")), jitter, is_spared, set(|to, jitter| to.network.jitter = jitter)) }
                { choice("Loss", &list(&Network::LOSSES, |percent| format!("{percent} %")), loss, is_spared, set(|to, loss| to.network.loss = loss)) }
                { toggle(is_running, "Start", "Stop", *can_run && !is_trying, onclick) }
            </div>
            <p class="field-note">
                if *is_trying {
                    { "The feed waits while an experiment is under way: its messages would come between the calls." }
                } else if *offers_faults == Some(false) {
                    { "This server adds no delay, jitter or loss. Start it with " }<code>{ "--faults" }</code>{ "." }
                } else {
                    { "What TCP loses it sends again: a lost message comes at least 200 ms later, and what is behind it waits." }
                }
            </p>
        </section>
    }
}
