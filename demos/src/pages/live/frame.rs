use std::rc::Rc;

use gloo_timers::callback::Timeout;
use yew::prelude::*;

use super::panel::Panel;
use super::traffic::Traffic;

/// How long a panel shows that it was resumed, in milliseconds.
const MARKED: u32 = 6_000;

/// What every panel is given.
#[derive(Clone, Properties)]
pub(super) struct PanelProps {
    pub(super) is_on: bool,
    pub(super) on_switch: Callback<Panel>,
    pub(super) traffic: Rc<Traffic>,
}

impl PartialEq for PanelProps {
    fn eq(&self, other: &Self) -> bool {
        // What was counted meanwhile is no reason to draw.
        self.is_on == other.is_on && self.on_switch == other.on_switch && Rc::ptr_eq(&self.traffic, &other.traffic)
    }
}

#[derive(Properties, PartialEq)]
pub(super) struct FrameProps {
    pub(super) panel: Panel,
    pub(super) is_on: bool,
    pub(super) on_switch: Callback<Panel>,
    /// How often the channel was resumed.
    #[prop_or_default]
    pub(super) resumed: u32,
    /// Why the server does not send the channel.
    #[prop_or_default]
    pub(super) refused: Option<AttrValue>,
    /// What is in the head besides the title and the switch.
    #[prop_or_default]
    pub(super) tools: Html,
    pub(super) children: Html,
}

/// A panel with its switch. It is as large while it is off.
#[component]
pub(super) fn Frame(props: &FrameProps) -> Html {
    let FrameProps { panel, is_on, refused, .. } = props;
    let is_marked = use_mark(props.resumed);
    let id = format!("live-{}", panel.slug());
    let onchange = {
        let (on_switch, panel) = (props.on_switch.clone(), *panel);
        Callback::from(move |_| on_switch.emit(panel))
    };
    html! {
        <section class={format!("card live-panel {id}")} aria-labelledby={id.clone()} data-on={is_on.to_string()}>
            <header class="live-head">
                <h2 {id}>{ panel.title() }</h2>
                if is_marked {
                    <span class="tag live-mark">{ "Resumed" }</span>
                }
                <div class="live-tools">
                    if *is_on { { props.tools.clone() } }
                    <label class="switch live-switch" title={panel.channel()}>
                        <input type="checkbox" role="switch" checked={*is_on} aria-label={panel.title()} {onchange} />
                    </label>
                </div>
            </header>
            if !is_on {
                <p class="live-nothing">{ "Off: the channel is not subscribed." }</p>
            } else if refused.is_some() {
                <p class="live-nothing" role="status">{ why(*panel) }</p>
            } else {
                { props.children.clone() }
            }
        </section>
    }
}

fn why(panel: Panel) -> Html {
    match panel {
        Panel::Log => html! {
            <>{ "This server keeps its log to itself. Start it with " }<code>{ "--monitor" }</code>{ " to see it here." }</>
        },
        _ => html! { { "The server does not offer this channel." } },
    }
}

/// Whether the channel was resumed a moment ago.
#[hook]
fn use_mark(resumed: u32) -> bool {
    let is_marked = use_state_eq(|| false);
    {
        let is_marked = is_marked.setter();
        use_effect_with(resumed, move |resumed| {
            let end = (*resumed > 0).then(|| {
                is_marked.set(true);
                Timeout::new(MARKED, move || is_marked.set(false))
            });
            move || drop(end)
        });
    }
    *is_marked
}

/// The rows of a table before the first message, so that nothing moves when it comes.
pub(super) fn waiting() -> Html {
    html! { <p class="live-nothing">{ "Waiting for the first message." }</p> }
}
