use yew::prelude::*;

use crate::client::AppClient;
use crate::components::Shell;
use crate::line::{ServerChoice, use_server_choice};
use crate::pages::{
    ChatPage, EchoPage, FilesPage, HomePage, LabPage, LivePage, MissingPage, MonitorPage, ThroughputPage, TickerPage,
    TrackerPage,
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
                <AppClient><Shell>{ page(route) }</Shell></AppClient>
            </ContextProvider<ServerChoice>>
        </ContextProvider<Navigator>>
    }
}

fn page(route: Route) -> Html {
    match route {
        Route::Home => html! { <HomePage /> },
        Route::Chat => html! { <ChatPage /> },
        Route::Live => html! { <LivePage /> },
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
