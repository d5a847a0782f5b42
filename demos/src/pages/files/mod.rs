//! File transfer.

use yew::prelude::*;

use crate::components::PageHead;

/// A file in binary chunks under backpressure, resumed where it stopped.
#[component]
pub(crate) fn FilesPage() -> Html {
    html! { <PageHead title="File transfer" lead="A file in binary chunks under backpressure, resumed where it stopped." /> }
}
