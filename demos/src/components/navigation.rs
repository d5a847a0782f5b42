use gloo_events::EventListener;
use web_sys::{HtmlElement, window};
use yew::prelude::*;

use super::Icon;
use crate::routes::{Navigator, Route};

/// The links to the start page and the demos. A phone shows them at the bottom, where a thumb reaches. Where they are
/// more than fit beside one another they scroll, and the page that is shown stays in sight.
#[component]
pub(crate) fn Navigation() -> Html {
    let here = use_context::<Navigator>().map(|navigator| navigator.route());
    let list = use_node_ref();
    {
        let list = list.clone();
        use_effect_with(here, move |_| {
            let show = move || list.cast::<HtmlElement>().iter().for_each(show_current);
            show();
            // A phone that is turned has another width.
            let resized = window().map(|window| EventListener::new(&window, "resize", move |_| show()));
            move || drop(resized)
        });
    }
    let links = [Route::Home].into_iter().chain(Route::DEMOS).map(|route| {
        html! {
            <li>
                <RouteLink to={route} class="nav-link" current={here == Some(route)}>{ icon(route).draw() }<span>{ route.name() }</span></RouteLink>
            </li>
        }
    });
    html! {
        <nav class="nav" aria-label="Demos"><ul ref={list}>{ for links }</ul></nav>
    }
}

/// Scrolls the list, and nothing else, until the current link is in its middle.
fn show_current(list: &HtmlElement) {
    let current = list.query_selector("[aria-current]").ok().flatten();
    if let Some(current) = current {
        let (list_at, link_at) = (list.get_bounding_client_rect(), current.get_bounding_client_rect());
        let off_centre = link_at.left() + link_at.width() / 2.0 - list_at.left() - list_at.width() / 2.0;
        list.set_scroll_left(list.scroll_left() + off_centre as i32);
    }
}

#[derive(Properties, PartialEq)]
pub(crate) struct RouteLinkProps {
    pub(crate) to: Route,
    #[prop_or_default]
    pub(crate) class: Classes,
    /// Whether it leads to where the visitor is.
    #[prop_or_default]
    pub(crate) current: bool,
    pub(crate) children: Html,
}

/// A link to a page, which shows that page without loading the application anew. A click that asks the browser for
/// something else, like another tab, is left to the browser.
#[component]
pub(crate) fn RouteLink(props: &RouteLinkProps) -> Html {
    let navigator = use_context::<Navigator>();
    let to = props.to;
    let onclick = Callback::from(move |click: MouseEvent| {
        let is_plain =
            click.button() == 0 && !(click.ctrl_key() || click.meta_key() || click.shift_key() || click.alt_key());
        if let Some(navigator) = navigator.as_ref().filter(|_| is_plain) {
            click.prevent_default();
            navigator.go(to);
        }
    });
    html! {
        <a href={to.path()} class={props.class.clone()} aria-current={props.current.then_some("page")} {onclick}>
            { props.children.clone() }
        </a>
    }
}

pub(crate) fn icon(route: Route) -> Icon {
    match route {
        Route::Home | Route::Missing => Icon::Home,
        Route::Chat => Icon::Chat,
        Route::Live => Icon::Live,
        Route::Echo => Icon::Echo,
        Route::Ticker => Icon::Ticker,
        Route::Tracker => Icon::Tracker,
        Route::Lab => Icon::Lab,
        Route::Throughput => Icon::Throughput,
        Route::Files => Icon::Files,
        Route::Monitor => Icon::Monitor,
    }
}
