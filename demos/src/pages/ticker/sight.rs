use wasm_bindgen::prelude::*;
use web_sys::{HtmlElement, ResizeObserver};
use yew::prelude::*;

/// The rows in sight.
pub(super) struct Sight {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) on_scroll: Callback<Event>,
}

/// Which rows those are, as the visitor scrolls and the window changes its size.
#[hook]
pub(super) fn use_sight(scroller: &NodeRef) -> Sight {
    let seen = use_state_eq(|| (0_usize, 24_usize));
    let on_scroll = {
        let (seen, scroller) = (seen.setter(), scroller.clone());
        Callback::from(move |_| {
            let Some(scroller) = scroller.cast::<HtmlElement>() else { return };
            // All rows are as high as the first that is drawn.
            let row = scroller.query_selector("tbody tr").ok().flatten();
            let height = row.map_or(0, |row| row.client_height()).max(24);
            let rows = |pixels: i32| usize::try_from(pixels / height).unwrap_or_default();
            seen.set((rows(scroller.scroll_top()), rows(scroller.client_height()) + 2));
        })
    };
    {
        let (on_scroll, scroller) = (on_scroll.clone(), scroller.clone());
        use_effect_with((), move |()| {
            // Another size of the table shows other rows, just as another place in it does.
            let look = Closure::<dyn Fn()>::new(move || {
                if let Ok(event) = Event::new("scroll") {
                    on_scroll.emit(event);
                }
            });
            let observer = ResizeObserver::new(look.as_ref().unchecked_ref()).ok();
            if let (Some(observer), Some(scroller)) = (&observer, scroller.cast::<HtmlElement>()) {
                observer.observe(&scroller);
            }
            move || {
                if let Some(observer) = observer {
                    observer.disconnect();
                }
                drop(look);
            }
        });
    }
    Sight { first: seen.0, count: seen.1, on_scroll }
}
