use std::rc::Rc;

use gloo_events::EventListener;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{HtmlElement, window};
use yew::prelude::*;

use crate::guard::may_leave;

/// A page of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Home,
    Chat,
    Live,
    Echo,
    Ticker,
    Tracker,
    Lab,
    Throughput,
    Files,
    Monitor,
    /// Anything else that was asked for.
    Missing,
}

impl Route {
    /// The demos, in the order in which they are shown.
    pub(crate) const DEMOS: [Self; 9] = [
        Self::Chat,
        Self::Live,
        Self::Ticker,
        Self::Tracker,
        Self::Files,
        Self::Echo,
        Self::Lab,
        Self::Throughput,
        Self::Monitor,
    ];

    /// The page at a path, with or without a slash at its end.
    pub(crate) fn from_path(path: &str) -> Self {
        match path.trim_end_matches('/') {
            "" | "/index.html" => Self::Home,
            "/chat" => Self::Chat,
            "/live" => Self::Live,
            "/echo" => Self::Echo,
            "/ticker" => Self::Ticker,
            "/tracker" => Self::Tracker,
            "/lab" => Self::Lab,
            "/throughput" => Self::Throughput,
            "/files" => Self::Files,
            "/monitor" => Self::Monitor,
            _ => Self::Missing,
        }
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Home | Self::Missing => "/",
            Self::Chat => "/chat",
            Self::Live => "/live",
            Self::Echo => "/echo",
            Self::Ticker => "/ticker",
            Self::Tracker => "/tracker",
            Self::Lab => "/lab",
            Self::Throughput => "/throughput",
            Self::Files => "/files",
            Self::Monitor => "/monitor",
        }
    }

    /// Its name in the navigation.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Home => "Start",
            Self::Chat => "Chat",
            Self::Live => "Live",
            Self::Echo => "Echo",
            Self::Ticker => "Ticker",
            Self::Tracker => "Tracker",
            Self::Lab => "Lab",
            Self::Throughput => "Throughput",
            Self::Files => "Files",
            Self::Monitor => "Monitor",
            Self::Missing => "Not found",
        }
    }

    pub(crate) fn document_title(self) -> String {
        match self {
            Self::Home => "Everwire: WebSockets that stay connected".to_owned(),
            _ => format!("{} · Everwire", self.name()),
        }
    }
}

/// Where the visitor is, and how to get elsewhere without loading the application anew.
#[derive(Clone, PartialEq)]
pub(crate) struct Navigator {
    route: Route,
    go: Callback<Route>,
}

impl Navigator {
    pub(crate) fn route(&self) -> Route {
        self.route
    }

    pub(crate) fn go(&self, route: Route) {
        self.go.emit(route);
    }
}

/// Keeps the page that is shown and the address in the browser the same.
#[hook]
pub(crate) fn use_navigator() -> Navigator {
    let route = use_state_eq(current_route);
    // For callbacks, which would otherwise know the page only that was shown when they were made.
    let shown = use_mut_ref(|| *route);
    *shown.borrow_mut() = *route;
    let go = {
        let (route, shown) = (route.setter(), Rc::clone(&shown));
        use_callback((), move |to: Route, ()| {
            if to == *shown.borrow() || may_leave() {
                enter_in_history(to);
                route.set(to);
            }
        })
    };
    {
        let route = route.setter();
        use_effect_with((), move |()| {
            let go = move |_: &Event| {
                let (from, to) = (*shown.borrow(), current_route());
                if to == from || may_leave() {
                    route.set(to);
                } else {
                    // The browser is there already, and nothing takes it back but another step.
                    enter_in_history(from);
                }
            };
            let moved_through_history = window().map(|window| EventListener::new(&window, "popstate", go));
            move || drop(moved_through_history)
        });
    }
    {
        // The browser itself begins the first page at its top.
        let first = use_mut_ref(|| true);
        use_effect_with(*route, move |route| {
            show_title(*route);
            if !first.replace(false) {
                start_reading_at_the_top();
            }
        });
    }
    Navigator { route: *route, go }
}

fn enter_in_history(route: Route) {
    if let Some(history) = window().and_then(|window| window.history().ok()) {
        // It fails when a page moves hundreds of times in a few seconds. The page is shown all the same.
        let _ = history.push_state_with_url(&JsValue::NULL, "", Some(route.path()));
    }
}

fn current_route() -> Route {
    let path = window().and_then(|window| window.location().pathname().ok());
    path.map_or(Route::Home, |path| Route::from_path(&path))
}

fn show_title(route: Route) {
    if let Some(document) = window().and_then(|window| window.document()) {
        document.set_title(&route.document_title());
    }
}

/// A screen reader goes on where the focus is: at the heading of the new page, as after loading one.
fn start_reading_at_the_top() {
    let Some(window) = window() else { return };
    window.scroll_to_with_x_and_y(0.0, 0.0);
    let heading = window.document().and_then(|document| document.query_selector("main h1").ok().flatten());
    if let Some(heading) = heading.and_then(|heading| heading.dyn_into::<HtmlElement>().ok()) {
        // It fails only for an element that has left the page.
        let _ = heading.focus();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_found_at_its_own_path_also_with_a_slash() {
        for route in [Route::Home].into_iter().chain(Route::DEMOS) {
            assert_eq!(Route::from_path(route.path()), route);
            assert_eq!(Route::from_path(&format!("{}/", route.path())), route);
        }
    }

    #[test]
    fn a_path_that_only_starts_like_a_page_is_missing() {
        assert_eq!(Route::from_path("/echo/more"), Route::Missing);
        assert_eq!(Route::from_path("/tick"), Route::Missing);
    }
}
