use everwire_companion_api::tracker::{ClientMessage, Secret, participant_id};
use sha2::{Digest, Sha256};

use super::fix::Fix;
use crate::map::LatLon;
use crate::secret;

/// Letters and digits that are not mistaken for each other and make no words.
const ALPHABET: &[u8; 28] = b"23456789BCDFGHJKMNPQRSTVWXYZ";

/// Who the visitor is to others, from the press on share to the press on stop, over any number of connections.
///
/// Only the server sees the secret, and it stays in the memory of the page: a second tab is another participant, and so is the visitor
/// after a stop.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Identity {
    secret: Secret,
    id: u64,
}

impl Identity {
    /// An identity with a random secret.
    pub(super) fn random() -> Self {
        Self::new(Secret::try_from(secret::random()).expect("32 hexadecimal digits are long enough for a secret"))
    }

    /// The id follows from the secret, so the page knows it before the server answers.
    pub(super) fn new(secret: Secret) -> Self {
        let id = participant_id(&Sha256::digest(secret.as_str()).into());
        Self { secret, id }
    }

    /// The number under which everyone knows the visitor.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The message that shares a position as this participant.
    pub(super) fn position(&self, Fix { place: LatLon { lat, lon }, accuracy }: Fix) -> ClientMessage {
        ClientMessage::Position { lat, lon, accuracy, secret: Some(self.secret.clone()) }
    }

    /// The message that ends sharing.
    pub(super) fn leave(&self) -> ClientMessage {
        ClientMessage::Leave { secret: Some(self.secret.clone()) }
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
        assert_eq!(
            Identity::new("5a1f1e0c33d8477fb0a4d2c96e7b8a10".to_owned().try_into().unwrap()).id(),
            4_504_841_007_236_231
        );
    }

    #[test]
    fn short_ids_differ_where_ids_are_neighbours() {
        assert_eq!([0, 1, 28, 28 * 28, u64::MAX].map(short), ["222", "223", "232", "322", "NWK"]);
    }
}
