use yew::prelude::*;

use crate::components::{PageHead, RouteLink};
use crate::routes::Route;

/// Shown for an address that names no page.
#[component]
pub(crate) fn MissingPage() -> Html {
    html! {
        <>
            <PageHead title="There is no such page" lead="The address may have a typing error in it, or the page has moved." />
            <p><RouteLink to={Route::Home} class="button">{ "Go to the start page" }</RouteLink></p>
        </>
    }
}
