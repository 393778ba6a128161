//! Measured values: one JSON object a line for programs, a table for people.

use serde_json::{Value, json};

use crate::table::{digits, lay_out};

/// One measured value, a median where several were taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Which measurement.
    pub(super) bench: String,
    /// Under which conditions.
    pub(super) case: String,
    /// Of whom.
    pub(super) subject: String,
    /// What was measured.
    pub(super) metric: String,
    /// How much.
    pub(super) value: f64,
    /// Of what.
    pub(super) unit: String,
}

impl Row {
    /// The row as one JSON object.
    fn to_json(&self) -> Value {
        let Self { bench, case, subject, metric, value, unit } = self;
        json!({"bench": bench, "case": case, "subject": subject, "metric": metric, "value": value, "unit": unit})
    }

    /// Reads what [`Row::to_json`] wrote; `None` when a field is absent.
    pub(super) fn from_json(text: &str) -> Option<Self> {
        let object: Value = serde_json::from_str(text).ok()?;
        let field = |name: &str| object[name].as_str().map(str::to_owned);
        Some(Self {
            bench: field("bench")?,
            case: field("case")?,
            subject: field("subject")?,
            metric: field("metric")?,
            value: object["value"].as_f64()?,
            unit: field("unit")?,
        })
    }
}

/// Prints rows of one bench to standard output.
pub(super) fn print(rows: &[Row], json: bool) {
    if json {
        for row in rows {
            println!("{}", row.to_json());
        }
    } else if let Some(first) = rows.first() {
        println!("== {}\n{}\n", first.bench, tables(rows));
    }
}

/// A table for each case: one line for a subject, one column for a metric.
fn tables(rows: &[Row]) -> String {
    let cases = in_order(rows.iter().map(|row| row.case.as_str()));
    let tables = cases.iter().map(|case| {
        let of_case: Vec<&Row> = rows.iter().filter(|row| row.case == *case).collect();
        format!("{case}\n{}", table(&of_case))
    });
    tables.collect::<Vec<_>>().join("\n\n")
}

fn table(rows: &[&Row]) -> String {
    let columns = in_order(rows.iter().map(|row| (row.metric.as_str(), row.unit.as_str())));
    let subjects = in_order(rows.iter().map(|row| row.subject.as_str()));
    let titles: Vec<String> = columns.iter().map(|(metric, unit)| format!("{metric} [{unit}]")).collect();
    let head: Vec<&str> = std::iter::once("subject").chain(titles.iter().map(String::as_str)).collect();
    let body: Vec<_> = subjects.iter().map(|subject| line(rows, subject, &columns)).collect();
    lay_out(&head, &body)
}

fn line(rows: &[&Row], subject: &str, columns: &[(&str, &str)]) -> Vec<String> {
    let cell = |(metric, unit): &(&str, &str)| {
        let mut own = rows.iter().filter(|row| row.subject == subject);
        own.find(|row| row.metric == *metric && row.unit == *unit).map_or("-".into(), |row| digits(row.value))
    };
    std::iter::once(subject.to_owned()).chain(columns.iter().map(cell)).collect()
}

/// Each value once, in the order of first appearance.
fn in_order<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for value in all {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

/// The middle value; `None` of nothing.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(subject: &str, metric: &str, value: f64, unit: &str) -> Row {
        let [subject, metric, unit] = [subject, metric, unit].map(str::to_owned);
        Row { bench: "policy".into(), case: "10 connections".into(), subject, metric, value, unit }
    }

    #[test]
    fn a_row_is_one_json_object_with_the_fields_in_order() {
        let row = row("echo", "rps", 170_704.0, "1/s");
        let text = row.to_json().to_string();
        assert_eq!(
            text,
            r#"{"bench":"policy","case":"10 connections","subject":"echo","metric":"rps","value":170704.0,"unit":"1/s"}"#
        );
        assert_eq!(Row::from_json(&text), Some(row));
        assert_eq!(Row::from_json("warming up"), None);
    }

    #[test]
    fn a_case_has_a_table_with_a_line_for_a_subject_and_its_own_columns() {
        let other = Row { case: "1 connection".into(), ..row("echo", "p99_us", 10.9, "us") };
        let rows = [
            row("echo", "rps", 170_704.0, "1/s"),
            row("echo", "cpu_us", 5.2, "us"),
            row("postgrey", "rps", 1855.0, "1/s"),
            other,
        ];
        assert_eq!(
            tables(&rows),
            "10 connections\n\
             subject   rps [1/s]  cpu_us [us]\n\
             echo         170704        5.200\n\
             postgrey       1855            -\n\
             \n\
             1 connection\n\
             subject  p99_us [us]\n\
             echo           10.90"
        );
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([]), None);
    }
}
