//! The tools that the chores need: what they are, whether they are installed, and how to install them.

use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs, thread};

use anyhow::{Result, bail, ensure};

use crate::workspace::Workspace;

/// What a chore is about to do that needs tools.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Lint,
    Native,
    Demos,
    Wasm,
    EndToEnd,
    Npm,
    Package,
    Bench,
    BenchServer,
    Lab,
}

impl Need {
    pub(crate) const ALL: [Self; 10] = [
        Self::Lint,
        Self::Native,
        Self::Demos,
        Self::Wasm,
        Self::EndToEnd,
        Self::Npm,
        Self::Package,
        Self::Bench,
        Self::BenchServer,
        Self::Lab,
    ];
}

struct Tool {
    /// The name of the package that holds it.
    name: &'static str,
    /// The version to install, or a word for "any".
    version: String,
    why: &'static str,
    /// How many seconds an installation takes on a machine with two cores.
    seconds: u32,
    source: Source,
    needs: &'static [Need],
}

/// Where a tool comes from.
enum Source {
    /// Installed before this project, by other means.
    Manual {
        program: &'static str,
        minimum: u32,
        advice: &'static str,
    },
    RustComponent,
    RustTarget,
    /// A crate that contains the program.
    Crate(Program),
    /// The packages of the workspace's package-lock.json.
    Npm,
    /// A Debian package, and a program or file that shows that it is installed.
    Debian {
        provides: &'static str,
    },
}

/// A program in a crate.
struct Program {
    name: &'static str,
    /// Options of `cargo install`.
    options: &'static [&'static str],
    /// The level of optimization if it is compiled here. Most programs only start others, so that they need none.
    opt_level: &'static str,
    /// Whether no other version will do; otherwise a newer one of the same series does as well.
    is_exact: bool,
}

