use yew::prelude::*;

use crate::components::PageHead;

/// The start page.
#[component]
pub(crate) fn HomePage() -> Html {
    html! { <PageHead title="WebSockets that stay connected" lead="" /> }
}
