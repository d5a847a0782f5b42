//! Reads the sections and tables of `docs/protocol.md`. Other test targets, the fuzz target and the conformance suite include this file as a
//! module.

const SPECIFICATION: &str = include_str!("../../../../docs/protocol.md");

/// How a side reacts to a line in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    Attach,
    Handle,
    Close,
    Ignore,
    /// Ends the connection with this error.
    Unexpected,
    /// Ends the connection with this error.
    Malformed,
    /// Answers with this error, and continues.
    UnknownLine,
}

impl Reaction {
    fn parse(word: &str) -> Self {
        match word {
            "attach" => Self::Attach,
            "handle" => Self::Handle,
            "close" => Self::Close,
            "ignore" => Self::Ignore,
            "unexpected" => Self::Unexpected,
            "malformed" => Self::Malformed,
            "unknown-line" => Self::UnknownLine,
            other => panic!("{other:?} is not a reaction"),
        }
    }
}

/// A cell of the tables of states and lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    /// A type, `malformed`, or `a type of no client` (or server).
    pub(crate) line: String,
    pub(crate) state: String,
    pub(crate) reaction: Reaction,
}

/// The server's reaction to each line in each state.
pub(crate) fn server_reactions() -> Vec<Cell> {
    reactions("received by the server")
}

/// The client's reaction to each line in each state.
pub(crate) fn client_reactions() -> Vec<Cell> {
    reactions("received by the client")
}

fn reactions(corner: &str) -> Vec<Cell> {
    let table = tables("What each side does with each line").into_iter().find(|table| table[0][0] == corner);
    let table = table.unwrap_or_else(|| panic!("no table begins with {corner:?}"));
    let mut cells = Vec::new();
    for row in &table[1..] {
        assert_eq!(row.len(), table[0].len(), "each cell is filled: {row:?}");
        for (state, reaction) in table[0].iter().zip(row).skip(1) {
            let reaction = Reaction::parse(reaction);
            cells.push(Cell { line: row[0].clone(), state: state.clone(), reaction });
        }
    }
    cells
}

/// The text of a section.
pub(crate) fn section(title: &str) -> &'static str {
    let (_, after) =
        SPECIFICATION.split_once(&format!("\n## {title}\n")).unwrap_or_else(|| panic!("no section {title:?}"));
    after.split("\n## ").next().unwrap_or(after)
}

/// The tables of a section: rows of cells, the first of which are the headings.
pub(crate) fn tables(title: &str) -> Vec<Vec<Vec<String>>> {
    let mut tables = vec![Vec::new()];
    for line in section(title).lines() {
        let row = line.strip_prefix('|').and_then(|line| line.strip_suffix('|'));
        match (row, tables.last_mut()) {
            (Some(row), Some(table)) if !row.starts_with("---") => {
                // A bar within a cell is escaped.
                let row = row.replace("\\|", "\u{0}");
                table.push(row.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect());
            }
            (None, Some(table)) if !table.is_empty() => tables.push(Vec::new()),
            _ => {}
        }
    }
    tables.retain(|table| !table.is_empty());
    tables
}
