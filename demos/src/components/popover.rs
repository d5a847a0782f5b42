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

/// A button with a panel that it opens. The panel follows the button in reading order; Escape, a press elsewhere and moving
/// the focus elsewhere close it.
#[component]
pub(crate) fn Popover(props: &PopoverProps) -> Html {
    let whole = use_node_ref();
    let button = use_node_ref();
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
            <div class="popover-panel" id={props.id.clone()} role="group" aria-label={props.label.clone()} hidden={!props.open}>
                if props.open {
                    { props.children.clone() }
                }
            </div>
        </div>
    }
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
