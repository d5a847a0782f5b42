use yew::prelude::*;

use crate::components::Shell;
use crate::line::{ServerChoice, use_server_choice};
use crate::pages::{
    EchoPage, FilesPage, HomePage, LabPage, MissingPage, MonitorPage, ThroughputPage, TickerPage, TrackerPage,
};
use crate::routes::{Navigator, Route, use_navigator};

/// The whole application.
#[component]
pub(crate) fn App() -> Html {
    let navigator = use_navigator();
    let route = navigator.route();
    let server = use_server_choice();
    html! {
        <ContextProvider<Navigator> context={navigator}>
            <ContextProvider<ServerChoice> context={server}>
                <Shell>{ page(route) }</Shell>
            </ContextProvider<ServerChoice>>
        </ContextProvider<Navigator>>
    }
}

fn page(route: Route) -> Html {
    match route {
        Route::Home => html! { <HomePage /> },
        Route::Echo => html! { <EchoPage /> },
        Route::Ticker => html! { <TickerPage /> },
        Route::Tracker => html! { <TrackerPage /> },
        Route::Lab => html! { <LabPage /> },
        Route::Throughput => html! { <ThroughputPage /> },
        Route::Files => html! { <FilesPage /> },
        Route::Monitor => html! { <MonitorPage /> },
        Route::Missing => html! { <MissingPage /> },
    }
}
