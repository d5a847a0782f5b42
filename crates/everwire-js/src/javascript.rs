use std::fmt::Write;

use everwire_core::protocol::{ErrorCode, GapReason};

use crate::{Operands, codes, options};

/// The module that the package's JavaScript imports as `build/codes.js`: the numbers that cross the border under the names that they
/// have in [`codes`], the names of causes and the like as the application gets them, in the order of their numbers, and the defaults of
/// all options. The build writes it, so that the two languages cannot disagree.
pub fn javascript() -> String {
    let mut text =
        String::from("// Generated from the crate's src/codes.rs and src/options.rs by `cargo xtask npm`.\n");
    for (table, names) in codes::TABLES {
        constants(&mut text, table, names);
    }
    constants(&mut text, "option", options::NAMES);
    _ = writeln!(
        text,
        "export const OPERANDS = {};\nexport const OPERAND_CURSOR = {};",
        Operands::COUNT,
        Operands::CURSOR
    );
    // The last one of these two is not for the application by this name.
    list(&mut text, "CAUSES", &codes::cause::NAMES[..codes::cause::BY_APPLICATION as usize], kebab_case);
    list(&mut text, "DISCARDED", codes::discarded::NAMES, kebab_case);
    list(&mut text, "ATTACHMENTS", codes::attachment::NAMES, kebab_case);
    list(&mut text, "OVERS", codes::over::NAMES, kebab_case);
    list(&mut text, "REFUSALS", codes::refusal::NAMES, kebab_case);
    list(&mut text, "ERROR_CODES", &ErrorCode::ALL.map(ErrorCode::as_str), str::to_owned);
    // The first ones of these end a connection.
    let fatal = ErrorCode::ALL.iter().take_while(|code| code.is_fatal()).count();
    _ = writeln!(text, "export const FATAL_CODES = {fatal};");
    list(&mut text, "GAP_REASONS", &GapReason::ALL.map(GapReason::as_str), str::to_owned);
    list(&mut text, "STATS", &codes::stat::NAMES[..codes::stat::CLOCK_OFFSET as usize], camel_case);
    defaults(&mut text);
    text
}

fn constants(text: &mut String, table: &str, names: &[&str]) {
    for (number, name) in names.iter().enumerate() {
        let name = format!("{table}_{name}").to_uppercase();
        _ = writeln!(text, "export const {name} = {number};");
    }
}

fn list(text: &mut String, name: &str, names: &[&str], case: fn(&str) -> String) {
    let names: Vec<_> = names.iter().map(|name| format!("\"{}\"", case(name))).collect();
    _ = writeln!(text, "export const {name} = [{}];", names.join(", "));
}

fn defaults(text: &mut String) {
    text.push_str("/** The defaults of all options, in ms and bytes. */\nexport const defaults = Object.freeze({\n");
    for (group, options) in options::defaults() {
        let members: Vec<_> = options.into_iter().map(|(name, value)| member(name, value)).collect();
        let members = members.join(", ");
        _ = match group {
            "" => writeln!(text, "  {members},"),
            _ => writeln!(text, "  {group}: Object.freeze({{ {members} }}),"),
        };
    }
    text.push_str("});\n");
}

fn member(name: &str, value: f64) -> String {
    let value = match name {
        "when_full" => if value > 0.0 { "\"drop-oldest\"" } else { "\"refuse\"" }.to_owned(),
        _ if value.is_infinite() => "Infinity".to_owned(),
        _ => value.to_string(),
    };
    format!("{}: {value}", camel_case(name))
}

fn kebab_case(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}

fn camel_case(name: &str) -> String {
    let mut parts = name.split('_').map(str::to_lowercase);
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| {
        let (initial, rest) = part.split_at(1);
        initial.to_uppercase() + rest
    });
    first + &rest.collect::<String>()
}
