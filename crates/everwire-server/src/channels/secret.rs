use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

/// The digest of the secret that resumes a session. A broker that writes sessions to disk so never holds a secret, and to compare
/// digests takes a time that reveals nothing of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SecretDigest([u8; 32]);

impl SecretDigest {
    pub(super) fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }
}

/// The id of a session: 72 random bits. Every message that the session publishes carries it to each subscriber, so that it is no longer than
/// it has to be: a billion sessions beside a million others meet the id of one of them with a probability of 1 in 4 million.
pub(super) fn random_id() -> Result<String, getrandom::Error> {
    random_word::<9>()
}

/// The secret of a session: 128 random bits.
pub(super) fn random_secret() -> Result<String, getrandom::Error> {
    random_word::<16>()
}

/// So many random bytes of the system, as a word of the protocol.
fn random_word<const BYTES: usize>() -> Result<String, getrandom::Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

/// What a broker keeps of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionRecord {
    pub(super) generation: u64,
    pub(super) secret: SecretDigest,
    pub(super) user: Option<String>,
}

/// The version of the encoding of a record.
const VERSION: u8 = 1;

impl SessionRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.secret.0);
        if let Some(user) = &self.user {
            bytes.push(b'=');
            bytes.extend_from_slice(user.as_bytes());
        }
        bytes
    }

    /// `None` for what another version has written.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (generation, bytes) = bytes.strip_prefix(&[VERSION])?.split_first_chunk()?;
        let (secret, user) = bytes.split_first_chunk()?;
        let user = match user.split_first() {
            None => None,
            Some((b'=', user)) => Some(String::from_utf8(user.to_vec()).ok()?),
            Some(_) => return None,
        };
        Some(Self { generation: u64::from_be_bytes(*generation), secret: SecretDigest(*secret), user })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was_stored() {
        for user in [None, Some(String::new()), Some("Zo\u{eb}".to_owned())] {
            let record = SessionRecord { generation: 7, secret: SecretDigest::of("secret"), user };
            assert_eq!(SessionRecord::decode(&record.encode()), Some(record));
        }
    }

    #[test]
    fn a_record_that_is_cut_or_of_another_version_is_none() {
        let record = SessionRecord { generation: 7, secret: SecretDigest::of("secret"), user: None }.encode();
        assert!((0..record.len()).all(|length| SessionRecord::decode(&record[..length]).is_none()));
        assert_eq!(SessionRecord::decode(&[&[9], &record[1..]].concat()), None);
    }

    #[test]
    fn random_words_are_ids_of_the_protocol_and_differ() {
        for random in [random_id, random_secret] {
            let words = [random().unwrap(), random().unwrap()];
            assert!(words.iter().all(|word| everwire_core::protocol::is_id(word)), "{words:?}");
            assert_ne!(words[0], words[1]);
        }
    }
}
