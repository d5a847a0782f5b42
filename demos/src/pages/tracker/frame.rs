use std::cell::RefCell;
use std::rc::Rc;

use gloo_render::{AnimationFrame, request_animation_frame};
use yew::prelude::*;

/// Renders the component anew, at most once a frame however often it is asked: a crowd of participants makes more news
/// than a screen has frames.
#[hook]
pub(super) fn use_render_per_frame() -> Rc<dyn Fn()> {
    let update = use_force_update();
    let asked = use_mut_ref(|| None::<AnimationFrame>);
    let ask = use_memo((), move |()| {
        let ask: Rc<dyn Fn()> = Rc::new(move || ask_once(&asked, &update));
        ask
    });
    (*ask).clone()
}

fn ask_once(asked: &Rc<RefCell<Option<AnimationFrame>>>, update: &UseForceUpdateHandle) {
    if asked.borrow().is_some() {
        return;
    }
    let frame = {
        let (asked, update) = (asked.clone(), update.clone());
        request_animation_frame(move |_| {
            asked.replace(None);
            update.force_update();
        })
    };
    asked.replace(Some(frame));
}
