use everwire_companion_api::files::ResumeKey;
use sha2::{Digest, Sha256};
use web_sys::File;

use super::checksum::hex;
use super::reading::{self, Unreadable};
use super::remembered;

/// How many bytes of its start, its middle and its end tell a file from another of the same name and size.
const SAMPLE: u64 = 256 << 10;

/// The key that finds this visitor's upload of this file again, also after a reload. It is made from a secret, so that no other
/// visitor can resume or remove the upload, even with the same file.
pub(super) async fn of(file: &File) -> Result<ResumeKey, Unreadable> {
    // A size is a whole number below 2^53.
    let size = file.size() as u64;
    let mut digest = Sha256::new();
    digest.update(remembered::secret());
    digest.update(file.name());
    // What ends a name cannot be a part of it.
    digest.update([0]);
    digest.update(size.to_be_bytes());
    let (starts, length) = samples(size);
    for start in starts {
        digest.update(reading::block(file, &(start..start + length)).await?.to_vec());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_is_read_whole_and_a_large_one_at_three_places() {
        assert_eq!(samples(0), (vec![0], 0));
        assert_eq!(samples(3 * SAMPLE), (vec![0], 3 * SAMPLE));
        assert_eq!(samples(10 * SAMPLE + 2), (vec![0, 9 * SAMPLE / 2 + 1, 9 * SAMPLE + 2], SAMPLE));
    }
}
