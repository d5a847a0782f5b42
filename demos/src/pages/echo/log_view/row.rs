use yew::prelude::*;

use crate::format;
use crate::pages::echo::clock_text::clock_text;
use crate::pages::echo::log::{Body, Line, Origin, Tone, Transmission};

/// Where a row stands among all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    pub(super) number: u64,
    pub(super) row: usize,
    pub(super) of: usize,
    pub(super) is_selected: bool,
}

/// The element that stands for a line, so that the list can name the one that is selected.
pub(super) fn id(number: u64) -> String {
    format!("log-{number}")
}

/// A line as a row of the list. `behind_utc`: the minutes that the visitor's clock is behind UTC.
pub(super) fn row(line: &Line, position: Position, behind_utc: f64) -> Html {
    let Position { number, row, of, is_selected } = position;
    let (class, mark, said) = look(line);
    html! {
        <div key={number} id={id(number)} class={classes!("log-row", class)} role="option" aria-selected={is_selected.to_string()}
            aria-posinset={(row + 1).to_string()} aria-setsize={of.to_string()} data-number={number.to_string()}>
            <span class="log-mark" aria-hidden="true">{ mark }</span>
            <span class="visually-hidden">{ said }</span>
            <span class="log-time">{ clock_text(line.time, behind_utc) }</span>
            <span class="log-what">{ line.preview() }</span>
            <span class="log-size">{ line.size().map(|size| format::bytes(size as u64)) }</span>
            <span class="log-trip">{ outcome(line) }</span>
        </div>
    }
}

/// The class of a line, its sign, and what the sign says.
pub(super) fn look(line: &Line) -> (&'static str, &'static str, &'static str) {
    match (line.origin, &line.body) {
        (Origin::Sent, _) => match line.transmission {
            Transmission::AtOnce | Transmission::Later(_) => ("log-sent", "\u{2191}", "Sent "),
            Transmission::Queued => ("log-sent log-queued", "\u{2026}", "Queued "),
            Transmission::Never => ("log-sent log-unsent", "\u{00d7}", "Not sent: "),
        },
        (Origin::Received, _) => ("log-received", "\u{2193}", "Received "),
        (Origin::Connection, Body::Event(Tone::Good, _)) => ("log-event log-good", "\u{25cf}", ""),
        (Origin::Connection, Body::Event(Tone::Bad, _)) => ("log-event log-bad", "\u{25cf}", ""),
        (Origin::Connection, _) => ("log-event", "\u{25cb}", ""),
    }
}

/// A reply's round trip, or why a message has not left.
fn outcome(line: &Line) -> Option<String> {
    match line.transmission {
        Transmission::Queued => Some("queued".to_owned()),
        Transmission::Never => Some("not sent".to_owned()),
        Transmission::AtOnce | Transmission::Later(_) => line.round_trip.map(format::duration),
    }
}
