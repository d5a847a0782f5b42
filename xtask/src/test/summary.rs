//! Runs steps one after the other and tells how they went.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The steps so far.
#[derive(Default)]
pub(super) struct Summary {
    lines: Vec<Line>,
}

struct Line {
    step: String,
    passed: bool,
    took: Duration,
}

impl Summary {
    /// Runs a step and notes how it went. Returns what it made, for the steps that depend on it; a step for which that
    /// is missing is best left out, since the cause stands in the table.
    pub(super) fn step<T>(&mut self, step: impl Into<String>, run: impl FnOnce() -> Result<T>) -> Option<T> {
        let step = step.into();
        println!("\n=== {step}");
        let start = Instant::now();
        let result = run();
        if let Err(error) = &result {
            eprintln!("{step}: {error:#}");
        }
        self.lines.push(Line { step, passed: result.is_ok(), took: start.elapsed() });
        result.ok()
    }

    /// Prints the table. An error means that a step failed.
    pub(super) fn finish(self) -> Result<()> {
        println!("\n{self}");
        let failed = self.lines.iter().filter(|line| !line.passed).count();
        if failed > 0 {
            bail!("{failed} of {} steps failed", self.lines.len());
        }
        Ok(())
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = self.lines.iter().map(|line| line.step.chars().count()).max().unwrap_or(0);
        writeln!(f, "{:width$}  result  seconds", "step")?;
        for Line { step, passed, took } in &self.lines {
            let result = if *passed { "ok" } else { "FAILED" };
            writeln!(f, "{step:width$}  {result:6}  {:7.1}", took.as_secs_f64())?;
        }
        let total: Duration = self.lines.iter().map(|line| line.took).sum();
        write!(f, "{:width$}          {:7.1}", "", total.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::Summary;

    #[test]
    fn a_failed_step_fails_the_whole_and_does_not_stop_the_next() {
        let mut summary = Summary::default();
        assert_eq!(summary.step("first", || bail!("broken")), None::<()>);
        assert_eq!(summary.step("second", || Ok(2)), Some(2));
        let table = summary.to_string();
        assert!(table.contains("first   FAILED"), "{table}");
        assert!(table.contains("second  ok"), "{table}");
        assert!(summary.finish().is_err());
    }
}
