use gloo_events::EventListener;
use js_sys::Date;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, window};
use yew::prelude::*;

use super::row::{self, Position};
use super::scroll::Scroll;
use super::window::Window;
use crate::pages::echo::frames::use_redraw;
use crate::pages::echo::record::Record;
use crate::pages::echo::session::Session;

#[derive(Properties, PartialEq)]
pub(super) struct LogListProps {
    pub(super) session: Session,
    pub(super) selected: Option<u64>,
    pub(super) on_select: Callback<Option<u64>>,
    pub(super) following: bool,
    pub(super) on_follow: Callback<bool>,
}

/// The lines, of which only those in sight and a few around them stand in the page. New lines do not move what is being
/// read: the list stays at its end only while it follows.
#[component]
pub(super) fn LogList(props: &LogListProps) -> Html {
    let LogListProps { session, selected, following, .. } = props;
    use_redraw(session, 0);
    let update = use_force_update();
    let viewport = use_node_ref();
    let scroll = use_mut_ref(Scroll::new);
    let behind_utc = *use_memo((), |()| Date::new_0().get_timezone_offset());
    use_measure(&viewport, selected.is_some(), {
        let (scroll, update) = (scroll.clone(), update.clone());
        Callback::from(move |(height, row)| {
            let window = &mut scroll.borrow_mut().window;
            (window.height, window.row) = (height, row);
            update.force_update();
        })
    });

    if !session.change_quietly(Record::catch_up) {
        session.frames().ask();
    }
    let record = session.record();
    let length = record.view.len();
    let has_moved = scroll.borrow_mut().prepare(&record.view, *following);
    {
        let (viewport, scroll) = (viewport.clone(), scroll.clone());
        use_effect(move || {
            if let Some(element) = viewport.cast::<Element>().filter(|_| has_moved) {
                element.set_scroll_top(scroll.borrow().window.top.ceil() as i32);
            }
        });
    }

    let onscroll = {
        let (session, scroll, on_follow, following) =
            (session.clone(), scroll.clone(), props.on_follow.clone(), *following);
        Callback::from(move |event: Event| {
            let top = f64::from(event.target_unchecked_into::<Element>().scroll_top());
            let (is_at_end, is_outdated) = scroll.borrow_mut().scrolled(top, &session.record().view);
            if is_at_end != following {
                on_follow.emit(is_at_end);
            } else if is_outdated {
                update.force_update();
            }
        })
    };
    let onkeydown = {
        let (session, scroll, viewport) = (session.clone(), scroll.clone(), viewport.clone());
        let (on_select, on_follow, selected) = (props.on_select.clone(), props.on_follow.clone(), *selected);
        Callback::from(move |event: KeyboardEvent| {
            let window = scroll.borrow().window;
            let target = target(&event.key(), &session.record(), selected, window);
            let Some(target) = target else { return };
            event.prevent_default();
            on_select.emit(target);
            let record = session.record();
            let Some(row) = target.map(|number| record.view.row(number)) else { return };
            on_follow.emit(row + 1 == record.view.len());
            let element = viewport.cast::<Element>();
            if let Some((element, top)) = element.zip(window.reveal(row)) {
                element.set_scroll_top(top.round() as i32);
            }
        })
    };
    let onclick = {
        let on_select = props.on_select.clone();
        Callback::from(move |event: MouseEvent| {
            number_at(&event).into_iter().for_each(|number| on_select.emit(Some(number)))
        })
    };
    let drawn = scroll.borrow().drawn.clone();
    let row_height = scroll.borrow().window.row;
    let active = selected.filter(|number| {
        let row = record.view.row(*number);
        drawn.contains(&row) && record.view.number(row) == Some(*number)
    });
    html! {
        <div class="log-frame">
            <div ref={viewport} class="log-viewport" role="listbox" tabindex="0" aria-label="Log lines" aria-activedescendant={active.map(row::id)}
                {onscroll} {onkeydown} {onclick}>
                <div class="log-canvas" role="presentation" style={format!("height:{}px", length as f64 * row_height)}>
                    <div class="log-rows" role="presentation" style={format!("top:{}px", drawn.start as f64 * row_height)}>
                        { for rows(&record, drawn, *selected, behind_utc) }
                    </div>
                </div>
            </div>
            <div class="log-row log-probe" aria-hidden="true"></div>
            if length == 0 {
                <p class="empty log-empty">{ if record.log.len() == 0 { "Nothing yet. Connect, then send a message." } else { "No line matches the filter." } }</p>
            }
        </div>
    }
}

fn rows(record: &Record, drawn: core::ops::Range<usize>, selected: Option<u64>, behind_utc: f64) -> Vec<Html> {
    let of = record.view.len();
    let row = |row| {
        let number = record.view.number(row)?;
        let position = Position { number, row, of, is_selected: selected == Some(number) };
        Some(row::row(record.log.line(number)?, position, behind_utc))
    };
    drawn.filter_map(row).collect()
}

/// The line that a key moves the selection to. The outer `None`: the key means nothing here; the inner one: none at all.
fn target(key: &str, record: &Record, selected: Option<u64>, window: Window) -> Option<Option<u64>> {
    let last = record.view.len().checked_sub(1)?;
    let from = selected.map(|number| record.view.row(number).min(last));
    let row = match key {
        "Escape" => return Some(None),
        "ArrowDown" => from.map_or(last, |row| row + 1),
        "ArrowUp" => from.map_or(last, |row| row.saturating_sub(1)),
        "PageDown" => from.map_or(last, |row| row + window.page()),
        "PageUp" => from.unwrap_or(last).saturating_sub(window.page()),
        "Home" => 0,
        "End" => last,
        _ => return None,
    };
    record.view.number(row.min(last)).map(Some)
}

fn number_at(event: &MouseEvent) -> Option<u64> {
    let target: Element = event.target()?.dyn_into().ok()?;
    target.closest("[data-number]").ok()??.get_attribute("data-number")?.parse().ok()
}

/// Tells the height of the list and of a row, at first and when the page has another size or the list `shares` its place with
/// the selected line.
#[hook]
fn use_measure(viewport: &NodeRef, shares: bool, tell: Callback<(f64, f64)>) {
    let viewport = viewport.clone();
    use_effect_with(shares, move |_| {
        let measure = move || {
            let Some(element) = viewport.cast::<HtmlElement>() else { return };
            let probe = element.next_element_sibling();
            let row = probe.map_or(0.0, |probe| probe.get_bounding_client_rect().height());
            if row > 0.0 {
                tell.emit((f64::from(element.client_height()), row));
            }
        };
        measure();
        let resized = window().map(|window| EventListener::new(&window, "resize", move |_| measure()));
        move || drop(resized)
    });
}
