use everwire::State;
use everwire_yew::{ConnectionBadge, ConnectionStatus};
use yew::prelude::*;

use super::{BreakMenu, ServerMenu};
use crate::fault::Fault;
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
}

/// The head of a page: its heading, what it shows, and its connection with everything that can break it.
#[component]
pub(crate) fn PageHead(props: &PageHeadProps) -> Html {
    html! {
        <header class="page-head">
            <h1 tabindex="-1">{ &props.title }</h1>
            <p class="lead">{ props.lead.clone() }</p>
            if let Some((line, status)) = props.connection.clone() {
                <LineBar {line} {status} />
            }
        </header>
    }
}

#[derive(Properties, PartialEq)]
pub(crate) struct LineBarProps {
    pub(crate) line: Line,
    pub(crate) status: ConnectionStatus,
}

/// The page's end of the line, the wire, and the server's end.
#[component]
pub(crate) fn LineBar(props: &LineBarProps) -> Html {
    let LineBarProps { line, status } = props;
    let lasting = use_lasting_fault(status);
    let on_break = {
        let (line, status, lasting) = (line.clone(), status.clone(), lasting.setter());
        Callback::from(move |fault: Fault| {
            line.arm(Some(fault));
            lasting.set(Some(fault).filter(|fault| fault.lasts()));
            status.reconnect();
        })
    };
    let restore = {
        let (line, status, lasting) = (line.clone(), status.clone(), lasting.setter());
        Callback::from(move |_| {
            line.arm(None);
            lasting.set(None);
            status.reconnect();
        })
    };
    html! {
        <div class="line-bar">
            <div class="line" data-phase={phase(status)}>
                <ConnectionBadge status={status.clone()} />
                <span class="wire" aria-hidden="true"><span class="wire-half"></span><span class="wire-half"></span></span>
                <ServerMenu line={line.clone()} host={line.server().host().map(AttrValue::from)} />
                <BreakMenu line={line.clone()} status={status.clone()} {on_break} />
            </div>
            if let Some(fault) = *lasting {
                <p class="notice notice-waiting" role="status">
                    <span>{ what_lasts(fault) }</span>
                    <button type="button" class="button button-small" onclick={restore}>{ "Restore the line" }</button>
                </p>
            }
            if let Some(trouble) = status.trouble().filter(|_| !status.is_open()) {
                <p class="line-trouble">{ trouble }</p>
            }
        </div>
    }
}

/// The fault that the connection has for as long as it lives. Once that connection is lost the next one has none.
#[hook]
fn use_lasting_fault(status: &ConnectionStatus) -> UseStateHandle<Option<Fault>> {
    let lasting = use_state_eq(|| None);
    {
        let lasting = lasting.setter();
        let was_lost = matches!(status.state(), State::Waiting { .. } | State::Closed);
        use_effect_with(was_lost, move |was_lost| {
            if *was_lost {
                lasting.set(None);
            }
        });
    }
    lasting
}

fn what_lasts(fault: Fault) -> String {
    match fault {
        Fault::Delay(ms) => format!("The server holds every message back for {ms} ms, as you asked."),
        _ => "The server sends garbage between the messages, as you asked.".to_owned(),
    }
}

fn phase(status: &ConnectionStatus) -> &'static str {
    match status.state() {
        State::Open => "open",
        State::Connecting => "connecting",
        _ => "broken",
    }
}
