use std::rc::Rc;

use sha2::{Digest, Sha256};

use crate::secret;

/// Letters and digits that are not mistaken for each other and make no words.
const ALPHABET: &[u8; 28] = b"23456789BCDFGHJKMNPQRSTVWXYZ";

/// Who the visitor is to others, from the press on share to the press on stop, over any number of connections.
///
/// The secret stays in the memory of the page: a second tab is somebody else, and so is the visitor after a stop.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Identity {
    secret: Rc<str>,
    id: u64,
}

impl Identity {
    /// A new one, which nobody can know.
    pub(super) fn random() -> Self {
        Self::new(&secret::random())
    }

    /// The id follows from the secret as in the server, so that the page knows it before the server answers.
    pub(super) fn new(secret: &str) -> Self {
        let digest = Sha256::digest(secret);
        let start = digest.iter().take(8).fold(0, |start, byte| start << 8 | u64::from(*byte));
        Self { secret: secret.into(), id: 1 << 52 | start >> 12 }
    }

    /// The number under which everyone knows the visitor.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// What proves it to the server, and goes nowhere else.
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }
}

/// A participant's id as people read it: three characters, which of twenty participants are all different with a
/// probability of 99 %.
pub(super) fn short(id: u64) -> String {
    let letters = ALPHABET.len() as u64;
    let letter = |rest: u64| char::from(ALPHABET[(rest % letters) as usize]);
    [letter(id / letters / letters), letter(id / letters), letter(id)].into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_one_that_the_server_derives() {
        // The server's tests have the same pair.
        assert_eq!(Identity::new("5a1f1e0c33d8477fb0a4d2c96e7b8a10").id(), 4_504_841_007_236_231);
    }

    #[test]
    fn short_ids_differ_where_ids_are_neighbours() {
        assert_eq!([0, 1, 28, 28 * 28, u64::MAX].map(short), ["222", "223", "232", "322", "NWK"]);
    }
}
