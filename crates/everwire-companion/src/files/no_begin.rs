use std::time::Duration;

use super::name::BadName;

/// Why an upload cannot begin, in a sentence for the visitor.
#[derive(Debug)]
pub(crate) struct NoBegin {
    pub(crate) why: String,
    /// Whether asking once more, as it was asked, would lead to the same.
    pub(crate) is_final: bool,
}

impl NoBegin {
    pub(crate) fn for_good(why: String) -> Self {
        Self { why, is_final: true }
    }

    pub(crate) fn for_now(why: String) -> Self {
        Self { why, is_final: false }
    }
}

impl From<BadName> for NoBegin {
    fn from(bad: BadName) -> Self {
        Self::for_good(bad.to_string())
    }
}

/// A size as people read it.
pub(crate) fn bytes(size: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    match size {
        0..1_000 => format!("{size} B"),
        1_000..1_000_000 => format!("{:.1} kB", size as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", size as f64 / 1e6),
        _ => format!("{:.1} GB", size as f64 / 1e9),
    }
}

/// A span as people wait for it.
pub(crate) fn minutes(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..=90 => format!("{} s", seconds.max(1)),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}
