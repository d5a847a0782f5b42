use yew::prelude::*;

use crate::client::use_client_line;
use crate::components::PageHead;

#[component]
pub(crate) fn ChatPage() -> Html {
    let connection = use_client_line();
    html! {
        <PageHead title="Chat" lead="Rooms over one connection. What you write waits for the connection and arrives once." {connection} />
    }
}
