use gloo_events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, Node, window};
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub(crate) struct PopoverProps {
    /// Unique in the page.
    pub(crate) id: AttrValue,
    /// What the button shows.
    pub(crate) button: Html,
    #[prop_or_default]
    pub(crate) button_class: Classes,
    /// The button's name where what it shows is not enough.
    #[prop_or_default]
    pub(crate) button_label: Option<AttrValue>,
    /// What the panel is.
    pub(crate) label: AttrValue,
    pub(crate) open: bool,
    /// Asked to open or to close.
    pub(crate) on_toggle: Callback<bool>,
    /// The panel.
    pub(crate) children: Html,
}

/// A button with a panel that it opens, below the button or above it, wherever there is room. The panel follows the button in reading
/// order; Escape, a press elsewhere and moving the focus elsewhere close it.
#[component]
pub(crate) fn Popover(props: &PopoverProps) -> Html {
    let whole = use_node_ref();
    let button = use_node_ref();
    let room = use_room(&button, props.open);
    use_presses_outside(&whole, props.open, props.on_toggle.clone());

    let toggle = {
        let (on_toggle, open) = (props.on_toggle.clone(), props.open);
        Callback::from(move |_| on_toggle.emit(!open))
    };
    let onkeydown = {
        let (on_toggle, open, button) = (props.on_toggle.clone(), props.open, button.clone());
        Callback::from(move |press: KeyboardEvent| {
            if open && press.key() == "Escape" {
                on_toggle.emit(false);
                if let Some(button) = button.cast::<HtmlElement>() {
                    // It fails only for an element that has left the page.
                    let _ = button.focus();
                }
            }
        })
    };
    let onfocusout = {
        let (on_toggle, open, whole) = (props.on_toggle.clone(), props.open, whole.clone());
        Callback::from(move |leaves: FocusEvent| {
            // Without a target the focus goes nowhere: the window was left, or the button that had it is gone.
            let target = leaves.related_target().and_then(|target| target.dyn_into::<Node>().ok());
            if open && target.is_some_and(|target| !contains(&whole, &target)) {
                on_toggle.emit(false);
            }
        })
    };
    html! {
        <div class="popover" ref={whole} {onkeydown} {onfocusout}>
            <button
                type="button"
                class={props.button_class.clone()}
                ref={button}
                aria-label={props.button_label.clone()}
                aria-expanded={props.open.to_string()}
                aria-controls={props.id.clone()}
                onclick={toggle}
            >
                { props.button.clone() }
            </button>
            <div
                class={classes!("popover-panel", room.is_above.then_some("is-above"))}
                id={props.id.clone()}
                role="group"
                aria-label={props.label.clone()}
                hidden={!props.open}
                style={format!("--room: {}px", room.height)}
            >
                if props.open {
                    { props.children.clone() }
                }
            </div>
        </div>
    }
}

/// Where a panel opens, and how high it may be.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Room {
    is_above: bool,
    /// In CSS pixels.
    height: f64,
}

impl Room {
    /// A panel that is less high than this below its button opens above it, where there is more.
    const ENOUGH: f64 = 280.0;
    /// What stays free between the panel, its button and the edge of the window.
    const MARGIN: f64 = 16.0;

    /// `top` and `bottom` are the button's, from the upper edge of a window so high.
    fn beside(top: f64, bottom: f64, window: f64) -> Self {
        let (above, below) = (top - Self::MARGIN, window - bottom - Self::MARGIN);
        let is_above = below < Self::ENOUGH && above > below;
        Self { is_above, height: if is_above { above } else { below }.max(0.0) }
    }
}

/// Looks for room each time the panel opens.
#[hook]
fn use_room(button: &NodeRef, open: bool) -> Room {
    let room = use_state_eq(|| Room { is_above: false, height: 640.0 });
    {
        let (room, button) = (room.setter(), button.clone());
        use_effect_with(open, move |open| {
            let place = button.cast::<HtmlElement>().filter(|_| *open).map(|button| button.get_bounding_client_rect());
            let height = window().and_then(|window| window.inner_height().ok()?.as_f64());
            if let (Some(place), Some(height)) = (place, height) {
                room.set(Room::beside(place.top(), place.bottom(), height));
            }
        });
    }
    *room
}

#[hook]
fn use_presses_outside(whole: &NodeRef, open: bool, on_toggle: Callback<bool>) {
    let whole = whole.clone();
    use_effect_with((open, on_toggle), move |(open, on_toggle)| {
        let on_toggle = on_toggle.clone();
        let listen = move |window: web_sys::Window| {
            // In the capturing phase: what is pressed may keep the event to itself, as a map does.
            EventListener::new_with_options(
                &window,
                "pointerdown",
                EventListenerOptions::run_in_capture_phase(),
                move |press| {
                    let target = press.target().and_then(|target| target.dyn_into::<Node>().ok());
                    if target.is_some_and(|target| !contains(&whole, &target)) {
                        on_toggle.emit(false);
                    }
                },
            )
        };
        let listener = window().filter(|_| *open).map(listen);
        move || drop(listener)
    });
}

fn contains(whole: &NodeRef, node: &Node) -> bool {
    whole.get().is_some_and(|whole| whole.contains(Some(node)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_opens_below_its_button_where_there_is_enough_room_and_else_where_there_is_more() {
        assert_eq!(Room::beside(400.0, 432.0, 900.0), Room { is_above: false, height: 452.0 });
        assert_eq!(Room::beside(500.0, 532.0, 720.0), Room { is_above: true, height: 484.0 });
        assert_eq!(Room::beside(20.0, 52.0, 300.0), Room { is_above: false, height: 232.0 });
        assert_eq!(Room::beside(0.0, 40.0, 50.0), Room { is_above: false, height: 0.0 });
    }
}
