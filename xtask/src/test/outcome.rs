//! What wasm-bindgen's test runner printed about its tests.

/// Counts over all files of tests in one run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The browsers that were to be started, one a file of tests.
    browsers: usize,
    /// Those that got as far as to run tests.
    ran: usize,
    /// The files of which a test failed or did not end.
    failed: usize,
    /// The tests that passed.
    pub(super) passed: usize,
}

impl Outcome {
    pub(super) fn read(printed: &str) -> Self {
        let mut outcome = Self::default();
        for line in printed.lines() {
            if line.starts_with("Running headless tests in ") {
                outcome.browsers += 1;
            } else if line.starts_with("running ") {
                outcome.ran += 1;
            } else if let Some(result) = line.strip_prefix("test result: ") {
                outcome.failed += usize::from(result.starts_with("FAILED"));
                outcome.passed += passed(result).unwrap_or_default();
            } else if line.starts_with("Failed to detect test as having been run") {
                outcome.failed += 1;
            }
        }
        outcome
    }

    /// Whether what went wrong has nothing to do with the tests. A test that failed is never run again.
    pub(super) const fn browser_did_not_come_up(&self) -> bool {
        self.failed == 0 && self.ran < self.browsers
    }
}

/// Reads `ok. 3 passed; 0 failed; …`.
fn passed(result: &str) -> Option<usize> {
    let count = result.split_once(". ")?.1.split_once(" passed")?.0;
    count.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    const PASSED: &str = "\
Running headless tests in Firefox on `http://127.0.0.1:46035/`
running 3 tests
test two_is_two ... ok
test result: ok. 3 passed; 0 failed; 0 ignored; 0 filtered out; finished in 0.01s
";
    const NO_SESSION: &str = "\
Running headless tests in Firefox on `http://127.0.0.1:46035/`
driver status: signal: 9 (SIGKILL)
Error: non-200 response code: 500
";

    #[test]
    fn passed_tests_of_all_files_are_added_up() {
        let outcome = Outcome::read(&[PASSED, PASSED].concat());
        assert_eq!(outcome, Outcome { browsers: 2, ran: 2, failed: 0, passed: 6 });
        assert!(!outcome.browser_did_not_come_up());
    }

    #[test]
    fn a_browser_that_ran_nothing_may_be_started_again() {
        assert!(Outcome::read(&[PASSED, NO_SESSION].concat()).browser_did_not_come_up());
    }

    #[test]
    fn a_failed_test_is_not_run_again_even_if_another_browser_did_not_come_up() {
        let failed = PASSED.replace("ok. 3 passed; 0 failed", "FAILED. 2 passed; 1 failed");
        let outcome = Outcome::read(&[failed.as_str(), NO_SESSION].concat());
        assert_eq!((outcome.failed, outcome.passed), (1, 2));
        assert!(!outcome.browser_did_not_come_up());
    }

    #[test]
    fn a_page_whose_tests_do_not_end_is_not_loaded_again() {
        let stuck = [NO_SESSION, "Failed to detect test as having been run. It might have timed out.\n"];
        assert!(!Outcome::read(&stuck.concat()).browser_did_not_come_up());
    }
}
