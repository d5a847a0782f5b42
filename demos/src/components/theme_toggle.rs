use yew::prelude::*;

use super::Icon;
use crate::theme::{Theme, ThemeWatch};

/// The switch between light and dark.
#[component]
pub(crate) fn ThemeToggle() -> Html {
    let other = use_theme().other();
    let onclick = Callback::from(move |_| other.choose());
    let icon = if other == Theme::Dark { Icon::Moon } else { Icon::Sun };
    let label = format!("Use {} colours", other.name());
    html! {
        <button type="button" class="icon-button" aria-label={label.clone()} title={label} {onclick}>{ icon.draw() }</button>
    }
}

/// What the page looks like at the moment, also when the system turns from day to night.
#[hook]
fn use_theme() -> Theme {
    let theme = use_state_eq(Theme::current);
    {
        let theme = theme.setter();
        use_effect_with((), move |()| {
            let watch = ThemeWatch::start(move || theme.set(Theme::current()));
            move || drop(watch)
        });
    }
    *theme
}
