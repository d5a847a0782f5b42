use yew::prelude::*;

use crate::components::Icon;

#[derive(Properties, PartialEq)]
pub(crate) struct FollowButtonProps {
    pub(crate) is_following: bool,
    pub(crate) on_follow: Callback<bool>,
}

/// The switch on the map that keeps the visitor in its middle.
#[component]
pub(crate) fn FollowButton(props: &FollowButtonProps) -> Html {
    let FollowButtonProps { is_following, on_follow } = props;
    let toggle = {
        let follow = !is_following;
        on_follow.reform(move |_: MouseEvent| follow)
    };
    html! {
        <button type="button" class="button button-small tracker-follow" aria-pressed={is_following.to_string()} onclick={toggle}>
            { Icon::Locate.draw() }{ "Follow me" }
        </button>
    }
}
