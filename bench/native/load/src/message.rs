//! The messages: 64 bytes of text that begin with a number, so that lost and repeated ones are detected.

/// The bytes of a message.
pub(crate) const SIZE: usize = 64;

const DIGITS: usize = 12;
const FILLER: &[u8; SIZE - DIGITS] = b" the quick brown fox jumps over the lazy dog, again.";

/// The message with this number.
pub(crate) fn write(number: u64) -> [u8; SIZE] {
    let mut message = [0; SIZE];
    let (digits, filler) = message.split_at_mut(DIGITS);
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    filler.copy_from_slice(FILLER);
    message
}

/// The number of a message; `None` if it has another form.
pub(crate) fn read(message: &[u8]) -> Option<u64> {
    let (digits, filler) = message.split_first_chunk::<DIGITS>()?;
    if filler != FILLER {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_holds_its_number() {
        for number in [0, 7, 1_234_567_890] {
            assert_eq!(read(&write(number)), Some(number));
        }
    }

    #[test]
    fn a_message_that_has_changed_is_none() {
        let message = write(3);
        assert_eq!(read(&message[..SIZE - 1]), None);
        for index in [0, SIZE - 1] {
            let mut changed = message;
            changed[index] = b'x';
            assert_eq!(read(&changed), None);
        }
    }
}