/// Every tool, in the order of installation.
#[rustfmt::skip]
fn table(workspace: &Workspace) -> Result<Vec<Tool>> {
    use Need::{Bench, BenchServer, Demos, EndToEnd, Lab, Lint, Native, Npm, Package, Wasm};
    let any = || String::from("any version");
    let wasm_bindgen = workspace.locked_version("wasm-bindgen")?;
    Ok(vec![
        Tool {
            name: "node", version: "20 or newer".into(), source: Source::Manual { program: "node", minimum: 20, advice: "install Node.js from nodejs.org" },
            why: "runs npm and the end-to-end tests", seconds: 120,
            needs: &[Lint, Demos, EndToEnd, Npm, Bench, BenchServer, Lab],
        },
        Tool {
            name: "npm", version: "9 or newer".into(), source: Source::Manual { program: "npm", minimum: 9, advice: "install Node.js from nodejs.org, it brings npm" },
            why: "installs the packages in package.json", seconds: 0,
            needs: &[Lint, Demos, EndToEnd, Npm, Bench, BenchServer, Lab],
        },
        Tool {
            name: "rustfmt", version: "of the toolchain".into(), source: Source::RustComponent,
            why: "checks the format", seconds: 5,
            needs: &[Lint],
        },
        Tool {
            name: "clippy", version: "of the toolchain".into(), source: Source::RustComponent,
            why: "lints", seconds: 5,
            needs: &[Lint],
        },
        Tool {
            name: "wasm32-unknown-unknown", version: "of the toolchain".into(), source: Source::RustTarget,
            why: "Rust's standard library for the browser", seconds: 10,
            needs: &[Lint, Native, Demos, Wasm, Npm, Bench],
        },
        Tool {
            name: "chromium", version: any(), source: Source::Debian { provides: "chromium" },
            why: "the browser of the end-to-end tests and one of three for the wasm tests", seconds: 120,
            needs: &[Wasm, EndToEnd, Bench],
        },
        Tool {
            name: "chromium-driver", version: any(), source: Source::Debian { provides: "chromedriver" },
            why: "lets the wasm tests drive Chromium", seconds: 0,
            needs: &[Wasm],
        },
        Tool {
            name: "firefox-esr", version: any(), source: Source::Debian { provides: "firefox" },
            why: "the second browser of the wasm tests", seconds: 0,
            needs: &[Wasm],
        },
        Tool {
            name: "webkit2gtk-driver", version: any(), source: Source::Debian { provides: "WebKitWebDriver" },
            why: "the third: WebKit, the engine of Safari, with its driver", seconds: 0,
            needs: &[Wasm],
        },
        Tool {
            name: "xvfb", version: any(), source: Source::Debian { provides: "xvfb-run" },
            why: "a screen for WebKit, which has no headless mode", seconds: 0,
            needs: &[Wasm],
        },
        Tool {
            name: "xauth", version: any(), source: Source::Debian { provides: "xauth" },
            why: "xvfb-run calls it", seconds: 0,
            needs: &[Wasm],
        },
        Tool {
            name: "fonts-dejavu-core", version: any(), source: Source::Debian { provides: "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf" },
            why: "letters on the screenshots", seconds: 0,
            needs: &[EndToEnd],
        },
        Tool {
            name: "gzip", version: any(), source: Source::Debian { provides: "gzip" },
            why: "measures the npm package", seconds: 5,
            needs: &[Npm],
        },
        Tool {
            // Its own lock file names a release of a dependency that has been withdrawn. Of the default features it has TLS, to drive
            // browsers on other machines.
            name: "wasm-bindgen-cli", version: wasm_bindgen, source: Source::Crate(Program { name: "wasm-bindgen", options: &["--no-default-features"], opt_level: "1", is_exact: true }),
            why: "joins wasm and JavaScript; has to be the version in Cargo.lock, or nothing links", seconds: 90,
            needs: &[Demos, Wasm, Bench],
        },
        Tool {
            // 0.22 needs a newer compiler than this project does. The default features download tools, which are installed here.
            name: "trunk", version: "0.21.14".into(), source: Source::Crate(Program { name: "trunk", options: &["--locked", "--no-default-features"], opt_level: "0", is_exact: false }),
            why: "builds the demos", seconds: 120,
            needs: &[Demos, EndToEnd],
        },
        Tool {
            name: "geckodriver", version: "0.37.1".into(), source: Source::Crate(Program { name: "geckodriver", options: &["--locked"], opt_level: "0", is_exact: false }),
            why: "lets the wasm tests drive Firefox", seconds: 40,
            needs: &[Wasm],
        },
        Tool {
            name: "cargo-deny", version: "0.20.2".into(), source: Source::Crate(Program { name: "cargo-deny", options: &["--locked"], opt_level: "0", is_exact: false }),
            why: "checks the licences of dependencies", seconds: 50,
            needs: &[Package],
        },
        Tool {
            name: "npm packages", version: "of package-lock.json".into(), source: Source::Npm,
            why: "wasm-opt, which makes the demos small, esbuild, which makes the npm package, and the end-to-end tests' runner", seconds: 60,
            needs: &[Lint, Demos, EndToEnd, Npm, Bench, BenchServer, Lab],
        },
    ])
}

/// Installs the tools for the needs that are missing, or fails with what to install by hand.
pub(crate) fn ensure_installed(workspace: &Workspace, needs: &[Need]) -> Result<()> {
    let missing = missing(workspace, needs)?;
    if missing.is_empty() {
        println!("Set-up: every tool is installed.");
        return Ok(());
    }
    let minutes = missing.iter().map(|tool| tool.seconds).sum::<u32>().div_ceil(60);
    println!("Set-up: installs {}, once; about {minutes} min on two cores:", count(missing.len()));
    for Tool { name, version, why, .. } in &missing {
        println!("  {name}, {version}: {why}");
    }
    let start = Instant::now();
    install(workspace, &missing)?;
    // Whether a tool is there counts, not whether its installer succeeded.
    let missing = self::missing(workspace, needs)?;
    if missing.is_empty() {
        println!("Set-up: done in {} s.", start.elapsed().as_secs());
        return Ok(());
    }
    bail!(instructions(&missing))
}

/// The tools for the needs that are not installed in the version that is needed.
fn missing(workspace: &Workspace, needs: &[Need]) -> Result<Vec<Tool>> {
    let mut tools = table(workspace)?;
    tools.retain(|tool| tool.needs.iter().any(|need| needs.contains(need)));
    tools.retain(|tool| !tool.is_installed(workspace));
    Ok(tools)
}

