use gloo_timers::callback::Interval;
use yew::prelude::*;

use super::ByIdentity;
use super::book::Missed;
use super::feed::Figures;
use crate::format;

/// The milliseconds between two updates of the figures.
const UPDATE_EVERY: u32 = 250;

#[derive(Properties, PartialEq)]
pub(super) struct FeedFiguresProps {
    pub(super) feed: ByIdentity,
}

/// Figures of the feed.
#[component]
pub(super) fn FeedFigures(props: &FeedFiguresProps) -> Html {
    let figures = use_state_eq(Figures::default);
    {
        let figures = figures.setter();
        use_effect_with(props.feed.clone(), move |feed| {
            let feed = feed.clone();
            let updates = Interval::new(UPDATE_EVERY, move || figures.set(feed.0.figures()));
            move || drop(updates)
        });
    }
    let Figures { updates_per_second, frames_per_second, folded, age, missed, reconnects } = *figures;
    html! {
        <dl class="stats ticker-figures">
            { figure("Updates a second", format::count(updates_per_second), None) }
            { figure("Frames a second", format::count(frames_per_second), Some(format!("{} folded into the last", format::count(folded)))) }
            { figure("Message age", age.map_or_else(|| "–".to_owned(), format::duration), Some("by the server’s clock".to_owned())) }
            { figure("Reconnects", format::count(reconnects), None) }
            { figure("Missed", format::count(missed.updates), Some(how(missed))) }
        </dl>
    }
}

fn figure(name: &'static str, value: String, note: Option<String>) -> Html {
    html! {
        <div>
            <dt>{ name }</dt>
            <dd>{ value }</dd>
            if let Some(note) = note {
                <dd class="figure-note number">{ note }</dd>
            }
        </div>
    }
}

fn how(missed: Missed) -> String {
    let gaps = match missed.gaps {
        0 => "no gap".to_owned(),
        1 => "in one gap".to_owned(),
        gaps => format!("in {} gaps", format::count(gaps)),
    };
    match missed.restarts {
        0 => gaps,
        restarts => format!("{gaps}, {} new start{}", format::count(restarts), if restarts == 1 { "" } else { "s" }),
    }
}
