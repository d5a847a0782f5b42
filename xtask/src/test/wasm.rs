//! The tests of the Rust crates in browsers, against a companion server of their own.

use anyhow::{Result, ensure};
use clap::ValueEnum;

use super::{Options, Run, native};
use crate::demo::{self, Purpose, Server};
use crate::process::{Command, Scratch};
use crate::workspace::Workspace;

/// The port of the companion server for these tests, if it is free. The address is compiled into the tests, so that another one
/// costs another compilation.
const PORT: u16 = 9137;

/// How often a browser may fail to start. On a busy machine its driver gives up early.
const STARTS: usize = 3;

/// The seconds that all tests of one file may take together, and that a driver may take to listen.
const LIMITS: [(&str, &str); 2] = [("WASM_BINDGEN_TEST_TIMEOUT", "600"), ("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "60")];

/// A crate with tests for browsers, and the places where they run.
struct Suite {
    package: &'static str,
    contexts: &'static [Context],
}

const SUITES: [Suite; 2] = [
    Suite { package: "everwire", contexts: &[Context::Window, Context::Worker] },
    // Yew renders into a page, which a worker does not have.
    Suite { package: "everwire-yew", contexts: &[Context::Window] },
];

/// Unit tests and integration tests. The examples in the documentation are native tests.
const TESTS: [&str; 3] = ["--lib", "--test", "*"];

pub(super) fn test(run: &mut Run<'_>) {
    let (workspace, options) = (run.workspace, run.options);
    let Some(server) = run.step("companion server", || start_server(workspace)) else {
        return;
    };
    let is_selected = |engine: &Engine| options.browser.is_empty() || options.browser.contains(engine);
    let engines: Vec<Engine> = Engine::value_variants().iter().copied().filter(is_selected).collect();
    for suite in &SUITES {
        let package = suite.package;
        let build = || suite.build(workspace, &server);
        if run.step(format!("wasm, {package}, build"), build).is_none() {
            continue;
        }
        for engine in &engines {
            for context in suite.contexts {
                let step = format!("wasm, {package}, {} {}", engine.name(), context.name());
                run.step(step, || suite.run(workspace, &server, *engine, *context, options));
            }
        }
    }
}

fn start_server(workspace: &Workspace) -> Result<Server> {
    let program = native::build_server(workspace)?;
    let log = workspace.target()?.join("xtask/wasm-tests-server.log");
    Server::start(workspace, &program, demo::free_port(PORT)?, &Purpose::Tests { log: &log })
}

impl Suite {
    /// Compiles the tests once for all browsers.
    fn build(&self, workspace: &Workspace, server: &Server) -> Result<()> {
        self.cargo_test(workspace.command("cargo"), server).args(["--no-run"]).run()
    }

    fn run(
        &self,
        workspace: &Workspace,
        server: &Server,
        engine: Engine,
        context: Context,
        options: &Options,
    ) -> Result<()> {
        for start in 1.. {
            let scratch = Scratch::new()?;
            let test = self.cargo_test(scratch.contain(engine.cargo(workspace)), server);
            let test = LIMITS.into_iter().fold(test, |test, (name, value)| test.env(name, value));
            let (result, output) = test
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner")
                .env(context.variable(), "1")
                .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", workspace.root().join("xtask/webdriver.json"))
                .args(["--"])
                .args(&options.filter)
                .run_and_read()?;
            let outcome = Outcome::parse(&output);
            if result.is_err() && outcome.browser_did_not_start() && start < STARTS {
                eprintln!("{} did not start; trying again", engine.name());
                continue;
            }
            result?;
            ensure!(outcome.passed > 0 || options.filter.is_some(), "no test ran");
            break;
        }
        Ok(())
    }

    fn cargo_test(&self, cargo: Command, server: &Server) -> Command {
        let test = cargo.args(["test", "--target", "wasm32-unknown-unknown", "--package", self.package]).args(TESTS);
        test.env("EVERWIRE_TEST_SERVER", server.web_socket_address())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Engine {
    Chromium,
    Firefox,
    /// The engine of Safari
    Webkit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Window,
    Worker,
}

impl Engine {
    const fn name(self) -> &'static str {
        match self {
            Self::Chromium => "Chromium",
            Self::Firefox => "Firefox",
            Self::Webkit => "WebKit",
        }
    }

    /// A cargo whose tests run in this engine. The test runner starts the driver that one of these variables names; it takes the driver
    /// of WebKit for that of Safari.
    fn cargo(self, workspace: &Workspace) -> Command {
        let (variable, driver) = match self {
            Self::Chromium => ("CHROMEDRIVER", "chromedriver"),
            Self::Firefox => ("GECKODRIVER", "geckodriver"),
            Self::Webkit => ("SAFARIDRIVER", "WebKitWebDriver"),
        };
        let command = match self {
            // It has no headless mode.
            Self::Webkit => workspace.command("xvfb-run").args(["--auto-servernum", "cargo"]),
            Self::Chromium | Self::Firefox => workspace.command("cargo"),
        };
        command.env(variable, workspace.which(driver).unwrap_or_else(|| driver.into()))
    }
}

impl Context {
    const fn name(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Worker => "worker",
        }
    }

    /// The variable that makes the test runner run tests there that do not say where they run.
    const fn variable(self) -> &'static str {
        match self {
            Self::Window => "WASM_BINDGEN_USE_BROWSER",
            Self::Worker => "WASM_BINDGEN_USE_DEDICATED_WORKER",
        }
    }
}

/// Counts of the output of the test runner, over all files of tests in one run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    /// The browsers that were started, one for each file of tests.
    browsers: usize,
    /// The browsers that ran tests.
    ran: usize,
    /// The files with a test that failed or did not end.
    failed: usize,
    /// The tests that passed.
    passed: usize,
}

impl Outcome {
    fn parse(output: &str) -> Self {
        let mut outcome = Self::default();
        for line in output.lines() {
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

    /// Whether the failure has nothing to do with the tests. A test that failed never runs again.
    const fn browser_did_not_start(&self) -> bool {
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
        let outcome = Outcome::parse(&[PASSED, PASSED].concat());
        assert_eq!(outcome, Outcome { browsers: 2, ran: 2, failed: 0, passed: 6 });
        assert!(!outcome.browser_did_not_start());
    }

    #[test]
    fn a_browser_that_ran_nothing_may_start_again() {
        assert!(Outcome::parse(&[PASSED, NO_SESSION].concat()).browser_did_not_start());
    }

    #[test]
    fn a_failed_test_is_not_run_again_even_if_another_browser_did_not_start() {
        let failed = PASSED.replace("ok. 3 passed; 0 failed", "FAILED. 2 passed; 1 failed");
        let outcome = Outcome::parse(&[failed.as_str(), NO_SESSION].concat());
        assert_eq!((outcome.failed, outcome.passed), (1, 2));
        assert!(!outcome.browser_did_not_start());
    }

    #[test]
    fn a_page_whose_tests_do_not_end_is_not_loaded_again() {
        let stuck = [NO_SESSION, "Failed to detect test as having been run. It might have timed out.\n"];
        assert!(!Outcome::parse(&stuck.concat()).browser_did_not_start());
    }
}
