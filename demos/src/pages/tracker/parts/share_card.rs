use yew::prelude::*;

use crate::pages::tracker::fix::Fix;
use crate::pages::tracker::problem::Problem;
use crate::pages::tracker::readable;

#[derive(Properties, PartialEq)]
pub(crate) struct ShareCardProps {
    /// Whether the visitor pressed the button and did not press stop.
    pub(crate) is_wanted: bool,
    /// What others were told last.
    pub(crate) told: Option<Fix>,
    pub(crate) problem: Option<Problem>,
    pub(crate) is_simulated: bool,
    pub(crate) is_connected: bool,
    pub(crate) on_start: Callback<()>,
    pub(crate) on_stop: Callback<()>,
    /// What is sent and to whom, then what of it can be chosen.
    pub(crate) children: Html,
}

/// The button that shares, the one that stops, and what others know.
#[component]
pub(crate) fn ShareCard(props: &ShareCardProps) -> Html {
    let (tag, class) = match (props.is_wanted, props.told, props.is_connected) {
        (false, _, _) => ("Not shared", "tag"),
        (true, None, _) => ("Looking for you", "tag tag-waiting"),
        (true, Some(_), false) => ("Interrupted", "tag tag-waiting"),
        (true, Some(_), true) if props.is_simulated => ("Simulated, shared", "tag tag-alive"),
        (true, Some(_), true) => ("Shared", "tag tag-alive"),
    };
    let says_nothing = !props.is_wanted && props.problem.is_none();
    let start = props.on_start.reform(|_: MouseEvent| ());
    let stop = props.on_stop.reform(|_: MouseEvent| ());
    html! {
        <section class="card tracker-share stack" aria-labelledby="share-heading">
            <div class="card-head">
                <h2 id="share-heading">{ "Your position" }</h2>
                <span {class} key={tag}>{ tag }</span>
            </div>
            if props.is_wanted {
                <button type="button" class="button button-danger" onclick={stop}>{ "Stop sharing" }</button>
            } else {
                <button type="button" class="button button-primary" onclick={start}>
                    { if props.is_simulated { "Share a simulated walk" } else { "Share my position" } }
                </button>
            }
            <div class={classes!("tracker-standing", "stack", "stack-tight", says_nothing.then_some("is-empty"))} role="status">
                if let Some(problem) = props.problem {
                    <div class="notice notice-broken tracker-problem">
                        <strong>{ problem.title() }</strong>
                        <p>{ problem.advice() }</p>
                    </div>
                }
                { standing(props) }
            </div>
            { props.children.clone() }
        </section>
    }
}

/// What others know at the moment.
fn standing(props: &ShareCardProps) -> Html {
    match props.told {
        // As many lines with the connection and without, so that a drop moves nothing.
        Some(fix) => html! {
            <p class="tracker-told">
                { match (props.is_connected, props.is_simulated) {
                    (false, _) => "Hidden. Sharing resumes with",
                    (true, true) => "Others see a simulated position",
                    (true, false) => "Others see you at",
                } }
                <br />
                <span class="number">{ readable::place(fix.place) }</span>
                <span class="tracker-within number">{ format!("within {}", readable::distance(fix.accuracy)) }</span>
            </p>
        },
        None if props.is_wanted && props.problem.is_none() => html! {
            <p class="notice notice-waiting">{ "Waiting for your device. Nothing has been sent yet." }</p>
        },
        None => html! {},
    }
}
