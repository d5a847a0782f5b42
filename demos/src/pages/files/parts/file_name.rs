use yew::prelude::*;

use crate::pages::files::readable;

#[derive(Properties, PartialEq)]
pub(crate) struct FileNameProps {
    pub(crate) name: AttrValue,
}

/// A file's name, cut in its middle where there is no room. It is read out in one piece.
#[component]
pub(crate) fn FileName(props: &FileNameProps) -> Html {
    let (start, end) = readable::name_parts(&props.name);
    html! {
        <span class="files-name" title={&props.name}>
            <span class="visually-hidden">{ &props.name }</span>
            <span class="files-name-start" aria-hidden="true">{ start }</span>
            <span aria-hidden="true">{ end }</span>
        </span>
    }
}
