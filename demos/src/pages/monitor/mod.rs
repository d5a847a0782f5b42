//! Server monitor.

use yew::prelude::*;

use crate::components::PageHead;

/// The machine that the server runs on, once a second.
#[component]
pub(crate) fn MonitorPage() -> Html {
    html! { <PageHead title="Server monitor" lead="The machine that the server runs on, once a second." /> }
}
