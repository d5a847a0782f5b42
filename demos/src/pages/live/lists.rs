use everwire_companion_api::live::Level;
use js_sys::Date;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

use super::entries::{LEVELS, Log, News, level_name, short_target};
use super::feed::use_feed;
use super::frame::{Frame, PanelProps, waiting};
use super::panel::Panel;
use crate::format;

/// The headlines.
#[component]
pub(super) fn NewsPanel(props: &PanelProps) -> Html {
    let feed = use_feed::<News>(Panel::News, props.is_on, &props.traffic);
    let news = feed.model();
    html! {
        <Frame panel={Panel::News} is_on={props.is_on} on_switch={props.on_switch.clone()} resumed={feed.resumed} refused={feed.refused.clone()}>
            <div class="scroll live-scroll" tabindex="0" role="region" aria-label="Headlines, the latest first">
                if news.entries().next().is_none() { { waiting() } }
                <ol class="live-list">{ for news.entries().map(|entry| html! {
                    <li key={entry.number}>
                        <time>{ time_of_day(entry.time) }</time>
                        <span>{ &entry.item.text }</span>
                    </li>
                }) }</ol>
            </div>
        </Frame>
    }
}

/// The server's log.
#[component]
pub(super) fn LogPanel(props: &PanelProps) -> Html {
    let feed = use_feed::<Log>(Panel::Log, props.is_on, &props.traffic);
    let least = use_state_eq(|| LEVELS[0].0);
    let tools = html! { <LevelChoice least={*least} on_choose={Callback::from({ let least = least.setter(); move |to| least.set(to) })} /> };
    let log = feed.model();
    html! {
        <Frame panel={Panel::Log} is_on={props.is_on} on_switch={props.on_switch.clone()} resumed={feed.resumed} refused={feed.refused.clone()} {tools}>
            <div class="scroll live-scroll" tabindex="0" role="region" aria-label="Lines of the log, the latest first">
                if log.entries(*least).next().is_none() { <p class="live-nothing">{ "No lines." }</p> }
                <ol class="live-list log-list">{ for log.entries(*least).map(|entry| html! {
                    <li key={entry.number}>
                        <time>{ time_of_day(entry.time) }</time>
                        <span class="log-level" data-level={level_name(entry.item.level)}>{ level_name(entry.item.level) }</span>
                        <span class="log-text">
                            <span class="log-target" title={entry.item.target.clone()}>{ short_target(&entry.item.target) }</span>
                            { " " }{ &entry.item.message }
                            if entry.item.dropped > 0 {
                                <em>{ format!(" ({} lines before it are missing)", format::count(entry.item.dropped)) }</em>
                            }
                        </span>
                    </li>
                }) }</ol>
            </div>
        </Frame>
    }
}

#[derive(Properties, PartialEq)]
struct LevelChoiceProps {
    least: Level,
    on_choose: Callback<Level>,
}

#[component]
fn LevelChoice(props: &LevelChoiceProps) -> Html {
    let onchange = {
        let on_choose = props.on_choose.clone();
        Callback::from(move |event: Event| {
            let chosen = event.target_dyn_into::<HtmlSelectElement>().map(|select| select.value());
            let level = LEVELS.into_iter().find(|(level, _)| chosen.as_deref() == Some(level_name(*level)));
            on_choose.emit(level.unwrap_or(LEVELS[0]).0);
        })
    };
    html! {
        <select class="input log-levels" aria-label="Lines to show" {onchange}>
            { for LEVELS.map(|(level, name)| html! {
                <option value={level_name(level)} selected={level == props.least}>{ name }</option>
            }) }
        </select>
    }
}

/// A time as the visitor's clocks show it.
pub(super) fn time_of_day(time: f64) -> String {
    let date = Date::new(&time.into());
    format!("{:02}:{:02}:{:02}", date.get_hours(), date.get_minutes(), date.get_seconds())
}
