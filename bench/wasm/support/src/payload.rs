/// A message of a size: text of one byte a character, or bytes.
#[derive(Clone, Debug)]
pub enum Payload {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

impl Payload {
    /// A text of the size in bytes, or as many bytes.
    pub fn new(is_text: bool, size: usize) -> Self {
        if is_text { Self::Text("x".repeat(size)) } else { Self::Binary(vec![120; size]) }
    }
}
