use yew::prelude::*;

/// A pictogram of 20 by 20 units, drawn with lines in the colour of the text around it. It says nothing to a screen
/// reader: the text beside it, or the label of its button, does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(dead_code, reason = "each page takes what it needs")]
pub(crate) enum Icon {
    Home,
    Chat,
    Live,
    Echo,
    Ticker,
    Tracker,
    Lab,
    Throughput,
    Files,
    Monitor,
    Sun,
    Moon,
    Server,
    Arrow,
    Break,
    ChevronDown,
    Close,
    Search,
    Check,
    Emoji,
    Locate,
}

impl Icon {
    /// Draws it as large as the text around it.
    pub(crate) fn draw(self) -> Html {
        html! {
            <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d={self.path()} /></svg>
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Home => "M3 9.5 10 4l7 5.5M5 8v8h10V8",
            Self::Chat => "M3 4.5h14v9H9.5L6 16.5v-3H3zM6.5 7.8h7M6.5 10.4h4.5",
            Self::Live => {
                "M10 11.6a1.6 1.6 0 1 0 0-3.2 1.6 1.6 0 0 0 0 3.2ZM6.8 13.2a4.5 4.5 0 0 1 0-6.4M13.2 6.8a4.5 4.5 0 0 1 0 6.4M4.2 15.8a8.2 8.2 0 0 1 0-11.6M15.8 4.2a8.2 8.2 0 0 1 0 11.6"
            }
            Self::Echo => "M3 7h11l-3-3M17 13H6l3 3",
            Self::Ticker => "M2.5 14 7 9l3.5 3L17.5 5M13 5h4.5v4.5",
            Self::Tracker => {
                "M10 17.5s5.5-5 5.5-9.3A5.5 5.5 0 0 0 4.5 8.2c0 4.3 5.5 9.3 5.5 9.3ZM10 10a1.9 1.9 0 1 0 0-3.8 1.9 1.9 0 0 0 0 3.8Z"
            }
            Self::Lab => "M7.5 3h5M8.5 3v5L4 15.5a1 1 0 0 0 .9 1.5h10.2a1 1 0 0 0 .9-1.5L11.5 8V3M6.3 12.5h7.4",
            Self::Throughput => "M3 14a7 7 0 1 1 14 0M10 14l3.5-5M3 14h2M15 14h2",
            Self::Files => "M5 3h6l4 4v10H5zM11 3v4h4M10 14.5v-5M7.8 11.5 10 9.3l2.2 2.2",
            Self::Monitor => "M2.5 4h15v9.5h-15zM7 17h6M10 13.5V17M5 9.5h2.5L9 6.5l2 4 1.2-1.5H15",
            Self::Sun => {
                "M10 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM10 1.8v1.6M10 16.6v1.6M1.8 10h1.6M16.6 10h1.6M4.2 4.2l1.1 1.1M14.7 14.7l1.1 1.1M4.2 15.8l1.1-1.1M14.7 5.3l1.1-1.1"
            }
            Self::Moon => "M16.5 11.8A7 7 0 0 1 8.2 3.5a7 7 0 1 0 8.3 8.3Z",
            Self::Server => "M3.5 4h13v5h-13zM3.5 11h13v5h-13zM6.5 6.5h.01M6.5 13.5h.01",
            Self::Arrow => "M4 10h12M11 5l5 5-5 5",
            Self::Break => "M2 10h5l1.5-3M18 10h-5l-1.5 3M9.5 3.5 10 2M10.5 16.5 10 18",
            Self::ChevronDown => "m5.5 8 4.5 4.5L14.5 8",
            Self::Close => "m5 5 10 10M15 5 5 15",
            Self::Search => "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11ZM13 13l4 4",
            Self::Locate => "M10 14.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM10 2v3.5M10 14.5V18M2 10h3.5M14.5 10H18",
            Self::Emoji => {
                "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM7.6 8.2v.01M12.4 8.2v.01M6.8 11.6a3.6 3.6 0 0 0 6.4 0"
            }
            Self::Check => "m4.5 10.5 3.5 3.5 7.5-8",
        }
    }
}
