//! A file of the visitor: its blocks, its checksum, and the key under which its upload is resumed.

use std::ops::Range;

use everwire_companion_api::files::ResumeKey;
use js_sys::Uint8Array;
use sha2::{Digest, Sha256};
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

use super::unfinished;

/// The browser cannot read the file any more, or it has become shorter.
#[derive(Debug)]
pub(super) struct ReadError;

/// Starts to read a part of a file, before the future is first polled. The bytes stay in the browser's memory until they are copied.
#[expect(clippy::cast_precision_loss, reason = "the browser's sizes are whole numbers below 2^53")]
pub(super) fn read_block(
    file: &File,
    range: &Range<u64>,
) -> impl Future<Output = Result<Uint8Array, ReadError>> + use<> {
    let length = range.end - range.start;
    let part = file.slice_with_f64_and_f64(range.start as f64, range.end as f64);
    let bytes = part.map(|part| JsFuture::from(part.array_buffer()));
    async move {
        let bytes = bytes.map_err(|_| ReadError)?.await.map_err(|_| ReadError)?;
        let bytes = Uint8Array::new(&bytes);
        // A slice of a file that has become shorter is shorter too.
        if u64::from(bytes.length()) == length { Ok(bytes) } else { Err(ReadError) }
    }
}

/// How many bytes of a file's start, middle and end go into its resume key.
const SAMPLE: u64 = 256 << 10;

/// The key under which this visitor's upload of this file is found again, also after a reload. It contains a secret of this browser, so
/// that no other visitor can resume or remove the upload, even with the same file.
pub(super) async fn resume_key(file: &File) -> Result<ResumeKey, ReadError> {
    // A size is a whole number below 2^53.
    let size = file.size() as u64;
    let mut digest = Sha256::new();
    digest.update(unfinished::secret());
    digest.update(file.name());
    // A name cannot contain this byte, so that name and size cannot run into each other.
    digest.update([0]);
    digest.update(size.to_be_bytes());
    let (starts, length) = samples(size);
    for start in starts {
        digest.update(read_block(file, &(start..start + length)).await?.to_vec());
    }
    Ok(hex(&digest.finalize()).try_into().expect("64 hexadecimal digits are a key"))
}

/// Where the samples start, and how long each is.
fn samples(size: u64) -> (Vec<u64>, u64) {
    if size <= 3 * SAMPLE {
        return (vec![0], size);
    }
    (vec![0, (size - SAMPLE) / 2, size - SAMPLE], SAMPLE)
}

/// The SHA-256 of a file whose bytes are sent in order, of which some are sent again after a reconnect.
#[derive(Clone, Default)]
pub(super) struct Checksum {
    digest: Sha256,
    /// How many bytes it has digested.
    position: u64,
}

impl Checksum {
    /// The offset of the next byte. If sending starts behind it, the bytes between are read for the checksum alone.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The file is sent from an offset on. From offset 0 the checksum starts over, since the file may have changed since the last
    /// attempt.
    pub(super) fn begin(&mut self, offset: u64) {
        if offset == 0 {
            *self = Self::default();
        }
    }

    /// Digests the bytes at an offset. Bytes that it has digested before are skipped, as after a reconnect; bytes behind a gap are
    /// ignored.
    pub(super) fn update(&mut self, offset: u64, bytes: &[u8]) {
        let seen = self.position.saturating_sub(offset);
        if offset > self.position || seen >= bytes.len() as u64 {
            return;
        }
        // Less than the length of a slice, so it fits.
        let new = &bytes[seen as usize..];
        self.digest.update(new);
        self.position += new.len() as u64;
    }

    /// The checksum of what was digested so far, in hexadecimal.
    pub(super) fn finish(&self) -> String {
        hex(&self.digest.clone().finalize())
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From FIPS 180-4's examples.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_checksum_of_pieces_is_that_of_the_whole() {
        let mut checksum = Checksum::default();
        checksum.update(0, b"a");
        checksum.update(1, b"bc");
        assert_eq!((checksum.finish().as_str(), checksum.position()), (ABC, 3));
    }

    #[test]
    fn bytes_that_are_sent_again_count_once() {
        let mut checksum = Checksum::default();
        checksum.update(0, b"ab");
        checksum.update(0, b"ab");
        checksum.update(1, b"bc");
        assert_eq!(checksum.finish(), ABC);
    }

    #[test]
    fn a_file_that_is_sent_from_its_start_gets_a_new_checksum() {
        let mut checksum = Checksum::default();
        checksum.update(0, b"xyz");
        checksum.begin(0);
        checksum.update(0, b"ab");
        checksum.begin(2);
        checksum.update(2, b"c");
        assert_eq!(checksum.finish(), ABC);
    }

    #[test]
    fn bytes_behind_a_gap_are_ignored() {
        let mut checksum = Checksum::default();
        checksum.update(0, b"a");
        checksum.update(2, b"c");
        assert_eq!(checksum.position(), 1);
        checksum.update(1, b"bc");
        assert_eq!(checksum.finish(), ABC);
    }

    #[test]
    fn the_key_of_a_small_file_covers_all_of_it_and_that_of_a_large_one_three_places() {
        assert_eq!(samples(0), (vec![0], 0));
        assert_eq!(samples(3 * SAMPLE), (vec![0], 3 * SAMPLE));
        assert_eq!(samples(10 * SAMPLE + 2), (vec![0, 9 * SAMPLE / 2 + 1, 9 * SAMPLE + 2], SAMPLE));
    }
}
