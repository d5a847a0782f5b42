use everwire_companion_api::ticker::{Companies, RATES};
use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::format;

/// The step of the slider of a visitor who has not moved it: 100 updates a second.
const FIRST_STEP: usize = 6;

/// Which feed the visitor has selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    /// Updates a second, in all: one of [`RATES`].
    pub(super) rate: u32,
    pub(super) companies: Companies,
}

impl Default for Selection {
    fn default() -> Self {
        Self { rate: RATES[FIRST_STEP], companies: Companies::Nine }
    }
}

#[derive(Properties, PartialEq)]
pub(super) struct ControlsProps {
    pub(super) selection: Selection,
    pub(super) on_select: Callback<Selection>,
}

/// The rate slider, and which companies.
#[component]
pub(super) fn Controls(props: &ControlsProps) -> Html {
    let selection = props.selection;
    // While the slider is dragged only the number follows: each rate is a channel of its own, and the server would play all of them.
    let dragged = use_state_eq(|| None::<usize>);
    let step = dragged.unwrap_or_else(|| step_of(selection.rate));
    let shown = rate_at(step);
    let words = format!("{} updates a second", format::count(shown.into()));

    let oninput = {
        let dragged = dragged.setter();
        Callback::from(move |event: InputEvent| dragged.set(step_in(event.target_dyn_into())))
    };
    let onchange = {
        let (dragged, on_select) = (dragged.setter(), props.on_select.clone());
        Callback::from(move |event: Event| {
            dragged.set(None);
            if let Some(step) = step_in(event.target_dyn_into()) {
                on_select.emit(Selection { rate: rate_at(step), ..selection });
            }
        })
    };
    let universe = |companies: Companies, label: &'static str| {
        let on_select = props.on_select.clone();
        let onchange = Callback::from(move |_| on_select.emit(Selection { companies, ..selection }));
        html! {
            <label>
                <input type="radio" name="companies" checked={selection.companies == companies} {onchange} /><span>{ label }</span>
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
                    max={(RATES.len() - 1).to_string()}
                    value={step.to_string()}
                    aria-label="Rate"
                    aria-valuetext={words.clone()}
                    {oninput}
                    {onchange}
                />
            </label>
            <fieldset class="ticker-companies">
                <legend>{ "Companies" }</legend>
                <div class="segments">{ universe(Companies::Nine, "The nine") }{ universe(Companies::All, "All 509") }</div>
            </fieldset>
        </div>
    }
}

fn step_in(input: Option<HtmlInputElement>) -> Option<usize> {
    input?.value().parse().ok()
}

/// The rate at a step of the slider.
fn rate_at(step: usize) -> u32 {
    RATES[step.min(RATES.len() - 1)]
}

/// The step of a rate.
fn step_of(rate: u32) -> usize {
    RATES.iter().position(|other| *other == rate).unwrap_or(FIRST_STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_of_the_slider_has_a_rate_and_they_rise() {
        let rates: Vec<u32> = (0..=RATES.len()).map(rate_at).collect();
        assert!(rates.is_sorted());
        assert!(RATES.iter().all(|rate| rate_at(step_of(*rate)) == *rate));
        assert_eq!(Selection::default().rate, 100);
    }
}
