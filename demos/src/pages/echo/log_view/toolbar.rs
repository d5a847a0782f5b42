use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

use super::save::save;
use crate::format;
use crate::pages::echo::frames::use_redraw;
use crate::pages::echo::log::{Filter, Kind, Origin};
use crate::pages::echo::session::Session;

#[derive(Properties, PartialEq)]
pub(super) struct ToolbarProps {
    pub(super) session: Session,
    /// Whether the list stays at its end.
    pub(super) following: bool,
    pub(super) on_follow: Callback<bool>,
    pub(super) on_clear: Callback<()>,
}

const ORIGINS: [(&str, Option<Origin>); 4] = [
    ("All directions", None),
    ("Sent", Some(Origin::Sent)),
    ("Received", Some(Origin::Received)),
    ("Connection", Some(Origin::Connection)),
];

const KINDS: [(&str, Option<Kind>); 4] =
    [("All kinds", None), ("Text", Some(Kind::Text)), ("Binary", Some(Kind::Binary)), ("Events", Some(Kind::Event))];

/// Filter, follow, export, clear, and how much there is.
#[component]
pub(super) fn Toolbar(props: &ToolbarProps) -> Html {
    let ToolbarProps { session, following, .. } = props;
    use_redraw(session, 200);
    let wanted = use_state(|| (String::new(), 0_usize, 0_usize));

    let refilter = {
        let (wanted, session) = (wanted.clone(), session.clone());
        move |text: String, origin: usize, kind: usize| {
            session.change(|record| record.filter(Filter::new(&text, ORIGINS[origin].1, KINDS[kind].1)));
            wanted.set((text, origin, kind));
        }
    };
    let on_text = {
        let (wanted, refilter) = (wanted.clone(), refilter.clone());
        Callback::from(move |event: InputEvent| {
            refilter(event.target_unchecked_into::<HtmlInputElement>().value(), wanted.1, wanted.2);
        })
    };
    let on_origin = {
        let (wanted, refilter) = (wanted.clone(), refilter.clone());
        Callback::from(move |event: Event| refilter(wanted.0.clone(), chosen(&event), wanted.2))
    };
    let on_kind = {
        let wanted = wanted.clone();
        Callback::from(move |event: Event| refilter(wanted.0.clone(), wanted.1, chosen(&event)))
    };
    let on_follow = props.on_follow.reform(|event: Event| event.target_unchecked_into::<HtmlInputElement>().checked());
    let on_save = {
        let session = session.clone();
        Callback::from(move |_: MouseEvent| save(&session.record()))
    };
    let on_clear = props.on_clear.reform(|_: MouseEvent| ());
    let (all, shown, let_go) = session.change_quietly(|record| {
        record.catch_up();
        (record.log.len() as u64, record.view.len() as u64, record.log.let_go())
    });
    html! {
        <>
            <div class="card-head">
                <h2 id="log-heading">{ "Log" }</h2>
                <p class="field-note number">{ amount(all, shown) }</p>
                <label class="switch">
                    <input type="checkbox" role="switch" checked={*following} onchange={on_follow} />
                    <span>{ "Follow" }</span>
                </label>
                <div class="log-actions">
                <button type="button" class="button button-small" disabled={shown == 0} onclick={on_save} title="Download the lines shown as JSON lines">
                    { "Export" }
                </button>
                <button type="button" class="button button-small" disabled={all == 0} onclick={on_clear}>{ "Clear" }</button>
                </div>
            </div>
            <div class="log-filter" role="search" aria-label="Log">
                <input class="input" type="search" placeholder="Find text, or bytes like ca fe" aria-label="Find" value={wanted.0.clone()} oninput={on_text} />
                { select("Direction", ORIGINS.map(|(name, _)| name), wanted.1, on_origin) }
                { select("Kind", KINDS.map(|(name, _)| name), wanted.2, on_kind) }
            </div>
            if let_go > 0 {
                <p class="log-let-go field-note number">
                    { format!("{} older lines were dropped: the latest 100,000 are kept, or fewer if messages are large.", format::count(let_go)) }
                </p>
            }
        </>
    }
}

fn amount(all: u64, shown: u64) -> String {
    match (all, shown) {
        (0, _) => String::new(),
        (1, 1) => "1 line".to_owned(),
        (all, shown) if all == shown => format!("{} lines", format::count(all)),
        (all, shown) => format!("{} of {} lines", format::count(shown), format::count(all)),
    }
}

fn select(label: &'static str, names: [&'static str; 4], current: usize, onchange: Callback<Event>) -> Html {
    html! {
        <select class="input" aria-label={label} {onchange}>
            { for names.iter().enumerate().map(|(index, name)| html! {
                <option value={index.to_string()} selected={index == current}>{ *name }</option>
            }) }
        </select>
    }
}

/// The index of the option that was chosen.
fn chosen(event: &Event) -> usize {
    event.target_unchecked_into::<HtmlSelectElement>().value().parse().unwrap_or(0)
}
