/// A table in the format of RFC 4180.
#[derive(Clone, Debug, Default)]
pub(in crate::pages::lab) struct Csv(String);

impl Csv {
    /// Adds a row. What contains a comma, a quote or a line's end is quoted.
    pub(in crate::pages::lab) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        for (index, cell) in cells.into_iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            let cell = cell.as_ref();
            if cell.contains([',', '"', '\n', '\r']) {
                self.0.push('"');
                self.0.push_str(&cell.replace('"', "\"\""));
                self.0.push('"');
            } else {
                self.0.push_str(cell);
            }
        }
        self.0.push_str("\r\n");
    }

    pub(in crate::pages::lab) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_row_is_quoted() {
        let mut csv = Csv::default();
        csv.row(["plain", "a,b", "say \"hi\"", "two\nlines", ""]);
        assert_eq!(csv.into_text(), "plain,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\r\n");
    }
}
