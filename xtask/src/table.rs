//! Tables for people: columns as wide as they must be, numbers to the right.

/// Lays out rows under a head. A column whose cells are all numbers is set to the right.
pub(crate) fn lay_out(head: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..head.len()).map(|column| width(head, rows, column)).collect();
    let right: Vec<bool> = (0..head.len()).map(|column| numeric(rows, column)).collect();
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let lines = std::iter::once(&head).chain(rows).map(|row| one_line(row, &widths, &right));
    lines.collect::<Vec<_>>().join("\n")
}

fn width(head: &[&str], rows: &[Vec<String>], column: usize) -> usize {
    let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
    cells.chain(head.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0)
}

fn numeric(rows: &[Vec<String>], column: usize) -> bool {
    let number = |cell: &String| cell.is_empty() || cell == "-" || cell.parse::<f64>().is_ok();
    rows.iter().filter_map(|row| row.get(column)).all(number)
}

fn one_line(row: &[String], widths: &[usize], right: &[bool]) -> String {
    let mut line = String::new();
    for ((cell, &width), right) in row.iter().zip(widths).zip(right) {
        let cell = if *right { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
        line.push_str(&cell);
        line.push_str("  ");
    }
    line.trim_end().to_owned()
}

/// A number with as many digits as a reader wants: four significant ones.
pub(crate) fn digits(value: f64) -> String {
    let magnitude = value.abs();
    match magnitude {
        m if m >= 1000.0 => format!("{value:.0}"),
        m if m >= 100.0 => format!("{value:.1}"),
        m if m >= 10.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_words_to_the_left() {
        let rows = vec![vec!["fmt".to_owned(), "1".to_owned()], vec!["clippy".to_owned(), "10".to_owned()]];
        assert_eq!(lay_out(&["group", "passed"], &rows), "group   passed\nfmt          1\nclippy      10");
    }

    #[test]
    fn digits_follow_the_size() {
        assert_eq!([0.1234, 12.345, 123.45, 170_704.4].map(digits), ["0.123", "12.35", "123.5", "170704"]);
    }
}
