use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub(crate) struct PrivacyProps {
    /// The server's name, once it is known.
    pub(crate) host: Option<String>,
}

/// What is sent and to whom, in plain words.
#[component]
pub(crate) fn Privacy(props: &PrivacyProps) -> Html {
    let server = match &props.host {
        Some(host) => html! { <>{ "the server " }<strong>{ host }</strong></> },
        None => html! { "this page's server" },
    };
    html! {
        <div class="tracker-privacy stack stack-tight">
            <p>
                { "Nothing about you is sent before you press the button. Then your latitude, longitude and their accuracy go, whenever you move, to " }
                { server }{ ", which passes them on to everyone who has this page open. No name goes along, only an id that is new each time you share." }
            </p>
            <p>
                { "Press stop or close the page, and you are gone from everyone's map; the server kept nothing but your last position. If the \
                   connection breaks, sharing resumes by itself with that position." }
            </p>
        </div>
    }
}
