//! The log as the visitor sees it.

mod detail;
mod list;
mod row;
mod save;
mod scroll;
mod toolbar;
mod window;

use yew::prelude::*;

use self::detail::Detail;
use self::list::LogList;
use self::toolbar::Toolbar;
use super::props::SessionProps;

/// The log: a toolbar, the lines, and the whole of the line that is selected.
#[component]
pub(super) fn LogCard(props: &SessionProps) -> Html {
    let SessionProps { session } = props;
    let selected = use_state_eq(|| None::<u64>);
    let following = use_state_eq(|| true);
    let on_select = {
        let selected = selected.clone();
        Callback::from(move |number| selected.set(number))
    };
    let on_follow = {
        let following = following.clone();
        Callback::from(move |follow| following.set(follow))
    };
    let on_leave = on_select.reform(|()| None);
    let on_clear = {
        let (session, selected) = (session.clone(), selected.clone());
        Callback::from(move |()| {
            session.change(|record| record.log.clear());
            selected.set(None);
        })
    };
    html! {
        <section class="card log" aria-labelledby="log-heading">
            <Toolbar session={session.clone()} following={*following} on_follow={on_follow.clone()} {on_clear} />
            <LogList session={session.clone()} selected={*selected} {on_select} following={*following} {on_follow} />
            if let Some(number) = *selected {
                <Detail key={number} session={session.clone()} {number} on_close={on_leave} />
            }
        </section>
    }
}
