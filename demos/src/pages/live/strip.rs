use everwire_companion_api::live::Sample;
use yew::prelude::*;

use super::feed::use_feed;
use super::frame::{Frame, PanelProps};
use super::panel::Panel;
use super::pulse::{Day, Pulse, countdown, phase_name};
use crate::components::Spark;
use crate::format;
use crate::now::now;
use crate::ticks::{READABLE, use_ticks};

/// The phase of the trading day, and how long it lasts.
#[component]
pub(super) fn BannerPanel(props: &PanelProps) -> Html {
    let feed = use_feed::<Day>(Panel::Banner, props.is_on, &props.traffic);
    use_ticks(READABLE, props.is_on);
    let now = feed.client.as_ref().and_then(|client| client.server_time()).unwrap_or_else(now);
    let day = feed.model();
    let banner = day.at(now);
    let phase = banner.map_or("–", |banner| phase_name(banner.phase));
    // The same elements with and without an announcement, so that nothing moves.
    html! {
        <Frame panel={Panel::Banner} is_on={props.is_on} on_switch={props.on_switch.clone()} resumed={feed.resumed} refused={feed.refused.clone()}>
            <div class="live-banner-text">
                <span class="tag live-phase" data-phase={phase}>{ phase }</span>
                <p>{ banner.map_or("Waiting for the server.", |banner| &banner.text) }</p>
                <p class="number live-countdown" role="timer">{ banner.map(|banner| countdown(banner, now)) }</p>
            </div>
        </Frame>
    }
}

/// What the server does.
#[component]
pub(super) fn MonitorPanel(props: &PanelProps) -> Html {
    let feed = use_feed::<Pulse>(Panel::Monitor, props.is_on, &props.traffic);
    let pulse = feed.model();
    let latest =
        |value: fn(&Sample) -> Option<String>| pulse.latest.as_ref().and_then(value).unwrap_or_else(|| "–".to_owned());
    let has_machine = pulse.latest.is_some_and(|sample| sample.machine.is_some());
    html! {
        <Frame panel={Panel::Monitor} is_on={props.is_on} on_switch={props.on_switch.clone()} resumed={feed.resumed} refused={feed.refused.clone()}>
            <dl class="live-figures">
                if has_machine {
                    { figure("Processor", latest(|sample| Some(format!("{:.0} %", sample.machine?.processor))), Some(&pulse.processor)) }
                    { figure("Memory", latest(|sample| Some(format::memory(sample.machine?.memory))), None) }
                }
                { figure("Messages a second", latest(|sample| Some(whole(sample.messages_in + sample.messages_out))), Some(&pulse.messages)) }
                { figure("Connections", latest(|sample| Some(format::count(sample.connections))), None) }
            </dl>
        </Frame>
    }
}

fn figure(name: &'static str, value: String, spark: Option<&Spark>) -> Html {
    html! {
        <div>
            <dt>{ name }</dt>
            <dd><span class="number">{ value }</span>{ for spark.map(Spark::view) }</dd>
        </div>
    }
}

fn whole(rate: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative")]
    let rate = rate.round() as u64;
    format::count(rate)
}
