use std::fs;

/// The key of the page size in the auxiliary vector (`getauxval(3)`).
const AT_PAGESZ: usize = 6;

/// Bytes in a page of memory; 4096 if the system does not report it.
pub(super) fn page_size() -> u64 {
    fs::read("/proc/self/auxv").ok().and_then(|auxv| in_auxv(&auxv)).unwrap_or(4096)
}

/// The auxiliary vector consists of pairs of words: key and value.
fn in_auxv(auxv: &[u8]) -> Option<u64> {
    const WORD: usize = size_of::<usize>();
    let word = |bytes: &[u8]| bytes.try_into().map(usize::from_ne_bytes).ok();
    auxv.chunks_exact(2 * WORD)
        .find(|pair| word(&pair[..WORD]) == Some(AT_PAGESZ))
        .and_then(|pair| word(&pair[WORD..])?.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_size_is_found_among_other_entries() {
        let auxv: Vec<u8> =
            [33, 7, AT_PAGESZ, 16_384, 17, 100, 0, 0].into_iter().flat_map(usize::to_ne_bytes).collect();
        assert_eq!(in_auxv(&auxv), Some(16_384));
        assert_eq!(in_auxv(&auxv[..3]), None);
    }
}
