use std::fs;

/// Where the kernel tells a program about its world the size of a page is under this number (`getauxval(3)`).
const AT_PAGESZ: usize = 6;

/// Bytes in a page of memory. The common size where the system does not tell.
pub(super) fn page_size() -> u64 {
    let told = fs::read("/proc/self/auxv").ok().and_then(|auxv| in_auxv(&auxv));
    told.unwrap_or(4096)
}

/// Pairs of words: what it is, and its value.
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
    fn the_size_stands_among_other_things() {
        let auxv: Vec<u8> =
            [33, 7, AT_PAGESZ, 16_384, 17, 100, 0, 0].into_iter().flat_map(usize::to_ne_bytes).collect();
        assert_eq!(in_auxv(&auxv), Some(16_384));
        assert_eq!(in_auxv(&auxv[..3]), None);
    }
}
