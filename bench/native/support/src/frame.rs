//! WebSocket frames (RFC 6455, section 5.2), as bytes.

use std::ops::Range;

/// The opcode of a text message.
pub const TEXT: u8 = 1;
/// The opcode of a binary message.
pub const BINARY: u8 = 2;
/// The opcode of a close frame.
pub const CLOSE: u8 = 8;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

/// The header of a frame, and the position of its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is the last frame of a message.
    pub fin: bool,
    /// Whether a reserved bit is set, by an extension.
    pub reserved: bool,
    /// The type of the frame.
    pub opcode: u8,
    /// The masking key of a client's frame.
    pub mask: Option<[u8; 4]>,
    /// The range of the payload, whose end is the end of the frame.
    pub payload: Range<usize>,
}

impl Frame {
    /// The first frame in these bytes; `None` if it is incomplete.
    #[must_use]
    pub fn first(bytes: &[u8]) -> Option<Self> {
        let [first, second, ..] = *bytes else { return None };
        let (length, start) = match second & !MASKED {
            126 => (usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
            127 => (usize::try_from(u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)).ok()?, 10),
            short => (usize::from(short), 2),
        };
        let (mask, start) = match second & MASKED {
            0 => (None, start),
            _ => (Some(*bytes.get(start..)?.first_chunk()?), start + 4),
        };
        let payload = start..start.checked_add(length)?;
        let fin = first & FIN != 0;
        let reserved = first & RESERVED != 0;
        (payload.end <= bytes.len()).then_some(Self { fin, reserved, opcode: first & 0x0f, mask, payload })
    }

    /// Whether it is an unfragmented text or binary message, without an extension.
    #[must_use]
    pub fn is_message(&self) -> bool {
        self.fin && !self.reserved && matches!(self.opcode, TEXT | BINARY)
    }
}

/// Appends a server's frame.
pub fn write(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    write_header(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// Appends a client's frame.
pub fn write_masked(out: &mut Vec<u8>, opcode: u8, payload: &[u8], key: [u8; 4]) {
    write_header(out, opcode, payload.len(), MASKED);
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(payload);
    mask(&mut out[start..], key);
}

/// Masks or unmasks a payload.
pub fn mask(payload: &mut [u8], key: [u8; 4]) {
    // The compiler vectorizes the loop over whole words.
    let mut words = payload.chunks_exact_mut(4);
    for word in &mut words {
        for (byte, key) in word.iter_mut().zip(key) {
            *byte ^= key;
        }
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(key) {
        *byte ^= key;
    }
}

fn write_header(out: &mut Vec<u8>, opcode: u8, length: usize, masked: u8) {
    out.push(FIN | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => out.push(masked | short),
        (_, Ok(medium)) => {
            out.push(masked | 126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_frames_are_read_with_each_encoding_of_the_length() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let mut plain = Vec::new();
            write(&mut plain, BINARY, &payload);
            let frame = Frame::first(&plain).unwrap();
            assert!(frame.is_message());
            assert_eq!((frame.opcode, frame.mask, frame.payload.end), (BINARY, None, plain.len()));
            assert_eq!(plain[frame.payload], payload);

            let mut masked = Vec::new();
            write_masked(&mut masked, TEXT, &payload, [1, 2, 3, 4]);
            let frame = Frame::first(&masked).unwrap();
            assert_eq!((frame.opcode, frame.mask, frame.payload.end), (TEXT, Some([1, 2, 3, 4]), masked.len()));
            let found = &mut masked[frame.payload];
            mask(found, [1, 2, 3, 4]);
            assert_eq!(found, payload);
        }
    }

    #[test]
    fn a_frame_is_incomplete_before_its_last_byte() {
        for length in [5, 200, 70_000] {
            let mut bytes = Vec::new();
            write_masked(&mut bytes, TEXT, &vec![7; length], [9; 4]);
            for cut in [0, 1, 2, 3, 5, bytes.len() - 1] {
                assert_eq!(Frame::first(&bytes[..cut]), None, "{cut} of {}", bytes.len());
            }
            assert!(Frame::first(&bytes).is_some());
        }
    }

    #[test]
    fn fragments_compressed_frames_and_control_frames_are_not_messages() {
        for first in [TEXT, FIN, FIN | 0x40 | TEXT, FIN | CLOSE] {
            assert!(!Frame::first(&[first, 0]).unwrap().is_message(), "{first:#x}");
        }
    }
}
