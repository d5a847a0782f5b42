/// How many bytes a row of a dump shows.
const BYTES_IN_A_ROW: usize = 16;

/// A dump as `hexdump -C` prints it: the offset, sixteen bytes, and the characters where they are printable ASCII.
/// `offset` is that of the first byte.
pub(in crate::pages::echo) fn dump(bytes: &[u8], offset: usize) -> String {
    /// Offset, bytes, characters, and what stands between them.
    const ROW_LENGTH: usize = 79;
    let mut text = String::with_capacity(bytes.len().div_ceil(BYTES_IN_A_ROW) * ROW_LENGTH);
    for (row, bytes) in bytes.chunks(BYTES_IN_A_ROW).enumerate() {
        let address = u32::try_from(offset + row * BYTES_IN_A_ROW).unwrap_or(u32::MAX);
        address.to_be_bytes().into_iter().for_each(|byte| super::push_byte(&mut text, byte));
        text.push(' ');
        for column in 0..BYTES_IN_A_ROW {
            text.push_str(if column % 8 == 0 { "  " } else { " " });
            match bytes.get(column) {
                Some(byte) => super::push_byte(&mut text, *byte),
                None => text.push_str("  "),
            }
        }
        text.push_str("  |");
        text.extend(bytes.iter().map(|byte| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '.' }));
        text.push_str("|\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_dump_looks_as_hexdump_prints_it() {
        let expected = "\
00000000   57 65 62 53 6f 63 6b 65  74 0a 00 ff 7e 20 7f 41  |WebSocket...~ .A|
00000010   21                                                |!|
";
        assert_eq!(dump(b"WebSocket\n\x00\xff~ \x7fA!", 0), expected);
    }

    proptest! {
        #[test]
        fn pages_of_a_dump_join_to_the_whole(bytes: Vec<u8>, rows in 1..5_usize) {
            let page = rows * BYTES_IN_A_ROW;
            let pages: String = bytes.chunks(page).enumerate().map(|(n, bytes)| dump(bytes, n * page)).collect();
            prop_assert_eq!(pages, dump(&bytes, 0));
        }

        #[test]
        fn the_digits_of_a_dump_are_those_of_the_bytes(bytes: Vec<u8>) {
            let text = dump(&bytes, 0);
            let digits: String = text.lines().map(|line| line[10..60].to_owned()).collect();
            prop_assert_eq!(super::super::parse(&digits), Ok(bytes));
        }
    }
}