/// Tries to install every tool, also after a failure, so that the instructions afterwards are complete. Downloads run while crates are
/// compiled.
fn install(workspace: &Workspace, missing: &[Tool]) -> Result<()> {
    let builds = workspace.target()?.join("xtask/tools");
    let is_debian = |tool: &Tool| matches!(tool.source, Source::Debian { .. });
    let is_crate = |tool: &Tool| matches!(tool.source, Source::Crate(_));
    let (debian, others): (Vec<&Tool>, Vec<&Tool>) = missing.iter().partition(|tool| is_debian(tool));
    let (crates, others): (Vec<&Tool>, Vec<&Tool>) = others.into_iter().partition(|tool| is_crate(tool));
    thread::scope(|scope| {
        scope.spawn(|| {
            if !debian.is_empty() {
                let packages: Vec<&str> = debian.iter().map(|tool| tool.name).collect();
                report(&packages.join(", "), install_debian_packages(workspace, &packages));
            }
        });
        scope.spawn(|| {
            for tool in others {
                report(tool.name, tool.install(workspace, &builds));
            }
        });
        for tool in crates {
            report(tool.name, tool.install(workspace, &builds));
        }
    });
    // Large, and of no more use. It does not exist if no tool was compiled.
    let _ = fs::remove_dir_all(builds);
    Ok(())
}

fn report(name: &str, result: Result<()>) {
    if let Err(error) = result {
        eprintln!("Set-up: {name} cannot be installed: {error:#}");
    }
}

/// What to do by hand, tool by tool.
fn instructions(missing: &[Tool]) -> String {
    let lines = missing.iter().map(|tool| {
        let Tool { name, version, why, .. } = tool;
        format!("\n  {name}, {version}: {why}\n      {}", tool.command_line())
    });
    let lines: String = lines.collect();
    let count = count(missing.len());
    format!(
        "{count} could not be installed. Install by hand, then run this again:{lines}\n\
         The names of packages are Debian's; on another system install the same programs by its own means."
    )
}

fn count(tools: usize) -> String {
    match tools {
        1 => "one tool".to_owned(),
        _ => format!("{tools} tools"),
    }
}

impl Tool {
    fn is_installed(&self, workspace: &Workspace) -> bool {
        match &self.source {
            Source::Manual { program, minimum, .. } => {
                version_of(workspace, program).is_some_and(|version| version[0] >= *minimum)
            }
            Source::RustComponent => has_component(workspace, self.name),
            Source::RustTarget => has_target(workspace, self.name),
            Source::Crate(program) => program.is_installed(workspace, &self.version),
            Source::Npm => npm_packages_are_installed(workspace),
            Source::Debian { provides } => workspace.which(provides).is_some(),
        }
    }

    fn install(&self, workspace: &Workspace, builds: &Path) -> Result<()> {
        match &self.source {
            // All Debian packages are installed at once, and the others by hand.
            Source::Debian { .. } | Source::Manual { .. } => Ok(()),
            Source::RustComponent => install_with_rustup(workspace, "component", self.name),
            Source::RustTarget => install_with_rustup(workspace, "target", self.name),
            Source::Crate(program) => program.install(workspace, builds, self.name, &self.version),
            Source::Npm => install_npm_packages(workspace),
        }
    }

    /// What to type to install it by hand.
    fn command_line(&self) -> String {
        match &self.source {
            Source::Manual { advice, .. } => (*advice).to_owned(),
            Source::RustComponent => format!("rustup component add {}", self.name),
            Source::RustTarget => format!("rustup target add {}", self.name),
            Source::Crate(program) => {
                format!("cargo {}", program.cargo_install(self.name, &self.version).join(" "))
            }
            Source::Npm => "npm ci".to_owned(),
            Source::Debian { .. } => format!("sudo apt-get install {}", self.name),
        }
    }
}

/// A quick build is worth more than a fast program.
const QUICK_BUILD: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
];

impl Program {
    fn is_installed(&self, workspace: &Workspace, version: &str) -> bool {
        let (Some(wanted), Some(found)) = (parse_version(version), version_of(workspace, self.name)) else {
            return false;
        };
        if self.is_exact {
            return found == wanted;
        }
        found[..2] == wanted[..2] && found[2] >= wanted[2]
    }

