use web_sys::HtmlInputElement;
use yew::prelude::*;

use crate::format;

/// The most updates a second that the slider offers.
const MAX_RATE: u32 = 20_000;

/// The steps of the slider.
const RATE_STEPS: u32 = 120;

/// Which feed the visitor has selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    /// Updates a second, in all.
    pub(super) rate: u32,
    /// All companies, or the nine of the classic demo.
    pub(super) all: bool,
}

impl Default for Selection {
    fn default() -> Self {
        Self { rate: rate_at(step_of(100)), all: false }
    }
}

impl Selection {
    /// The endpoint of the feed.
    pub(super) fn endpoint(self) -> String {
        let symbols = if self.all { "&symbols=*" } else { "" };
        format!("/ticker?rate={}{symbols}", self.rate)
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
    // While the slider is dragged only the number follows: each rate is a feed of its own, and the server would start all of them.
    let dragged = use_state_eq(|| None::<u32>);
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
    let universe = |all: bool, label: &'static str| {
        let on_select = props.on_select.clone();
        let onchange = Callback::from(move |_| on_select.emit(Selection { all, ..selection }));
        html! {
            <label>
                <input type="radio" name="companies" checked={selection.all == all} {onchange} /><span>{ label }</span>
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
                    max={RATE_STEPS.to_string()}
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

/// The rate at a step of the slider, each of which multiplies. It has two significant digits.
fn rate_at(step: u32) -> u32 {
    let share = f64::from(step.min(RATE_STEPS)) / f64::from(RATE_STEPS);
    let rate = f64::from(MAX_RATE).powf(share);
    let digits = 10_f64.powf((rate.log10().floor() - 1.0).max(0.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to MAX_RATE")]
    let rate = ((rate / digits).round() * digits) as u32;
    rate.min(MAX_RATE)
}

/// The step that is nearest to a rate.
fn step_of(rate: u32) -> u32 {
    let share = f64::from(rate.clamp(1, MAX_RATE)).ln() / f64::from(MAX_RATE).ln();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to RATE_STEPS")]
    let step = (share * f64::from(RATE_STEPS)).round() as u32;
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_goes_from_one_to_the_most_and_never_back() {
        let rates: Vec<u32> = (0..=RATE_STEPS).map(rate_at).collect();
        assert_eq!((rates[0], rates[RATE_STEPS as usize]), (1, MAX_RATE));
        assert!(rates.is_sorted());
    }

    #[test]
    fn rates_that_people_ask_for_are_near_a_step() {
        for rate in [1, 20, 100, 1_000, 20_000] {
            let near = f64::from(rate_at(step_of(rate)));
            assert!((near / f64::from(rate) - 1.0).abs() < 0.06, "{rate}: {near}");
        }
    }
}
