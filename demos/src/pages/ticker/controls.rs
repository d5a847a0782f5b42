use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::rate;
use crate::format;

/// What the visitor wants of the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// Updates a second, in all.
    pub(super) rate: u32,
    /// All companies, or the nine of the classic demo.
    pub(super) all: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self { rate: rate::at_step(rate::step_of(100)), all: false }
    }
}

impl Wish {
    /// The endpoint that grants it.
    pub(super) fn endpoint(self) -> String {
        let symbols = if self.all { "&symbols=*" } else { "" };
        format!("/ticker?rate={}{symbols}", self.rate)
    }
}

#[derive(Properties, PartialEq)]
pub(super) struct ControlsProps {
    pub(super) wish: Wish,
    pub(super) on_wish: Callback<Wish>,
}

/// The rate slider, and which companies.
#[component]
pub(super) fn Controls(props: &ControlsProps) -> Html {
    let wish = props.wish;
    // While the slider is dragged only the number follows. Each rate is a feed of its own, and asking for all between two would
    // be rude.
    let dragged = use_state_eq(|| None::<u32>);
    let step = dragged.unwrap_or_else(|| rate::step_of(wish.rate));
    let shown = rate::at_step(step);
    let words = format!("{} updates a second", format::count(shown.into()));

    let oninput = {
        let dragged = dragged.setter();
        Callback::from(move |event: InputEvent| dragged.set(step_in(event.target_dyn_into())))
    };
    let onchange = {
        let (dragged, on_wish) = (dragged.setter(), props.on_wish.clone());
        Callback::from(move |event: Event| {
            dragged.set(None);
            if let Some(step) = step_in(event.target_dyn_into()) {
                on_wish.emit(Wish { rate: rate::at_step(step), ..wish });
            }
        })
    };
    let universe = |all: bool, label: &'static str| {
        let on_wish = props.on_wish.clone();
        let onchange = Callback::from(move |_| on_wish.emit(Wish { all, ..wish }));
        html! {
            <label>
                <input type="radio" name="companies" checked={wish.all == all} {onchange} /><span>{ label }</span>
            </label>
        }
    };
    html! {
        <div class="ticker-controls">
            <label class="field ticker-rate">
                <span>{ "Rate " }<output class="number">{ &words }</output></span>
                <input
                    class="range"
                    type="range"
                    min="0"
                    max={rate::STEPS.to_string()}
                    value={step.to_string()}
                    aria-label="Rate"
                    aria-valuetext={words.clone()}
                    {oninput}
                    {onchange}
                />
            </label>
            <fieldset class="ticker-companies">
                <legend>{ "Companies" }</legend>
                <div class="segments">{ universe(false, "The nine") }{ universe(true, "All 509") }</div>
            </fieldset>
        </div>
    }
}

fn step_in(input: Option<HtmlInputElement>) -> Option<u32> {
    input?.value().parse().ok()
}
