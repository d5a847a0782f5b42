use std::collections::BTreeSet;

use everwire_core::{
    DropCause, ReconnectRules,
    protocol::{ClientLine, ErrorCode, GapReason, ServerLine},
};

use crate::page::{self, Reaction};

/// The types of the forms in the first column.
fn types(title: &str) -> Vec<String> {
    let rows = page::tables(title).concat();
    rows[1..].iter().map(|row| row[0].trim_matches('`').split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_tables_list_the_lines_that_are_read() {
    assert_eq!(types("Lines of the client"), ClientLine::TYPES);
    assert_eq!(types("Lines of the server"), ServerLine::TYPES);
}

#[test]
fn each_word_of_a_line_has_a_form() {
    let forms = page::tables("Framing").concat();
    let forms: BTreeSet<&str> = forms.iter().flat_map(|row| row[0].split(", ")).collect();
    for title in ["Lines of the client", "Lines of the server"] {
        for row in &page::tables(title).concat()[1..] {
            let words = row[0].split(|character: char| !character.is_ascii_uppercase());
            for word in words.filter(|word| !word.is_empty()) {
                // These two occur in one line each, which explains them.
                let is_explained = ["START", "REASON"].contains(&word);
                assert!(is_explained || forms.contains(word), "{word} of {}", row[0]);
            }
        }
    }
}

#[test]
fn the_table_of_errors_has_each_code_and_its_close_code() {
    let rows = page::tables("Errors").concat();
    let mut codes = BTreeSet::new();
    for row in &rows[1..] {
        let code = ErrorCode::parse(&row[0]).unwrap_or_else(|| panic!("{} is not a code", row[0]));
        assert_eq!(row[1], code.close_code().map_or("–".to_owned(), |code| code.to_string()), "{code}");
        assert_eq!(code.is_fatal(), row[1] != "–");
        assert!(codes.insert(code.as_str()), "{code} is listed once");
    }
    assert_eq!(codes, ErrorCode::ALL.map(ErrorCode::as_str).into_iter().collect());
}

#[test]
fn a_close_code_names_one_error() {
    for code in ErrorCode::ALL {
        assert_eq!(code.close_code().and_then(ErrorCode::from_close_code), code.close_code().map(|_| code));
    }
    assert_eq!(ErrorCode::from_close_code(1006), None);
}

#[test]
fn a_connection_is_retried_after_the_close_codes_where_the_table_says_so() {
    let rules = ReconnectRules { renews_credentials: true, ..ReconnectRules::default() };
    for row in &page::tables("Errors").concat()[1..] {
        let Some(close_code) = ErrorCode::parse(&row[0]).and_then(ErrorCode::close_code) else { continue };
        let decision = rules.default_decision(&DropCause::closed(close_code, true));
        let is_retried = decision != everwire_core::Decision::Stop;
        let says_so = row[3].starts_with("Connect again") || row[3].starts_with("Correct the sender");
        assert_eq!(is_retried, says_so, "{}: {}", row[0], row[3]);
    }
}

#[test]
fn the_reasons_of_a_gap_are_those_of_the_page() {
    let rows = page::tables("Lines of the server").concat();
    let gap = rows.iter().find(|row| row[0].starts_with("`gap ")).expect("the table lists gap");
    for reason in GapReason::ALL {
        assert!(gap[1].contains(&format!("`{reason}`")), "{reason}");
        assert_eq!(GapReason::parse(reason.as_str()), Some(reason));
    }
}

#[test]
fn each_state_has_a_reaction_to_each_line() {
    let reactions = [
        (page::server_reactions(), ["new", "attached", "closing"], &ClientLine::TYPES[..], "a type of no client"),
        (page::client_reactions(), ["greeting", "attached", "closing"], &ServerLine::TYPES[..], "a type of no server"),
    ];
    for (cells, states, types, unknown) in reactions {
        let expected = types.iter().copied().chain([unknown, "malformed"]);
        let expected: Vec<(&str, &str)> = expected.flat_map(|line| states.map(|state| (line, state))).collect();
        let found: Vec<(&str, &str)> = cells.iter().map(|cell| (cell.line.as_str(), cell.state.as_str())).collect();
        assert_eq!(found, expected);
        for cell in cells {
            assert_eq!(cell.state == "closing", cell.reaction == Reaction::Ignore, "{cell:?}");
        }
    }
}
