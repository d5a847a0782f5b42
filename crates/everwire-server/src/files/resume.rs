use serde::Deserialize;

/// What a client names its upload by, to go on with it later. Whoever knows it may resume, cancel and remove the file;
/// clients therefore make it from a secret of their own and from the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ResumeKey(String);

impl TryFrom<String> for ResumeKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        // Shorter ones can be guessed, longer ones fill the memory.
        if is_word && (16..=128).contains(&text.len()) { Ok(Self(text)) } else { Err("16 to 128 letters and digits") }
    }
}
