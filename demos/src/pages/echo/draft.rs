use super::payload::Payload;
use super::{hex, json_text};

/// What the visitor is about to send: a text for each format, so that changing the format loses nothing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Draft {
    pub(super) format: Format,
    text: String,
    json: String,
    hex: String,
}

/// How a draft is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Json,
    Binary,
}

/// Why a draft cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) problem: String,
    /// The line with the mistake, and a caret below it.
    pub(super) excerpt: String,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            format: Format::Text,
            text: "Hello, WebSocket!".to_owned(),
            json: "{\n  \"greeting\": \"Hello, WebSocket!\",\n  \"numbers\": [1, 2, 3]\n}".to_owned(),
            hex: "48 65 6c 6c 6f".to_owned(),
        }
    }
}

impl Draft {
    /// What is written in the current format.
    pub(super) fn written(&self) -> &str {
        match self.format {
            Format::Text => &self.text,
            Format::Json => &self.json,
            Format::Binary => &self.hex,
        }
    }

    pub(super) fn write(&mut self, written: String) {
        match self.format {
            Format::Text => self.text = written,
            Format::Json => self.json = written,
            Format::Binary => self.hex = written,
        }
    }

    /// Puts in a message that an endpoint understands, in the format that suits it.
    pub(super) fn suggest(&mut self, example: &str) {
        self.format = if example.starts_with('{') { Format::Json } else { Format::Text };
        self.write(
            json_text::pretty(example).ok().filter(|_| self.format == Format::Json).unwrap_or(example.to_owned()),
        );
    }

    /// The message, as it would be sent.
    pub(super) fn payload(&self) -> Result<Payload, Mistake> {
        match self.format {
            Format::Text => Ok(Payload::Text(self.text.as_str().into())),
            Format::Json => match json_text::check(&self.json) {
                Ok(()) => Ok(Payload::Text(self.json.as_str().into())),
                Err(error) => {
                    let excerpt = error.place().point_at(&self.json);
                    Err(Mistake { problem: format!("This is not JSON: {error}."), excerpt })
                }
            },
            Format::Binary => match hex::parse(&self.hex) {
                Ok(bytes) => Ok(Payload::Binary(bytes.into())),
                Err(error) => {
                    let excerpt = error.place().point_at(&self.hex);
                    Err(Mistake { problem: format!("{error}."), excerpt })
                }
            },
        }
    }

    /// Lays out the JSON, where it is valid.
    pub(super) fn make_pretty(&mut self) {
        if let Ok(pretty) = json_text::pretty(&self.json) {
            self.json = pretty;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(format: Format, written: &str) -> Draft {
        let mut draft = Draft { format, ..Draft::default() };
        draft.write(written.to_owned());
        draft
    }

    #[test]
    fn json_is_sent_as_it_was_written_or_not_at_all() {
        let text = "{\"a\":  1.0}";
        assert_eq!(draft(Format::Json, text).payload(), Ok(Payload::Text(text.into())));
        let mistake = draft(Format::Json, "{\"a\": nul}").payload().unwrap_err();
        assert_eq!(mistake.problem, "This is not JSON: expected true, false or null at line 1, column 10.");
        assert_eq!(mistake.excerpt, "{\"a\": nul}\n         ^");
    }

    #[test]
    fn bytes_that_cannot_be_read_are_not_sent() {
        assert_eq!(draft(Format::Binary, "ca fe").payload(), Ok(Payload::Binary([0xca, 0xfe].into())));
        let mistake = draft(Format::Binary, "ca f").payload().unwrap_err();
        assert!(mistake.problem.contains("line 1, column 4"), "{}", mistake.problem);
    }

    #[test]
    fn changing_the_format_loses_nothing() {
        let mut draft = draft(Format::Text, "kept");
        draft.format = Format::Binary;
        draft.write("00".to_owned());
        draft.format = Format::Text;
        assert_eq!(draft.written(), "kept");
    }

    #[test]
    fn an_example_comes_in_the_format_that_suits_it() {
        let mut draft = Draft::default();
        draft.suggest("2.5");
        assert_eq!((draft.format, draft.written()), (Format::Text, "2.5"));
        draft.suggest("{\"client_time\": 0}");
        assert_eq!((draft.format, draft.written()), (Format::Json, "{\n  \"client_time\": 0\n}"));
    }

    #[test]
    fn what_a_visitor_finds_in_the_form_can_be_sent() {
        for format in [Format::Text, Format::Json, Format::Binary] {
            assert!(Draft { format, ..Draft::default() }.payload().is_ok());
        }
    }
}
