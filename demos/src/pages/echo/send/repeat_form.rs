use std::cell::RefCell;
use std::rc::Rc;

use web_sys::HtmlInputElement;
use yew::prelude::*;

use super::repeat::repeat;
use crate::format;
use crate::job::Job;
use crate::now::now;
use crate::pages::echo::frames::use_redraw;
use crate::pages::echo::payload::Payload;
use crate::pages::echo::session::Session;
use crate::pages::echo::traffic::Pacer;

/// The most that a visitor may ask for. The companion server itself closes a connection that sends more than 10,000 a second.
const MOST: u64 = 1_000_000;
const FASTEST: f64 = 20_000.0;

#[derive(Properties, PartialEq)]
pub(super) struct RepeatFormProps {
    pub(super) session: Session,
    /// What is sent; `None` while the draft has a mistake.
    pub(super) payload: Option<Payload>,
    pub(super) can_send: bool,
}

/// Sends a message a number of times at a rate.
#[component]
pub(super) fn RepeatForm(props: &RepeatFormProps) -> Html {
    use_redraw(&props.session, 100);
    let count = use_state(|| "100".to_owned());
    let rate = use_state(|| "10".to_owned());
    let running = use_state(|| None::<(Rc<RefCell<Pacer>>, Job)>);
    let asked = asked(&count, &rate);

    let set = |text: &UseStateHandle<String>| {
        let text = text.clone();
        Callback::from(move |event: InputEvent| text.set(event.target_unchecked_into::<HtmlInputElement>().value()))
    };
    let onsubmit = {
        let (session, payload, running, asked) =
            (props.session.clone(), props.payload.clone(), running.clone(), asked.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let (Ok((count, rate)), Some(payload)) = (&asked, &payload) else { return };
            let pacer = Rc::new(RefCell::new(Pacer::new(*count, *rate, now())));
            let (work, ended) = (repeat(session.clone(), payload.clone(), Rc::clone(&pacer)), running.setter());
            let job = Job::start(async move {
                work.await;
                ended.set(None);
            });
            running.set(Some((pacer, job)));
        })
    };
    let stop = {
        let running = running.clone();
        Callback::from(move |_: MouseEvent| running.set(None))
    };
    let progress = running.as_ref().map(|(pacer, _)| (pacer.borrow().taken(), pacer.borrow().total()));
    let can_start = props.can_send && props.payload.is_some() && asked.is_ok();
    html! {
        <form class="repeat" {onsubmit} novalidate=true aria-label="Repeat">
            <label class="field">
                <span>{ "Repeat" }</span>
                <input class="input number" inputmode="numeric" value={(*count).clone()} oninput={set(&count)} disabled={progress.is_some()} aria-describedby="repeat-note" />
            </label>
            <label class="field">
                <span>{ "per second" }</span>
                <input class="input number" inputmode="decimal" value={(*rate).clone()} oninput={set(&rate)} disabled={progress.is_some()} aria-describedby="repeat-note" />
            </label>
            if progress.is_some() {
                // Two elements: one that turned into the other while it is pressed would send the form, and start again.
                <button key="stop" type="button" class="button button-danger" onclick={stop}>{ "Stop" }</button>
            } else {
                <button key="start" type="submit" class="button" disabled={!can_start}>{ "Start" }</button>
            }
            <div id="repeat-note" class="repeat-note">
                if let Some((sent, total)) = progress {
                    <progress class="progress" max={total.to_string()} value={sent.to_string()} aria-label="Repetitions sent" />
                    <span class="field-note number">{ format!("{} of {}", format::count(sent), format::count(total)) }</span>
                } else if let Err(problem) = asked {
                    <span class="field-error">{ problem }</span>
                }
            </div>
        </form>
    }
}

/// How often and how fast, or what is wrong with what was typed.
fn asked(count: &str, rate: &str) -> Result<(u64, f64), String> {
    let count = count.trim().parse().ok().filter(|count| (1..=MOST).contains(count));
    let rate = rate.trim().parse().ok().filter(|rate| *rate > 0.0 && *rate <= FASTEST);
    let count = count.ok_or_else(|| format!("Repeat from 1 to {} times.", format::count(MOST)))?;
    let rate = rate
        .ok_or_else(|| format!("Send more than 0 and up to {} messages per second.", format::count(FASTEST as u64)))?;
    Ok((count, rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_can_be_kept_are_taken() {
        assert_eq!(asked("100", " 0.5 "), Ok((100, 0.5)));
        for (count, rate) in
            [("0", "1"), ("-1", "1"), ("1.5", "1"), ("1000001", "1"), ("1", "0"), ("1", "NaN"), ("1", "20001")]
        {
            assert!(asked(count, rate).is_err(), "{count} {rate}");
        }
    }
}
