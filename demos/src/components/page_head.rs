use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub(crate) struct PageHeadProps {
    pub(crate) title: AttrValue,
    /// One or two sentences on what the page shows.
    pub(crate) lead: AttrValue,
}

/// The head of a page: its heading, and what it shows.
#[component]
pub(crate) fn PageHead(props: &PageHeadProps) -> Html {
    html! {
        <header class="page-head">
            <h1 tabindex="-1">{ &props.title }</h1>
            <p class="lead">{ &props.lead }</p>
        </header>
    }
}
