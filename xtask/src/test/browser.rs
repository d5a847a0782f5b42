//! The engines that the wasm tests run in, and the two places in each.

use clap::ValueEnum;

use crate::command::Command;
use crate::workspace::Workspace;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Engine {
    Chromium,
    Firefox,
    /// The engine of Safari
    Webkit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    Window,
    Worker,
}

impl Engine {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Chromium => "Chromium",
            Self::Firefox => "Firefox",
            Self::Webkit => "WebKit",
        }
    }

    /// `wasm-pack test` in this engine. It names WebKit after the browser that is best known for it, and takes the
    /// driver of any other for it as well.
    pub(super) fn wasm_pack(self, workspace: &Workspace) -> Command {
        let driver = |name| workspace.which(name).unwrap_or_else(|| name.into()).into_os_string();
        let (command, browser, option, driver) = match self {
            Self::Chromium => ("wasm-pack", "--chrome", "--chromedriver", driver("chromedriver")),
            Self::Firefox => ("wasm-pack", "--firefox", "--geckodriver", driver("geckodriver")),
            Self::Webkit => ("xvfb-run", "--safari", "--safaridriver", driver("WebKitWebDriver")),
        };
        let mut command = workspace.command(command);
        if self == Self::Webkit {
            command = command.args(["--auto-servernum", "wasm-pack"]);
        }
        // Everything that it might want to download has been installed.
        command.args(["test", "--mode", "no-install", "--headless", browser, option]).args([driver])
    }
}

impl Context {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Worker => "worker",
        }
    }

    /// What tells wasm-bindgen's test runner where to run tests that do not say so themselves.
    pub(super) const fn variable(self) -> &'static str {
        match self {
            Self::Window => "WASM_BINDGEN_USE_BROWSER",
            Self::Worker => "WASM_BINDGEN_USE_DEDICATED_WORKER",
        }
    }
}
