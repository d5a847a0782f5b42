//! What the server says.

use serde::Deserialize;

/// A line, an event or a message of a transport.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Told {
    /// Where reading begins, with how many messages were missed before it.
    Beginning {
        cursor: u64,
        #[serde(default)]
        gap: u64,
    },
    /// A message of the feed, with the server's time when it was made.
    Message { seq: u64, time: f64 },
    /// A call that came back.
    Answer { call: u64 },
}

impl Told {
    /// `None` for what is no text of ours.
    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The lines of an answer that is complete.
    pub(super) fn lines(text: &str) -> impl Iterator<Item = Self> {
        text.lines().filter_map(Self::read)
    }
}

/// Cuts a stream of bytes into lines, wherever its chunks begin and end.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// A server that sends more without a line's end is none of ours.
    const LONGEST: usize = 64 << 10;

    pub(super) fn take(&mut self, chunk: &[u8]) -> Vec<Told> {
        self.rest.extend_from_slice(chunk);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            if self.rest.len() > Self::LONGEST {
                self.rest.clear();
            }
            return Vec::new();
        };
        let complete: Vec<u8> = self.rest.drain(..=end).collect();
        Told::lines(&String::from_utf8_lossy(&complete)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_the_server_says_is_read() {
        assert_eq!(Told::read(r#"{"cursor":7}"#), Some(Told::Beginning { cursor: 7, gap: 0 }));
        assert_eq!(Told::read(r#"{"cursor":7,"gap":3}"#), Some(Told::Beginning { cursor: 7, gap: 3 }));
        assert_eq!(Told::read(r#"{"seq":8,"time":1.5,"pad":".."}"#), Some(Told::Message { seq: 8, time: 1.5 }));
        assert_eq!(Told::read(r#"{"call":9,"pad":""}"#), Some(Told::Answer { call: 9 }));
        assert_eq!(Told::read("<html>"), None);
    }

    #[test]
    fn lines_are_put_together_from_chunks_that_begin_and_end_anywhere() {
        let text = b"{\"cursor\":1}\n{\"seq\":2,\"time\":1}\n{\"seq\":3,\"time\":1}\n";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let told: Vec<Told> = text.chunks(size).flat_map(|chunk| lines.take(chunk)).collect();
            assert_eq!(told.len(), 3, "chunks of {size}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_kept_for_ever() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            assert!(lines.take(&[b'x'; 4096]).is_empty());
        }
        assert!(lines.rest.len() <= Lines::LONGEST);
    }
}
