//! Throughput check.

use yew::prelude::*;

use crate::components::PageHead;

/// Pings counted per second, over as many connections as you open.
#[component]
pub(crate) fn ThroughputPage() -> Html {
    html! { <PageHead title="Throughput check" lead="Pings counted per second, over as many connections as you open." /> }
}
