use yew::prelude::*;

use crate::pages::tracker::precision::Precision;

#[derive(Properties, PartialEq)]
pub(crate) struct PrecisionChoiceProps {
    pub(crate) precision: Precision,
    pub(crate) on_choose: Callback<Precision>,
}

/// How closely the visitor wants to be known.
#[component]
pub(crate) fn PrecisionChoice(props: &PrecisionChoiceProps) -> Html {
    let choice = |precision: Precision| {
        let choose = props.on_choose.reform(move |_: Event| precision);
        html! {
            <label>
                <input type="radio" name="precision" value={precision.key()} checked={precision == props.precision} onchange={choose} />
                <span>{ precision.name() }</span>
            </label>
        }
    };
    html! {
        <div class="stack stack-tight">
            <h3 id="precision-label">{ "How precisely" }</h3>
            <div class="segments tracker-precision" role="radiogroup" aria-labelledby="precision-label" aria-describedby="precision-meaning">
                { for Precision::ALL.map(choice) }
            </div>
            <p id="precision-meaning" class="field-note">{ props.precision.meaning() }</p>
        </div>
    }
}
