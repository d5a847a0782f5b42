//! Items of a transport as text.

use everwire_companion_api::lab::Item;

/// An item from its text. `None` for a text that no server of the lab sends.
pub(super) fn parse(text: &str) -> Option<Item> {
    serde_json::from_str(text).ok()
}

/// The items of a complete answer, a line each.
pub(super) fn parse_lines(text: &str) -> impl Iterator<Item = Item> {
    text.lines().filter_map(parse)
}

/// Splits a stream of bytes into lines, wherever its chunks begin and end.
#[derive(Debug, Default)]
pub(super) struct LineSplitter {
    rest: Vec<u8>,
}

impl LineSplitter {
    /// The most bytes that are kept of a line without an end. No server of the lab sends so many.
    const LONGEST: usize = 64 << 10;

    /// The items that are complete with this chunk.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Vec<Item> {
        self.rest.extend_from_slice(chunk);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            if self.rest.len() > Self::LONGEST {
                self.rest.clear();
            }
            return Vec::new();
        };
        let complete: Vec<u8> = self.rest.drain(..=end).collect();
        parse_lines(&String::from_utf8_lossy(&complete)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_from_chunks_that_begin_and_end_anywhere() {
        let text = b"{\"cursor\":1}\n{\"seq\":2,\"time\":1}\n{\"seq\":3,\"time\":1}\n";
        for size in 1..text.len() {
            let mut lines = LineSplitter::default();
            let items: Vec<Item> = text.chunks(size).flat_map(|chunk| lines.push(chunk)).collect();
            assert_eq!(items.len(), 3, "chunks of {size}");
        }
    }

    #[test]
    fn a_line_that_no_server_sends_is_skipped() {
        assert_eq!(parse_lines("<html>\n{\"call\":9}\n").collect::<Vec<_>>(), [Item::Call { call: 9 }]);
    }

    #[test]
    fn a_line_without_an_end_is_not_kept_for_ever() {
        let mut lines = LineSplitter::default();
        for _ in 0..100 {
            assert!(lines.push(&[b'x'; 4096]).is_empty());
        }
        assert!(lines.rest.len() <= LineSplitter::LONGEST);
    }
}
