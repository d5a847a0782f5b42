use yew::prelude::*;

use super::row::look;
use crate::components::{CopyButton, Icon};
use crate::format;
use crate::pages::echo::clock_text::clock_text;
use crate::pages::echo::frames::use_redraw;
use crate::pages::echo::log::{Body, Line, Transmission};
use crate::pages::echo::session::Session;
use crate::pages::echo::{hex, json_text};

/// How much of a message is shown at first, in bytes: more makes a page slow, and is there on request.
const SHOWN: usize = 16 << 10;

#[derive(Properties, PartialEq)]
pub(super) struct DetailProps {
    pub(super) session: Session,
    /// The number of the line.
    pub(super) number: u64,
    pub(super) on_close: Callback<()>,
}

/// The whole of a line: JSON laid out, bytes as a dump.
#[component]
pub(super) fn Detail(props: &DetailProps) -> Html {
    // A message that is queued is sent while it is looked at.
    use_redraw(&props.session, 200);
    // Kept by the detail, so that it stays readable when the log has let the line go.
    let kept = use_mut_ref(|| None::<Line>);
    if let Some(line) = props.session.record().log.line(props.number) {
        kept.replace(Some(line.clone()));
    }
    let content = use_memo(props.number, |_| kept.borrow().as_ref().map(content));
    let shown = use_state(|| SHOWN);
    let (Some(line), Some(content)) = (kept.borrow().clone(), (*content).clone()) else { return html! {} };

    let whole = {
        let content = content.clone();
        Callback::from(move |()| content.whole())
    };
    let more = {
        let shown = shown.clone();
        Callback::from(move |_: MouseEvent| shown.set(*shown * 8))
    };
    let (text, hidden) = content.first(*shown);
    let facts = facts(&line, content.name(), js_sys::Date::new_0().get_timezone_offset());
    html! {
        <section class="log-detail" aria-label="Selected line">
            <div class="log-detail-head">
                <p class="number">{ facts }</p>
                // A button a line, so that another line's does not say that it was copied.
                <CopyButton key={props.number} text={whole} />
                <button type="button" class="icon-button" aria-label="Close the selected line" onclick={props.on_close.reform(|_: MouseEvent| ())}>
                    { Icon::Close.draw() }
                </button>
            </div>
            <pre class="log-detail-body" tabindex="0" aria-label="Content">{ text }</pre>
            if hidden > 0 {
                <button type="button" class="button button-small" onclick={more}>
                    { format!("Show more ({} left)", format::bytes(hidden as u64)) }
                </button>
            }
        </section>
    }
}

/// What is known of a line beside its content, which is called `name`. `behind_utc`: the minutes that the visitor's clock is
/// behind UTC.
fn facts(line: &Line, name: &str, behind_utc: f64) -> String {
    let (_, _, said) = look(line);
    let accepted = clock_text(line.time, behind_utc);
    let facts = [
        Some(format!("{said}{name}")),
        Some(match line.transmission {
            Transmission::Later(at) => format!("queued {accepted}, sent {}", clock_text(at, behind_utc)),
            _ => accepted,
        }),
        line.size().map(|size| format!("{} bytes", format::count(size as u64))),
        line.round_trip.map(|round_trip| format!("round trip {:.2} ms", round_trip.as_secs_f64() * 1e3)),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// What a line holds, in the form that suits it.
#[derive(Clone)]
enum Content {
    Json(String),
    Text(std::rc::Rc<str>),
    Bytes(std::rc::Rc<[u8]>),
    Event(std::rc::Rc<str>),
}

fn content(line: &Line) -> Content {
    match &line.body {
        Body::Event(_, text) => Content::Event(text.clone()),
        Body::Binary(bytes) => Content::Bytes(bytes.clone()),
        // A bare number or string is JSON too, and no easier to read as such.
        Body::Text(text) if text.trim_start().starts_with(['{', '[']) => {
            json_text::pretty(text).map_or_else(|_| Content::Text(text.clone()), Content::Json)
        }
        Body::Text(text) => Content::Text(text.clone()),
    }
}

impl Content {
    fn name(&self) -> &'static str {
        match self {
            Self::Json(_) => "JSON",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Event(_) => "Connection",
        }
    }

    fn whole(&self) -> String {
        match self {
            Self::Bytes(bytes) => hex::compact(bytes),
            Self::Json(text) => text.clone(),
            Self::Text(text) | Self::Event(text) => text.to_string(),
        }
    }

    /// About the first `limit` bytes as they are shown, and how many bytes are left.
    fn first(&self, limit: usize) -> (String, usize) {
        let of_text = |text: &str| {
            let end = text.floor_char_boundary(limit);
            (text[..end].to_owned(), text.len() - end)
        };
        match self {
            Self::Json(text) => of_text(text),
            Self::Text(text) | Self::Event(text) => of_text(text),
            Self::Bytes(bytes) => {
                let end = (limit / 4).min(bytes.len());
                (hex::dump(&bytes[..end], 0), bytes.len() - end)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::echo::log::Origin;

    fn of(body: Body) -> Content {
        content(&Line::new(0.0, Origin::Received, body))
    }

    #[test]
    fn json_is_laid_out_and_what_only_looks_like_it_is_left_alone() {
        assert_eq!(of(Body::Text("{\"a\":1}".into())).first(SHOWN).0, "{\n  \"a\": 1\n}");
        assert_eq!(of(Body::Text("{not json".into())).first(SHOWN).0, "{not json");
        assert_eq!(of(Body::Text("12".into())).name(), "text");
    }

    #[test]
    fn a_message_that_waited_says_since_when_and_until_when() {
        let mut line = Line::new(1_000.0, Origin::Sent, Body::Text("hi".into()));
        let facts = |line: &Line| facts(line, "text", 0.0);
        assert_eq!(facts(&line), "Sent text · 00:00:01.000 · 2 bytes");
        line.transmission = Transmission::Queued;
        assert_eq!(facts(&line), "Queued text · 00:00:01.000 · 2 bytes");
        line.transmission = Transmission::Later(5_250.0);
        assert_eq!(facts(&line), "Sent text · queued 00:00:01.000, sent 00:00:05.250 · 2 bytes");
        line.transmission = Transmission::Never;
        assert_eq!(facts(&line), "Not sent: text · 00:00:01.000 · 2 bytes");
    }

    #[test]
    fn a_large_message_is_shown_in_portions() {
        let (text, left) = of(Body::Text("ä".repeat(10).into())).first(5);
        assert_eq!((text.as_str(), left), ("ää", 16));
        let (dump, left) = of(Body::Binary(vec![0; 100].into())).first(64);
        assert_eq!((dump.lines().count(), left), (1, 84));
    }
}
