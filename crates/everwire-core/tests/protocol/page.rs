//! Reads the tables of `docs/protocol.md`.

const PAGE: &str = include_str!("../../../../docs/protocol.md");

/// The text of a section.
pub(crate) fn section(title: &str) -> &'static str {
    let (_, after) = PAGE.split_once(&format!("\n## {title}\n")).unwrap_or_else(|| panic!("no section {title:?}"));
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
