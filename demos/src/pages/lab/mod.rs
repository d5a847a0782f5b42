//! Transport lab.

use yew::prelude::*;

use crate::components::PageHead;

/// The same feed and the same echo over polling, long polling, streaming, server-sent events and WebSocket, side by side.
#[component]
pub(crate) fn LabPage() -> Html {
    html! { <PageHead title="Transport lab" lead="The same feed and the same echo over polling, long polling, streaming, server-sent events and WebSocket, side by side." /> }
}
