use std::fmt;

use thiserror::Error;

/// Why a check ends before its end.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Stop {
    /// What was expected, and what came.
    #[error("{0}")]
    Failed(String),
    /// What would be needed.
    #[error("{0}")]
    Skipped(String),
}

pub(crate) type Outcome<T = ()> = Result<T, Stop>;

/// Ends a check that has found something else than it expected.
pub(crate) fn failed<T>(expected: impl fmt::Display, came: impl fmt::Display) -> Outcome<T> {
    Err(Stop::Failed(format!("expected {expected}, got {came}")))
}

/// Ends a check unless the condition holds.
pub(crate) fn require(holds: bool, expected: impl fmt::Display, came: impl fmt::Display) -> Outcome {
    if holds { Ok(()) } else { failed(expected, came) }
}
