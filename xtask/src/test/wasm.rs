//! The tests in browsers, against a companion server of their own.

use anyhow::{Result, ensure};
use clap::ValueEnum;

use super::Options;
use super::browser::{Context, Engine};
use super::native;
use super::outcome::Outcome;
use super::summary::Summary;
use crate::scratch::Scratch;
use crate::server::{self, Purpose, Server};
use crate::workspace::Workspace;

/// Where the companion server listens for these tests, unless somebody else does. Its address is compiled into the
/// tests, so that another one costs another compilation.
const PORT: u16 = 9137;

/// How often a browser may fail to come up before that counts. On a busy machine its driver gives up early.
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
    // Yew draws a page, and a worker has none.
    Suite { package: "everwire-yew", contexts: &[Context::Window] },
];

/// Unit tests and integration tests. The examples in the documentation are native tests.
const TESTS: [&str; 3] = ["--lib", "--test", "*"];

pub(super) fn run(workspace: &Workspace, options: &Options, summary: &mut Summary) {
    let Some(server) = summary.step("companion server", || start_server(workspace)) else {
        return;
    };
    let asked = |engine: &Engine| options.browser.is_empty() || options.browser.contains(engine);
    let engines: Vec<Engine> = Engine::value_variants().iter().copied().filter(asked).collect();
    for suite in &SUITES {
        let package = suite.package;
        let build = || suite.build(workspace, &server);
        if summary.step(format!("wasm, {package}, build"), build).is_none() {
            continue;
        }
        for engine in &engines {
            for context in suite.contexts {
                let step = format!("wasm, {package}, {} {}", engine.name(), context.name());
                summary.step(step, || suite.run(workspace, &server, *engine, *context, options));
            }
        }
    }
}

fn start_server(workspace: &Workspace) -> Result<Server> {
    let program = native::build_server(workspace)?;
    let log = workspace.target()?.join("xtask/wasm-tests-server.log");
    Server::start(workspace, &program, server::free_port(PORT)?, &Purpose::Tests { log: &log })
}

impl Suite {
    /// Compiles the tests once for all browsers.
    fn build(&self, workspace: &Workspace, server: &Server) -> Result<()> {
        let build = ["test", "--no-run", "--target", "wasm32-unknown-unknown"];
        let build = workspace.command("cargo").args(build).args(["--package", self.package]);
        build.args(TESTS).env("EVERWIRE_TEST_SERVER", server.web_socket_address()).run()
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
            let mut test = engine.wasm_pack(workspace);
            for (name, value) in LIMITS.into_iter().chain([(context.variable(), "1")]) {
                test = test.env(name, value);
            }
            let (result, printed) = scratch
                .contain(test)
                .env("EVERWIRE_TEST_SERVER", server.web_socket_address())
                .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", workspace.root().join("xtask/webdriver.json"))
                .args([format!("crates/{}", self.package)])
                .args(TESTS)
                .args(["--"])
                .args(&options.filter)
                .run_and_read()?;
            let outcome = Outcome::read(&printed);
            if result.is_err() && outcome.browser_did_not_come_up() && start < STARTS {
                eprintln!("{} did not come up; starting it again", engine.name());
                continue;
            }
            result?;
            ensure!(outcome.passed > 0 || options.filter.is_some(), "no test ran");
            break;
        }
        Ok(())
    }
}
