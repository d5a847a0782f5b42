use yew::prelude::*;

use crate::client::use_client_line;
use crate::components::PageHead;

#[component]
pub(crate) fn LivePage() -> Html {
    let connection = use_client_line();
    html! {
        <PageHead title="Live" lead="A market, news, a log and a monitor, each a channel of one connection." {connection} />
    }
}
