use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

use everwire_yew::use_raw_socket;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::experiment::Results;
use super::experiment_view::{DistributionCard, ExperimentCard};
use super::feed::FeedRunner;
use super::feed_view::{LatencyCard, OverheadCard, TransportCards};
use super::settings::{Network, Selection, Settings};
use crate::components::PageHead;
use crate::format;
use crate::job::Job;
use crate::line::use_line;
use crate::server::Server;

const LEAD: &str = "The same feed over polling, long polling, HTTP streaming, server-sent events and WebSocket: how much \
     overhead each adds, and how late its messages arrive.";

/// The same feed and the same echo over each transport, side by side.
#[component]
pub(crate) fn LabPage() -> Html {
    let feed = (*use_memo((), |()| FeedRef::default())).clone();
    let settings = use_state_eq(Settings::default);
    let selection = use_state_eq(Selection::default);
    let is_running = use_state_eq(|| false);
    let is_experimenting = use_state_eq(|| false);
    let results = use_state_eq(|| None::<ResultsRef>);
    // A connection of its own measures the server's time, so that its pings are not among the measured bytes.
    let line = use_line("/clock");
    let on_event = use_callback((), |_, ()| ());
    let socket = use_raw_socket(line.options(), on_event);
    feed.set_clock(socket.handle().clone());
    let server = line.server().clone();
    let is_open = socket.status().is_open();
    let offers_faults = use_offers_faults(&server, is_open);
    let conditions = settings.for_server(offers_faults == Some(true));
    use_run(&feed, &server, &conditions, *selection, *is_running);

    let set_running = {
        let is_running = is_running.setter();
        Callback::from(move |to| is_running.set(to))
    };
    let on_experimenting = {
        let (is_running, is_experimenting) = (is_running.setter(), is_experimenting.setter());
        use_callback((), move |to: bool, ()| {
            is_experimenting.set(to);
            if to {
                is_running.set(false);
            }
        })
    };
    let on_results = {
        let results = results.setter();
        Callback::from(move |to| results.set(Some(to)))
    };
    html! {
        <div class="lab">
            <PageHead title="Transport lab" lead={LEAD} connection={Some((line, socket.status()))} />
            <div class="stack">
                <Controls
                    settings={conditions}
                    on_settings={Callback::from({ let settings = settings.setter(); move |to| settings.set(to) })}
                    is_running={*is_running}
                    can_run={is_open && !selection.transports().is_empty()}
                    is_experimenting={*is_experimenting}
                    on_run={set_running}
                    {offers_faults}
                />
                <TransportCards
                    feed={feed.clone()}
                    is_running={*is_running}
                    selection={*selection}
                    on_select={Callback::from({ let selection = selection.setter(); move |to| selection.set(to) })}
                />
                <div class="columns lab-charts">
                    <LatencyCard feed={feed.clone()} is_running={*is_running} />
                    <DistributionCard feed={feed.clone()} is_running={*is_running} results={(*results).clone()} is_experimenting={*is_experimenting} />
                </div>
                <OverheadCard {feed} is_running={*is_running} />
                <ExperimentCard
                    {server}
                    {is_open}
                    settings={conditions}
                    selection={*selection}
                    results={(*results).clone()}
                    {on_results}
                    {on_experimenting}
                />
            </div>
        </div>
    }
}

/// Whether the server simulates a bad network on request; `None` until it has answered. The page asks again each time the connection
/// opens, since the server may have been restarted with other flags, and keeps the last answer while the server is away.
#[hook]
fn use_offers_faults(server: &Server, is_open: bool) -> Option<bool> {
    let answer = use_state_eq(|| None::<(Server, bool)>);
    {
        let answer = answer.setter();
        use_effect_with((server.clone(), is_open), move |(server, is_open)| {
            let server = server.clone();
            let request = is_open.then(|| {
                Job::start(async move {
                    let offers = server.clone().faults().await.faults;
                    answer.set(Some((server, offers)));
                })
            });
            move || drop(request)
        });
    }
    answer.as_ref().filter(|(answered, _)| answered == server).map(|(_, offers)| *offers)
}

/// Runs the feed while `is_running`, and restarts it when a setting changes.
#[hook]
fn use_run(feed: &FeedRef, server: &Server, settings: &Settings, selection: Selection, is_running: bool) {
    let feed = feed.clone();
    use_effect_with(
        (server.clone(), *settings, selection, is_running),
        move |(server, settings, selection, is_running)| {
            let (server, settings, selection, started) = (server.clone(), *settings, *selection, feed.clone());
            let starting = is_running.then(|| {
                Job::start(async move {
                    if let Ok(base) = server.base().await {
                        started.start(&base, &settings, selection);
                    }
                })
            });
            move || {
                drop(starting);
                feed.stop();
            }
        },
    );
}

