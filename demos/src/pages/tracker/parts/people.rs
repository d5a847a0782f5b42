use yew::prelude::*;

/// Somebody in the list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Person {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) letters: String,
    pub(crate) class: String,
    pub(crate) is_me: bool,
    pub(crate) is_simulated: bool,
    pub(crate) is_picked: bool,
    /// From the visitor; none if the visitor does not share.
    pub(crate) distance: Option<String>,
    pub(crate) accuracy: String,
    /// How long ago the last update was.
    pub(crate) age: Option<String>,
}

#[derive(Properties, PartialEq)]
pub(crate) struct PeopleProps {
    pub(crate) people: Vec<Person>,
    pub(crate) is_connected: bool,
    /// Centre the map on somebody.
    pub(crate) on_pick: Callback<u64>,
    pub(crate) on_everyone: Callback<()>,
}

/// Everyone on the map, with distance and last update. A press centres the map.
#[component]
pub(crate) fn People(props: &PeopleProps) -> Html {
    let everyone = props.on_everyone.reform(|_: MouseEvent| ());
    let has_distances = props.people.iter().any(|person| person.distance.is_some());
    let has_others = props.people.iter().any(|person| !person.is_me);
    html! {
        <section class="card tracker-people" aria-labelledby="people-heading">
            <div class="card-head">
                <h2 id="people-heading">{ "On the map " }<span class="tag number">{ props.people.len() }</span></h2>
                if props.people.len() > 1 {
                    <button type="button" class="button button-small" onclick={everyone}>{ "Show everyone" }</button>
                }
            </div>
            if props.people.is_empty() {
                <p class="empty">{ "Nobody shares a position at the moment. Open this page a second time, or on a phone, and share there too." }</p>
            } else {
                <ul class="people">{ for props.people.iter().map(|person| row(person, &props.on_pick)) }</ul>
                if !props.is_connected {
                    <p class="field-note">{ "The connection is down. This is where everyone was." }</p>
                } else if has_others && !has_distances {
                    <p class="field-note">{ "Share your position to see how far away the others are." }</p>
                }
            }
        </section>
    }
}

fn row(person: &Person, on_pick: &Callback<u64>) -> Html {
    let id = person.id;
    let pick = on_pick.reform(move |_: MouseEvent| id);
    html! {
        <li key={id}>
            <button type="button" class="person" onclick={pick} aria-pressed={person.is_picked.to_string()}>
                <span class={classes!("pin", person.class.clone())} aria-hidden="true"><span>{ &person.letters }</span></span>
                <span class="person-name">
                    { &person.name }
                    if person.is_simulated { { " " }<span class="tag">{ "simulated" }</span> }
                </span>
                <span class="person-distance number">
                    if let Some(distance) = &person.distance { { distance } <span class="visually-hidden">{ " away" }</span> }
                </span>
                <span class="person-note number">{ format!("within {}", person.accuracy) }</span>
                <span class="person-age number">{ person.age.as_deref().unwrap_or("…") }</span>
            </button>
        </li>
    }
}
