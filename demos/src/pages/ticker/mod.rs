use yew::prelude::*;

use crate::components::PageHead;

#[component]
pub(crate) fn TickerPage() -> Html {
    html! { <PageHead title="Stock ticker" lead="" /> }
}
