use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, window};
use yew::prelude::*;

use super::RouteLink;
use super::navigation::Navigation;
use super::theme_toggle::ThemeToggle;
use crate::routes::Route;

#[derive(Properties, PartialEq)]
pub(crate) struct ShellProps {
    pub(crate) children: Html,
}

/// What is around each page.
#[component]
pub(crate) fn Shell(props: &ShellProps) -> Html {
    html! {
        <div class="shell">
            <a class="skip-link" href="#content" onclick={Callback::from(skip)}>{ "Skip to the content" }</a>
            <header class="masthead">
                <RouteLink to={Route::Home} class="brand">{ mark() }<span>{ "everwire" }</span></RouteLink>
                <Navigation />
                <div class="masthead-tools">
                    <ThemeToggle />
                </div>
            </header>
            <main id="content" tabindex="-1">{ props.children.clone() }</main>
            <footer class="footer">
                <p>{ "Everwire keeps a WebSocket alive. These pages are Rust, compiled to WebAssembly." }</p>
            </footer>
        </div>
    }
}

/// The address keeps naming the page: a `#content` in it would be one more place to come back to.
fn skip(click: MouseEvent) {
    click.prevent_default();
    let content = window().and_then(|window| window.document()?.get_element_by_id("content"));
    if let Some(content) = content.and_then(|content| content.dyn_into::<HtmlElement>().ok()) {
        // It fails only for an element that has left the page.
        let _ = content.focus();
    }
}

/// The mark: a wire with life in it.
fn mark() -> Html {
    html! {
        <svg class="brand-mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <path d="M2 21h6c4 0 4-12 8-12s4 12 8 12h2" />
            <circle cx="27.5" cy="21" r="3.5" />
        </svg>
    }
}
