use yew::prelude::*;

use crate::pages::files::flow::Flow;
use crate::pages::files::readable::percent;

#[derive(Properties, PartialEq)]
pub(crate) struct ProgressProps {
    pub(crate) name: AttrValue,
    pub(crate) flow: Flow,
    /// What a screen reader says of it.
    pub(crate) told: AttrValue,
    pub(crate) class: Classes,
}

/// How much of a file the server has, and how much is on its way there.
#[component]
pub(crate) fn Progress(props: &ProgressProps) -> Html {
    let (acked, sent, size) = (props.flow.acked(), props.flow.sent(), props.flow.size());
    html! {
        <div class={classes!("files-bar", props.class.clone())} role="progressbar" aria-label={format!("{} sent", props.name)}
            aria-valuemin="0" aria-valuemax="100" aria-valuenow={percent(acked, size).to_string()} aria-valuetext={props.told.clone()}>
            <span class="files-bar-sent" style={width(sent, size)}></span>
            <span class="files-bar-acked" style={width(acked, size)}></span>
        </div>
    }
}

#[expect(clippy::cast_precision_loss, reason = "a screen has fewer pixels")]
fn width(part: u64, whole: u64) -> String {
    let share = if whole == 0 { 100.0 } else { part as f64 / whole as f64 * 100.0 };
    format!("width:{share:.2}%")
}
