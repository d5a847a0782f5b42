//! Starts an example: on tokio in a native program, on the event loop of the page in a browser.

use std::{error::Error, future::Future};

/// Runs an example with the URL of its first argument, or with the default.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn start<F: Future<Output = Result<(), Box<dyn Error>>>>(
    default_url: &str,
    example: impl FnOnce(String) -> F,
) {
    let url = std::env::args().nth(1).unwrap_or_else(|| default_url.to_owned());
    let runtime = tokio::runtime::Runtime::new().expect("the system has threads for a runtime");
    if let Err(error) = runtime.block_on(example(url)) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

/// Runs an example with the default URL. The result is in the console of the browser.
#[cfg(target_family = "wasm")]
pub(crate) fn start<F: Future<Output = Result<(), Box<dyn Error>>> + 'static>(
    default_url: &str,
    example: impl FnOnce(String) -> F,
) {
    let run = example(default_url.to_owned());
    wasm_bindgen_futures::spawn_local(async move {
        if let Err(error) = run.await {
            web_sys::console::error_1(&error.to_string().into());
        }
    });
}

/// Prints a line, in a browser to its console.
pub(crate) fn print(line: &str) {
    #[cfg(not(target_family = "wasm"))]
    println!("{line}");
    #[cfg(target_family = "wasm")]
    web_sys::console::log_1(&line.into());
}