    /// Downloads it if `cargo binstall` is installed and finds it, or else compiles it. What is compiled on the way goes to `builds`,
    /// where the next tool finds dependencies that both have.
    fn install(&self, workspace: &Workspace, builds: &Path, package: &str, version: &str) -> Result<()> {
        if workspace.which("cargo-binstall").is_some() {
            let binstall = ["binstall", "--no-confirm", "--disable-strategies", "compile"];
            let binstall = workspace.command("cargo").args(binstall).args([format!("{package}@{version}")]);
            if binstall.run().is_ok() && self.is_installed(workspace, version) {
                return Ok(());
            }
        }
        let install = workspace.command("cargo").args(self.cargo_install(package, version));
        let install = install.env("CARGO_TARGET_DIR", builds).env("CARGO_PROFILE_RELEASE_OPT_LEVEL", self.opt_level);
        QUICK_BUILD.into_iter().fold(install, |install, (name, value)| install.env(name, value)).run()
    }

    fn cargo_install<'a>(&self, package: &'a str, version: &'a str) -> Vec<&'a str> {
        [&["install", package, "--version", version], self.options].concat()
    }
}

/// The version that a program reports of itself.
fn version_of(workspace: &Workspace, program: &str) -> Option<[u32; 3]> {
    let path = workspace.which(program)?;
    let printed = workspace.command(&path.to_string_lossy()).args(["--version"]).output().ok()?;
    printed.split_whitespace().find_map(parse_version)
}

/// Reads `0.21.14`, also with a `v` in front; ignores what follows the third number.
fn parse_version(text: &str) -> Option<[u32; 3]> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let mut numbers = text.split(['.', '-', '+']).map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some([next()?, next()?, next()?])
}

/// A toolchain keeps `cargo-fmt` and `cargo-clippy` next to its compiler; rustup's proxies on PATH are always there.
fn has_component(workspace: &Workspace, component: &str) -> bool {
    let program = match component {
        "rustfmt" => "cargo-fmt",
        _ => "cargo-clippy",
    };
    let file = format!("bin/{program}{}", env::consts::EXE_SUFFIX);
    path_from_rustc(workspace, &["--print", "sysroot"]).is_some_and(|root| root.join(file).exists())
}

fn has_target(workspace: &Workspace, target: &str) -> bool {
    let libraries = path_from_rustc(workspace, &["--print", "target-libdir", "--target", target]);
    libraries.is_some_and(|path| path.exists())
}

fn path_from_rustc(workspace: &Workspace, args: &[&str]) -> Option<PathBuf> {
    let printed = workspace.command("rustc").args(args).output().ok()?;
    Some(printed.trim_end().into())
}

/// Adds a `component` or a `target` to the toolchain in use.
fn install_with_rustup(workspace: &Workspace, kind: &str, name: &str) -> Result<()> {
    ensure!(workspace.which("rustup").is_some(), "rustup is not installed");
    workspace.command("rustup").args([kind, "add", name]).run()
}

/// Only root may do this, and only on Debian do the packages have these names.
fn install_debian_packages(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    ensure!(release.lines().any(|line| line.trim() == "ID=debian"), "this system is not Debian");
    ensure!(is_root(), "only root may install packages");
    let apt = || {
        let apt = workspace.command("apt-get").env("DEBIAN_FRONTEND", "noninteractive");
        apt.args(["-o", "Acquire::Retries=3"])
    };
    apt().args(["update"]).run()?;
    apt().args(["install", "--yes", "--no-install-recommends"]).args(packages).run()
}

#[cfg(unix)]
fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

fn npm_packages_are_installed(workspace: &Workspace) -> bool {
    let installed = fs::read(installed_lock(workspace));
    installed.is_ok_and(|lock| fs::read(lock_file(workspace)).is_ok_and(|wanted| wanted == lock))
}

/// Installs exactly what the lock file says, and keeps a copy of it that shows next time what was installed.
fn install_npm_packages(workspace: &Workspace) -> Result<()> {
    // Every test runs in the system's browser.
    let install = workspace.command("npm").args(["ci", "--no-audit", "--no-fund"]);
    install.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1").run()?;
    fs::copy(lock_file(workspace), installed_lock(workspace))?;
    Ok(())
}

fn lock_file(workspace: &Workspace) -> PathBuf {
    workspace.root().join("package-lock.json")
}

fn installed_lock(workspace: &Workspace) -> PathBuf {
    workspace.root().join("node_modules/.installed-lock.json")
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
