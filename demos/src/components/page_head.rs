use everwire::{Cause, State};
use everwire_yew::{ConnectionBadge, ConnectionStatus, DownReason};
use yew::prelude::*;

use super::{BreakMenu, ServerMenu};
use crate::fault::{Disruption, Fault};
use crate::line::Line;

#[derive(Properties, PartialEq)]
pub(crate) struct PageHeadProps {
    pub(crate) title: AttrValue,
    /// One or two sentences on what the page shows.
    #[prop_or_default]
    pub(crate) lead: Html,
    /// The page's connection: the way to its endpoint and how that is.
    #[prop_or_default]
    pub(crate) connection: Option<(Line, ConnectionStatus)>,
    /// Called with what the visitor does to the connection.
    #[prop_or_default]
    pub(crate) on_break: Callback<Disruption>,
}

/// The head of a page: its heading, what it shows, and its connection with everything that can break it.
#[component]
pub(crate) fn PageHead(props: &PageHeadProps) -> Html {
    html! {
        <header class="page-head">
            <h1 tabindex="-1">{ &props.title }</h1>
            <p class="lead">{ props.lead.clone() }</p>
            if let Some((line, status)) = props.connection.clone() {
                <LineBar {line} {status} on_break={props.on_break.clone()} />
            }
        </header>
    }
}

#[derive(Properties, PartialEq)]
pub(crate) struct LineBarProps {
    pub(crate) line: Line,
    pub(crate) status: ConnectionStatus,
    #[prop_or_default]
    pub(crate) on_break: Callback<Disruption>,
}

/// The page's end of the line, the wire, and the server's end.
#[component]
pub(crate) fn LineBar(props: &LineBarProps) -> Html {
    let LineBarProps { line, status, on_break } = props;
    // Once that connection is lost, the next one has none.
    let lasting = line.lasting_fault().filter(|_| !was_lost(status.state(), status.down_reason()));
    let on_break = {
        let (line, status, on_break) = (line.clone(), status.clone(), on_break.clone());
        Callback::from(move |disruption| {
            on_break.emit(disruption);
            line.disrupt(disruption, &status);
        })
    };
    let restore = {
        let (line, status) = (line.clone(), status.clone());
        Callback::from(move |_| {
            line.arm(None);
            status.reconnect();
        })
    };
    let wire = Wire::of(status.state(), status.down_reason(), status.is_offline());
    html! {
        <div class="line-bar">
            <div class="line" data-wire={wire.name()}>
                <ConnectionBadge status={status.clone()} />
                <span class="wire" aria-hidden="true">
                    <span class="wire-run"></span><span class="wire-tip"></span><span class="wire-tip"></span><span class="wire-run"></span>
                </span>
                <ServerMenu line={line.clone()} host={line.server().host().map(AttrValue::from)} />
                <BreakMenu line={line.clone()} status={status.clone()} {on_break} />
            </div>
            // It keeps its room when there is nothing to say, so that a drop moves nothing.
            <div class="line-note" role="status">
                if let Some(trouble) = trouble(line, status) {
                    <p class="line-trouble">{ trouble }</p>
                } else if let Some(fault) = lasting {
                    <p class="notice notice-waiting">
                        <span>{ what_lasts(fault) }</span>
                        <button type="button" class="button button-small" onclick={restore}>{ "Restore the connection" }</button>
                    </p>
                }
            </div>
        </div>
    }
}

/// Why the line is down, where the visitor did not just ask for another connection.
fn trouble(line: &Line, status: &ConnectionStatus) -> Option<String> {
    let reason = status.down_reason().filter(|reason| !status.is_open() && !is_requested(reason))?;
    Some(reason.explain(line.address().as_deref(), status.is_offline()))
}

/// Whether the connection went otherwise than by the visitor's wish for another one.
fn was_lost(state: State, reason: Option<&DownReason>) -> bool {
    matches!(state, State::Waiting { .. } | State::Closed) && !reason.is_some_and(is_requested)
}

fn is_requested(reason: &DownReason) -> bool {
    matches!(reason, DownReason::Dropped { cause: Cause::Requested, .. })
}

fn what_lasts(fault: Fault) -> String {
    match fault {
        Fault::Delay(ms) => format!("Messages come {ms} ms late, as you asked."),
        _ => "Garbage comes in between, as you asked.".to_owned(),
    }
}

/// What the wire between the page and the server looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    /// Messages flow.
    Whole,
    /// An attempt is under way.
    Reaching,
    /// Lost or refused.
    Torn,
    /// Apart for a while: the server said goodbye, or there is no network.
    Parted,
    /// Not connected, or no longer, and nothing is wrong with that.
    AtRest,
}

impl Wire {
    fn of(state: State, reason: Option<&DownReason>, is_offline: bool) -> Self {
        let is_fine = reason.is_none_or(DownReason::is_normal);
        match state {
            State::Open => Self::Whole,
            State::Connecting => Self::Reaching,
            State::Closing => Self::Parted,
            State::Waiting { .. } if is_fine || is_offline => Self::Parted,
            _ if is_fine => Self::AtRest,
            _ => Self::Torn,
        }
    }

    /// Its name for style sheets.
    fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Reaching => "reaching",
            Self::Torn => "torn",
            Self::Parted => "parted",
            Self::AtRest => "at-rest",
        }
    }
}

#[cfg(test)]
mod tests {
    use everwire::Ended;
    use everwire_yew::WasOpen;

    use super::*;

    const WAITING: State = State::Waiting { attempt: 1, retry_in: None };

    fn dropped(code: u16) -> DownReason {
        DownReason::Dropped { cause: Cause::closed(code, "", code != 1006), was_open: WasOpen::UntilNow }
    }

    fn ended(code: u16) -> DownReason {
        let ended = Ended::Final(Cause::closed(code, "", true));
        DownReason::Ended { ended, was_open: WasOpen::UntilNow }
    }

    #[test]
    fn a_wire_that_was_never_used_is_not_torn() {
        assert_eq!(Wire::of(State::Closed, None, false), Wire::AtRest);
        assert_eq!(Wire::of(State::Connecting, None, false), Wire::Reaching);
    }

    #[test]
    fn a_normal_end_does_not_look_like_a_failure() {
        assert_eq!(Wire::of(State::Closed, Some(&ended(1000)), false), Wire::AtRest);
        assert_eq!(Wire::of(State::Closed, Some(&ended(1001)), false), Wire::AtRest);
        assert_eq!(Wire::of(WAITING, Some(&dropped(1001)), false), Wire::Parted);
        assert_eq!(Wire::of(State::Closed, Some(&ended(1008)), false), Wire::Torn);
    }

    #[test]
    fn a_connection_that_the_visitor_replaces_is_not_lost_while_the_next_attempt_waits_for_its_time() {
        let requested = DownReason::Dropped { cause: Cause::Requested, was_open: WasOpen::UntilNow };
        assert!(!was_lost(WAITING, Some(&requested)));
        assert!(was_lost(WAITING, Some(&dropped(1006))));
        assert!(was_lost(State::Closed, None));
        assert!(!was_lost(State::Open, None));
    }

    #[test]
    fn a_lost_connection_tears_the_wire_unless_there_is_no_network() {
        assert_eq!(Wire::of(WAITING, Some(&dropped(1006)), false), Wire::Torn);
        assert_eq!(Wire::of(WAITING, Some(&dropped(1006)), true), Wire::Parted);
    }
}