pub(super) type FeedRef = ByAddress<FeedRunner>;
pub(super) type ResultsRef = ByAddress<RefCell<Results>>;

/// A shared value that is compared by its address, for component properties: what changes within it does not render a component, which
/// renders itself on a timer instead.
#[derive(Debug, Default)]
pub(super) struct ByAddress<T>(Rc<T>);

impl<T> ByAddress<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Rc::new(value))
    }
}

impl<T> Deref for ByAddress<T> {
    type Target = Rc<T>;

    fn deref(&self) -> &Rc<T> {
        &self.0
    }
}

impl<T> Clone for ByAddress<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> PartialEq for ByAddress<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

#[derive(Properties, PartialEq)]
struct ControlsProps {
    settings: Settings,
    on_settings: Callback<Settings>,
    is_running: bool,
    can_run: bool,
    /// Whether an experiment is running, which the feed would disturb.
    is_experimenting: bool,
    on_run: Callback<bool>,
    /// Whether the server simulates a bad network; `None` until that is known.
    offers_faults: Option<bool>,
}

/// The settings of the feed and the network, and the button that starts the feed.
#[component]
fn Controls(props: &ControlsProps) -> Html {
    let ControlsProps { settings, on_settings, is_running, can_run, is_experimenting, on_run, offers_faults } = props;
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
    let is_perfect = *offers_faults != Some(true);
    html! {
        <section class="card lab-controls" aria-label="Feed and network">
            <div class="lab-fields">
                { select("Messages per second", &list(&Settings::RATES, |rate| rate.to_string()), settings.rate, false, set(|to, rate| to.rate = rate)) }
                { select("Message size", &list(&Settings::SIZES, |size| format!("{size} bytes")), settings.size, false, set(|to, size| to.size = size)) }
                { select("Poll every", &list(&Settings::PERIODS, |ms| format::milliseconds(ms.into())), settings.period, false, set(|to, period| to.period = period)) }
                { select("Delay", &list(&Network::DELAYS, |ms| format!("{ms} ms")), delay, is_perfect, set(|to, delay| to.network.delay = delay)) }
                { select("Jitter", &list(&Network::JITTERS, |ms| format!("{ms} ms")), jitter, is_perfect, set(|to, jitter| to.network.jitter = jitter)) }
                { select("Loss", &list(&Network::LOSSES, |percent| format!("{percent} %")), loss, is_perfect, set(|to, loss| to.network.loss = loss)) }
                { toggle(is_running, "Start", "Stop", *can_run && !is_experimenting, onclick) }
            </div>
            <p class="field-note">
                if *is_experimenting {
                    { "The feed is off while an experiment is running: its messages would disturb the calls." }
                } else if *offers_faults == Some(false) {
                    { "This server adds no delay, jitter or loss. Start it with " }<code>{ "--faults" }</code>{ "." }
                } else {
                    { "TCP resends what is lost: a lost message arrives at least 200 ms late, and the messages behind it wait." }
                }
            </p>
        </section>
    }
}

/// A labelled list of values to choose from.
pub(super) fn select<T: Copy + PartialEq + 'static>(
    label: &'static str,
    entries: &[(T, String)],
    chosen: T,
    is_disabled: bool,
    on_choose: impl Fn(T) + 'static,
) -> Html {
    let values: Vec<T> = entries.iter().map(|(value, _)| *value).collect();
    let onchange = Callback::from(move |event: Event| {
        let index = event.target_dyn_into::<HtmlSelectElement>().map(|select| select.selected_index());
        let value = index.and_then(|index| values.get(usize::try_from(index).ok()?));
        value.into_iter().for_each(|value| on_choose(*value));
    });
    html! {
        <label class="field">
            <span>{ label }</span>
            <select class="input" {onchange} disabled={is_disabled}>
                { for entries.iter().map(|(value, text)| html! { <option selected={*value == chosen}>{ text }</option> }) }
            </select>
        </label>
    }
}

/// A button that starts something and stops it while it runs. It is one element for both, so that it keeps the focus when it is pressed
/// with the keyboard.
pub(super) fn toggle(
    is_running: bool,
    start: &'static str,
    stop: &'static str,
    can_start: bool,
    onclick: Callback<MouseEvent>,
) -> Html {
    let (class, name) = if is_running { ("button-danger", stop) } else { ("button-primary", start) };
    html! {
        <button type="button" class={classes!("button", class)} disabled={!is_running && !can_start} {onclick}>{ name }</button>
    }
}
