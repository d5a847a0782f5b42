use yew::prelude::*;

use crate::components::PageHead;

#[component]
pub(crate) fn EchoPage() -> Html {
    html! { <PageHead title="Echo tester" lead="" /> }
}
