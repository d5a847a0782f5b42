use yew::prelude::*;

use crate::components::PageHead;

#[component]
pub(crate) fn TrackerPage() -> Html {
    html! { <PageHead title="Geolocation tracker" lead="" /> }
}
