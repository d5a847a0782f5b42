//! The messages of a room, as they are scrolled through.

use wasm_bindgen::JsCast;
use web_sys::{Element, window};
use yew::prelude::*;

use super::controller::Controller;
use super::message_row::{Unsent, row};
use super::rows::Block;
use crate::format;

/// Within so many pixels of the end, new messages are followed.
const NEAR_END: f64 = 48.0;
/// A page of history is requested when its place is within so many pixels of what is seen.
const NEAR_TOP: f64 = 900.0;

#[derive(Properties, PartialEq)]
pub(super) struct LogProps {
    pub(super) controller: Controller,
    pub(super) room: AttrValue,
    pub(super) blocks: Vec<Block>,
    pub(super) unread: u64,
    /// The number of the present day, and how many minutes the visitor's clock is behind UTC.
    pub(super) today: i64,
    pub(super) behind_utc: f64,
}

/// The rows of a room, from the end up. The list is laid out from its end: what is put above moves nothing that is seen. What is
/// added below is followed at the end, and elsewhere the list is scrolled by as much as that is high.
#[component]
pub(super) fn Log(props: &LogProps) -> Html {
    let LogProps { controller, room, .. } = props;
    let viewport = use_node_ref();
    let anchor = Anchor::of(&viewport, controller.take_call_to_end());
    {
        let (viewport, controller) = (viewport.clone(), controller.clone());
        use_effect(move || {
            if let Some(viewport) = viewport.cast::<Element>() {
                anchor.restore(&viewport);
                load_if_near(&viewport, &controller);
            }
        });
    }
    {
        // What is unread begins at the upper edge, where there is more of it than fits.
        let (viewport, controller) = (viewport.clone(), controller.clone());
        use_effect_with((), move |()| {
            if let Some(viewport) = viewport.cast::<Element>()
                && let Ok(Some(line)) = viewport.query_selector(".chat-new")
            {
                scroll_by(
                    &viewport,
                    line.get_bounding_client_rect().top() - viewport.get_bounding_client_rect().top() - 16.0,
                );
                controller.set_at_end(is_at_end(&viewport));
            }
        });
    }
    let onscroll = {
        let controller = controller.clone();
        Callback::from(move |event: Event| {
            let viewport = event.target_unchecked_into::<Element>();
            controller.set_at_end(is_at_end(&viewport));
            load_if_near(&viewport, &controller);
        })
    };
    let on_unsent = {
        let (controller, room) = (controller.clone(), room.clone());
        use_callback((), move |(id, wish): (String, Unsent), ()| match wish {
            Unsent::SendAgain => controller.send_again(&room, &id),
            Unsent::Discard => controller.discard(&room, &id),
        })
    };
    let on_load = {
        let controller = controller.clone();
        use_callback((), move |(), ()| controller.load_again())
    };
    let to_end = {
        let controller = controller.clone();
        Callback::from(move |_: MouseEvent| controller.call_to_end())
    };
    let block = |block: &Block| {
        html! {
            <BlockView key={format!("{:?}", block.key)} block={block.clone()} today={props.today} behind_utc={props.behind_utc}
                on_unsent={on_unsent.clone()} on_load={on_load.clone()} />
        }
    };
    html! {
        <div class="chat-log-frame">
            <div ref={viewport} class="chat-log" role="log" aria-live="off" tabindex="0" aria-label={format!("Messages in {room}")} {onscroll}>
                <div class="chat-blocks">{ for props.blocks.iter().map(block) }</div>
            </div>
            if !controller.is_at_end() {
                <button type="button" class={classes!("button", "button-small", "chat-to-end", (props.unread > 0).then_some("button-primary"))}
                    onclick={to_end}>{ to_end_text(props.unread) }</button>
            }
        </div>
    }
}

fn to_end_text(unread: u64) -> String {
    match unread {
        0 => "Latest messages ↓".to_owned(),
        1 => "1 new message ↓".to_owned(),
        many => format!("{} new messages ↓", format::count(many)),
    }
}

/// In a list that is laid out from its end, this is 0 at the end and less above.
fn is_at_end(viewport: &Element) -> bool {
    f64::from(viewport.scroll_top()) >= -NEAR_END
}

fn scroll_by(viewport: &Element, pixels: f64) {
    viewport.set_scroll_top((f64::from(viewport.scroll_top()) + pixels).round() as i32);
}

fn load_if_near(viewport: &Element, controller: &Controller) {
    // To look for the row in a long log takes a while.
    if controller.rooms().current().timeline.to_load().is_none() {
        return;
    }
    if let Ok(Some(row)) = viewport.query_selector("[data-load]")
        && row.get_bounding_client_rect().bottom() > viewport.get_bounding_client_rect().top() - NEAR_TOP
    {
        controller.load();
    }
}

/// What must stay where it is when the list is drawn again.
enum Anchor {
    End,
    /// A row, and where it was.
    Row(Element, f64),
    Nothing,
}

impl Anchor {
    /// Looks at the list as it was drawn last.
    fn of(viewport: &NodeRef, is_called_to_end: bool) -> Self {
        let Some(viewport) = viewport.cast::<Element>() else { return Self::Nothing };
        if is_called_to_end || is_at_end(&viewport) {
            return Self::End;
        }
        let place = viewport.get_bounding_client_rect();
        let (x, y) = (place.left() + place.width() / 2.0, place.top() + place.height() / 2.0);
        let document = window().and_then(|window| window.document());
        let seen = document.and_then(|document| document.element_from_point(x as f32, y as f32));
        let row = seen.and_then(|seen| seen.closest(".chat-row").ok().flatten());
        row.filter(|row| viewport.contains(Some(row.unchecked_ref()))).map_or(Self::Nothing, |row| {
            let top = row.get_bounding_client_rect().top();
            Self::Row(row, top)
        })
    }

    fn restore(&self, viewport: &Element) {
        match self {
            Self::End if viewport.scroll_top() != 0 => viewport.set_scroll_top(0),
            Self::Row(row, top) if row.is_connected() => {
                let moved = row.get_bounding_client_rect().top() - top;
                if moved.abs() >= 1.0 {
                    scroll_by(viewport, moved);
                }
            }
            _ => {}
        }
    }
}

#[derive(Properties, PartialEq)]
struct BlockProps {
    block: Block,
    today: i64,
    behind_utc: f64,
    on_unsent: Callback<(String, Unsent)>,
    on_load: Callback<()>,
}

/// Rows that are drawn again only when one of them has changed.
#[component]
fn BlockView(props: &BlockProps) -> Html {
    let BlockProps { block, today, behind_utc, on_unsent, on_load } = props;
    let rows = block.rows.iter().map(|each| row(each, *today, *behind_utc, on_unsent, on_load));
    html! { <div class="chat-block" data-load={block.is_to_load().then_some("")}>{ for rows }</div> }
}
