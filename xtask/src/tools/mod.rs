//! What the chores need installed: the table, and how to see whether an entry is there.
//!
//! # Layout
//! - [`apt`], [`cargo`], [`npm`], [`rustup`]: one kind of installation each

use anyhow::Result;

use crate::workspace::Workspace;

pub(crate) mod apt;
pub(crate) mod cargo;
pub(crate) mod npm;
pub(crate) mod rustup;

/// What a chore is about to do that needs tools.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Lint,
    Native,
    Demos,
    Wasm,
    EndToEnd,
    Npm,
    Bench,
    BenchServer,
    Lab,
}

impl Need {
    pub(crate) const ALL: [Self; 9] = [
        Self::Lint,
        Self::Native,
        Self::Demos,
        Self::Wasm,
        Self::EndToEnd,
        Self::Npm,
        Self::Bench,
        Self::BenchServer,
        Self::Lab,
    ];
}

/// One entry of the table.
pub(crate) struct Tool {
    /// What it is called where it comes from.
    pub(crate) name: &'static str,
    /// The version to install, or a word for "any".
    pub(crate) version: String,
    pub(crate) why: &'static str,
    /// How long an installation takes on a machine with two cores.
    pub(crate) takes: &'static str,
    pub(crate) source: Source,
    needs: &'static [Need],
}

/// Where a tool comes from, with what is needed to look for it and to install it.
pub(crate) enum Source {
    /// The person's own: it was there before this project.
    Person {
        program: &'static str,
        least: u32,
        advice: &'static str,
    },
    RustComponent,
    RustTarget,
    /// A crate that holds programs.
    Cargo(cargo::Program),
    /// The packages of the workspace's package-lock.json.
    Npm,
    /// A Debian package, and a program or file that shows whether it is there.
    Apt {
        shows: &'static str,
    },
}

/// Every tool, in the order of installation: what the later ones are installed by comes first.
#[rustfmt::skip]
fn table(workspace: &Workspace) -> Result<Vec<Tool>> {
    use Need::{Bench, BenchServer, Demos, EndToEnd, Lab, Lint, Native, Npm, Wasm};
    let any = || String::from("any version");
    let wasm_bindgen = workspace.locked_version("wasm-bindgen")?;
    Ok(vec![
        Tool {
            name: "node", version: "20 or newer".into(), source: Source::Person { program: "node", least: 20, advice: "install Node.js from nodejs.org" },
            why: "runs npm and the end-to-end tests", takes: "a few minutes",
            needs: &[Lint, Demos, EndToEnd, Npm, Bench, BenchServer, Lab],
        },
        Tool {
            name: "npm", version: "9 or newer".into(), source: Source::Person { program: "npm", least: 9, advice: "install Node.js from nodejs.org, it brings npm" },
            why: "installs the packages in package.json", takes: "a few minutes",
            needs: &[Lint, Demos, EndToEnd, Npm, Bench, BenchServer, Lab],
        },
        Tool {
            name: "rustfmt", version: "of the toolchain".into(), source: Source::RustComponent,
            why: "checks the format", takes: "5 s",
            needs: &[Lint],
        },
        Tool {
            name: "clippy", version: "of the toolchain".into(), source: Source::RustComponent,
            why: "lints", takes: "5 s",
            needs: &[Lint],
        },
        Tool {
            name: "wasm32-unknown-unknown", version: "of the toolchain".into(), source: Source::RustTarget,
            why: "Rust's standard library for the browser", takes: "10 s",
            needs: &[Lint, Native, Demos, Wasm, Npm, Bench],
        },
        Tool {
            name: "chromium", version: any(), source: Source::Apt { shows: "chromium" },
            why: "the browser of the end-to-end tests and one of three for the wasm tests", takes: "2 min",
            needs: &[Wasm, EndToEnd, Bench],
        },
        Tool {
            name: "chromium-driver", version: any(), source: Source::Apt { shows: "chromedriver" },
            why: "lets the wasm tests drive Chromium", takes: "with Chromium",
            needs: &[Wasm],
        },
        Tool {
            name: "firefox-esr", version: any(), source: Source::Apt { shows: "firefox" },
            why: "the second browser of the wasm tests", takes: "with Chromium",
            needs: &[Wasm],
        },
        Tool {
            name: "webkit2gtk-driver", version: any(), source: Source::Apt { shows: "WebKitWebDriver" },
            why: "the third: WebKit, the engine of Safari, with its driver", takes: "with Chromium",
            needs: &[Wasm],
        },
        Tool {
            name: "xvfb", version: any(), source: Source::Apt { shows: "xvfb-run" },
            why: "a screen for WebKit, which has no headless mode", takes: "with Chromium",
            needs: &[Wasm],
        },
        Tool {
            name: "xauth", version: any(), source: Source::Apt { shows: "xauth" },
            why: "xvfb-run calls it", takes: "with Chromium",
            needs: &[Wasm],
        },
        Tool {
            name: "fonts-dejavu-core", version: any(), source: Source::Apt { shows: "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf" },
            why: "letters on the screenshots", takes: "with Chromium",
            needs: &[EndToEnd],
        },
        Tool {
            name: "gzip", version: any(), source: Source::Apt { shows: "gzip" },
            why: "measures the npm package", takes: "5 s",
            needs: &[Npm],
        },
        Tool {
            // Its own lock file names a release of a dependency that has been withdrawn.
            name: "wasm-bindgen-cli", version: wasm_bindgen, source: Source::Cargo(cargo::Program { name: "wasm-bindgen", locked: false, exact: true }),
            why: "joins wasm and JavaScript; has to be the version in Cargo.lock, or nothing links", takes: "2 min",
            needs: &[Demos, Wasm, Bench],
        },
        Tool {
            // 0.22 needs a newer compiler than this project does.
            name: "trunk", version: "0.21.14".into(), source: Source::Cargo(cargo::Program { name: "trunk", locked: true, exact: false }),
            why: "builds the demos", takes: "4 min",
            needs: &[Demos, EndToEnd],
        },
        Tool {
            name: "wasm-pack", version: "0.15.1".into(), source: Source::Cargo(cargo::Program { name: "wasm-pack", locked: true, exact: false }),
            why: "runs the wasm tests in browsers", takes: "1 min",
            needs: &[Wasm],
        },
        Tool {
            name: "geckodriver", version: "0.37.1".into(), source: Source::Cargo(cargo::Program { name: "geckodriver", locked: true, exact: false }),
            why: "lets the wasm tests drive Firefox", takes: "1 min",
            needs: &[Wasm],
        },
        Tool {
            name: "npm packages", version: "of package-lock.json".into(), source: Source::Npm,
            why: "wasm-opt, which makes the demos small, esbuild, which makes the npm package, and the end-to-end tests' runner", takes: "1 min",
            needs: &[Lint, Demos, EndToEnd, Npm, Bench, BenchServer, Lab],
        },
    ])
}

