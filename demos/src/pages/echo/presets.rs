/// An endpoint of the companion server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Preset {
    pub(super) name: &'static str,
    /// Path and query.
    pub(super) path: &'static str,
    /// What it does, in a sentence.
    pub(super) does: &'static str,
    /// A message that it understands; `None` where it only talks.
    pub(super) example: Option<&'static str>,
}

/// Every WebSocket endpoint of the companion server, in the order of its documentation.
pub(super) const PRESETS: [Preset; 8] = [
    Preset {
        name: "echo",
        path: "/echo",
        does: "Returns text and binary messages unchanged.",
        example: Some("Hello, WebSocket!"),
    },
    Preset {
        name: "broadcast",
        path: "/broadcast",
        does: "Sends every message to everyone who is connected, including you.",
        example: Some("Hello, everyone!"),
    },
    Preset {
        name: "hello",
        path: "/hello",
        does: "Greets the name that you send, then closes with code 1000.",
        example: Some("Ann"),
    },
    Preset {
        name: "countdown",
        path: "/countdown?from=10&every=500",
        does: "Counts down from 10, one message every 500 ms, then closes with code 1000.",
        example: None,
    },
    Preset {
        name: "sum",
        path: "/sum",
        does: "Adds up the numbers that all clients send, and sends everyone the total.",
        example: Some("2.5"),
    },
    Preset {
        name: "clock",
        path: "/clock",
        does: "Answers a client’s time with the server’s.",
        example: Some("{\"client_time\": 0}"),
    },
    Preset {
        name: "ticker",
        path: "/ticker?rate=20",
        does: "Sends stock prices: a snapshot, then 20 updates per second.",
        example: None,
    },
    Preset {
        name: "tracker",
        path: "/tracker",
        does: "Shares positions: everyone sees a position until its sender disconnects.",
        example: Some("{\"type\": \"position\", \"lat\": 52.52, \"lon\": 13.4, \"accuracy\": 1000}"),
    },
];

impl Preset {
    /// The preset that an address leads to, whatever its host and query.
    pub(super) fn of(address: &str) -> Option<&'static Self> {
        let path = super::address::path(address)?;
        PRESETS.iter().find(|preset| preset.path.split('?').next() == Some(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_recognised_by_its_path() {
        assert_eq!(Preset::of("ws://localhost:9001/sum?fault=drop:3").map(|preset| preset.name), Some("sum"));
        assert_eq!(Preset::of("wss://example.org/countdown?from=3").map(|preset| preset.name), Some("countdown"));
        assert_eq!(Preset::of("wss://example.org/"), None);
        assert_eq!(Preset::of("nonsense"), None);
    }

    #[test]
    fn examples_that_look_like_json_are_json() {
        for example in PRESETS.iter().filter_map(|preset| preset.example).filter(|example| example.starts_with('{')) {
            assert_eq!(crate::pages::echo::json_text::check(example), Ok(()), "{example}");
        }
    }
}
