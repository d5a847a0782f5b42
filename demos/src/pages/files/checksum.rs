use sha2::{Digest, Sha256};

/// The SHA-256 of a file whose bytes pass by in command, but may pass again.
#[derive(Clone, Default)]
pub(super) struct Checksum {
    digest: Sha256,
    /// How many bytes it has seen.
    position: u64,
}

impl Checksum {
    /// Where it goes on: what is sent from further on has to be read before, for the checksum alone.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The file is sent from an offset on. What comes from its start makes a new checksum: what was seen in an attempt
    /// before need not be what the file holds now.
    pub(super) fn begin(&mut self, offset: u64) {
        if offset == 0 {
            *self = Self::default();
        }
    }

    /// Takes the bytes from an offset on. What it has seen already it skips, as after a reconnect; bytes behind a gap
    /// are none of its business yet.
    pub(super) fn update(&mut self, offset: u64, bytes: &[u8]) {
        let seen = self.position.saturating_sub(offset);
        if offset > self.position || seen >= bytes.len() as u64 {
            return;
        }
        // It is less than the length of a slice.
        let new = &bytes[seen as usize..];
        self.digest.update(new);
        self.position += new.len() as u64;
    }

    /// The checksum as text.
    pub(super) fn finish(&self) -> String {
        hex(&self.digest.clone().finalize())
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
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
    fn pieces_make_the_checksum_of_the_whole() {
        let mut checksum = Checksum::default();
        checksum.update(0, b"a");
        checksum.update(1, b"bc");
        assert_eq!((checksum.finish().as_str(), checksum.position()), (ABC, 3));
    }

    #[test]
    fn what_is_sent_again_counts_once() {
        let mut checksum = Checksum::default();
        checksum.update(0, b"ab");
        checksum.update(0, b"ab");
        checksum.update(1, b"bc");
        assert_eq!(checksum.finish(), ABC);
    }

    #[test]
    fn a_file_that_is_sent_from_its_start_again_is_summed_anew() {
        let mut checksum = Checksum::default();
        checksum.update(0, b"xyz");
        checksum.begin(0);
        checksum.update(0, b"ab");
        checksum.begin(2);
        checksum.update(2, b"c");
        assert_eq!(checksum.finish(), ABC);
    }

    #[test]
    fn bytes_behind_a_gap_do_not_spoil_it() {
        let mut checksum = Checksum::default();
        checksum.update(0, b"a");
        checksum.update(2, b"c");
        assert_eq!(checksum.position(), 1);
        checksum.update(1, b"bc");
        assert_eq!(checksum.finish(), ABC);
    }
}