/// The tools that the needs call for and that are not there, or not in the version that it takes.
pub(crate) fn missing(workspace: &Workspace, needs: &[Need]) -> Result<Vec<Tool>> {
    let mut tools = table(workspace)?;
    tools.retain(|tool| tool.needs.iter().any(|need| needs.contains(need)));
    tools.retain(|tool| !tool.is_there(workspace));
    Ok(tools)
}

impl Tool {
    fn is_there(&self, workspace: &Workspace) -> bool {
        match &self.source {
            Source::Person { program, least, .. } => {
                version_of(workspace, program).is_some_and(|version| version[0] >= *least)
            }
            Source::RustComponent => rustup::has_component(workspace, self.name),
            Source::RustTarget => rustup::has_target(workspace, self.name),
            Source::Cargo(program) => program.is_there(workspace, &self.version),
            Source::Npm => npm::is_up_to_date(workspace),
            Source::Apt { shows } => workspace.which(shows).is_some(),
        }
    }

    /// What a person types to install it by hand.
    pub(crate) fn command(&self) -> String {
        match &self.source {
            Source::Person { advice, .. } => (*advice).to_owned(),
            Source::RustComponent => format!("rustup component add {}", self.name),
            Source::RustTarget => format!("rustup target add {}", self.name),
            Source::Cargo(program) => program.install_args(self.name, &self.version).join(" "),
            Source::Npm => "npm ci".to_owned(),
            Source::Apt { .. } => format!("sudo apt-get install {}", self.name),
        }
    }
}

/// The version that a program reports of itself, as numbers.
fn version_of(workspace: &Workspace, program: &str) -> Option<[u32; 3]> {
    let path = workspace.which(program)?;
    let printed = workspace.command(&path.to_string_lossy()).args(["--version"]).output().ok()?;
    printed.split_whitespace().find_map(parse_version)
}

/// Reads `0.21.14`, also with a `v` in front; what follows the third number is left aside.
fn parse_version(text: &str) -> Option<[u32; 3]> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut numbers = text.split(['.', '-', '+']).map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn a_version_is_three_numbers() {
        assert_eq!(parse_version("v20.20.2"), Some([20, 20, 2]));
        assert_eq!(parse_version("0.21.14-beta.1"), Some([0, 21, 14]));
        assert_eq!(parse_version("trunk"), None);
        assert_eq!(parse_version("153.0esr"), None);
    }
}
