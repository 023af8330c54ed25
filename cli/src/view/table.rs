//! Small tables: columns as wide as their widest cell.

/// The lines of a table, indented by two; the last column is not padded. Empty without rows.
#[must_use]
pub fn table(header: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(header.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::from("  ");
        for (cell, width) in cells.zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 2));
        }
        text.truncate(text.trim_end().len());
        text
    };
    let mut lines = vec![line(&mut header.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["shop/data".to_owned(), "kept".to_owned()], vec!["x".to_owned(), "LOST".to_owned()]];
        assert_eq!(table(&["VOLUME", "FATE"], &rows), ["  VOLUME     FATE", "  shop/data  kept", "  x          LOST"]);
        assert!(table(&["A"], &[]).is_empty());
    }
}
