use yew::prelude::*;

use super::Icon;
use crate::theme::Theme;

/// The switch between light and dark.
#[component]
pub(crate) fn ThemeToggle() -> Html {
    let theme = use_state(Theme::current);
    let other = theme.other();
    let onclick = {
        let theme = theme.clone();
        Callback::from(move |_| {
            other.choose();
            theme.set(other);
        })
    };
    let icon = if other == Theme::Dark { Icon::Moon } else { Icon::Sun };
    let label = format!("Use {} colours", other.name());
    html! {
        <button type="button" class="icon-button" aria-label={label.clone()} title={label} {onclick}>{ icon.draw() }</button>
    }
}
