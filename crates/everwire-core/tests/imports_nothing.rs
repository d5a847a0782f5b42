//! Compiled to WebAssembly, the core imports nothing: no clock, no randomness, no browser.

use std::{path::Path, process::Command};

use wasmparser::{Name, NameSectionReader, Parser, Payload};

const TARGET: &str = "wasm32-unknown-unknown";

#[test]
fn compiled_to_wasm_the_core_imports_nothing() {
    let module = build();
    let mut imports = Vec::new();
    let mut functions = Vec::new();
    for payload in Parser::new(0).parse_all(&module) {
        match payload.expect("cargo builds valid modules") {
            Payload::ImportSection(section) => {
                imports.extend(section.into_iter().map(|import| format!("{:?}", import.expect("a valid import"))));
            }
            Payload::CustomSection(section) if section.name() == "name" => {
                let reader = wasmparser::BinaryReader::new(section.data(), section.data_offset());
                functions.extend(function_names(NameSectionReader::new(reader)));
            }
            _ => {}
        }
    }
    assert_eq!(imports, [] as [String; 0]);
    // The module contains the state machines and the protocol, and not empty shells of them.
    for part in
        ["dial", "lost", "drain", "wake", "split_binary", "append_binary", "transmit_next", "settle", "answers_after"]
    {
        // Both of rustc's manglings write a name after its length.
        let mangled = format!("{}{part}", part.len());
        let is_it = |name: &String| name.contains("everwire_core") && name.contains(&mangled);
        assert!(functions.iter().any(is_it), "{part} is not in the module");
    }
}

fn function_names(names: NameSectionReader<'_>) -> Vec<String> {
    let mut functions = Vec::new();
    for subsection in names {
        if let Name::Function(map) = subsection.expect("a valid name section") {
            functions.extend(map.into_iter().map(|naming| naming.expect("a valid name").name.to_owned()));
        }
    }
    functions
}

fn build() -> Vec<u8> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    // A directory of its own: this very test's cargo holds the lock of the usual one.
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("imports_nothing");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--example", "imports_nothing", "--target", TARGET, "--target-dir"])
        .arg(&directory)
        // Optimized, small functions are part of others, and not to be found by their names.
        .args(["--config", "profile.dev.package.everwire-core.opt-level = 0"])
        .current_dir(package)
        .output()
        .expect("cargo starts");
    let output = String::from_utf8_lossy(&built.stderr);
    assert!(
        !output.contains("target may not be installed") && !output.contains("can't find crate for `std`"),
        "the target {TARGET} is not installed: run `rustup target add {TARGET}`"
    );
    assert!(built.status.success(), "the example does not build:\n{output}");
    let module = directory.join(TARGET).join("debug/examples/imports_nothing.wasm");
    std::fs::read(&module).unwrap_or_else(|error| panic!("{}: {error}", module.display()))
}
