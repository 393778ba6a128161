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
        println!("{}\n{}\n", first.bench, table(rows));
    }
}

/// One line for each case and subject, one column for each metric.
fn table(rows: &[Row]) -> String {
    let columns = in_order(rows.iter().map(|row| (row.metric.as_str(), row.unit.as_str())));
    let lines = in_order(rows.iter().map(|row| (row.case.as_str(), row.subject.as_str())));
    let mut head = vec!["case".to_owned(), "subject".to_owned()];
    head.extend(columns.iter().map(|(metric, unit)| format!("{metric} [{unit}]")));
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let body: Vec<_> = lines.iter().map(|line| table_line(rows, *line, &columns)).collect();
    lay_out(&head, &body)
}

fn table_line(rows: &[Row], (case, subject): (&str, &str), columns: &[(&str, &str)]) -> Vec<String> {
    let cell = |(metric, unit): &(&str, &str)| {
        let mut of_line = rows.iter().filter(|row| row.case == case && row.subject == subject);
        of_line
            .find(|row| row.metric == *metric && row.unit == *unit)
            .map_or("-".into(), |row| digits(row.value))
    };
    [case.to_owned(), subject.to_owned()].into_iter().chain(columns.iter().map(cell)).collect()
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
    fn the_table_has_a_line_for_a_subject_and_a_column_for_a_metric() {
        let rows = [
            row("echo", "rps", 170_704.0, "1/s"),
            row("echo", "cpu_us", 5.2, "us"),
            row("postgrey", "rps", 1855.0, "1/s"),
        ];
        assert_eq!(
            table(&rows),
            "case            subject   rps [1/s]  cpu_us [us]\n\
             10 connections  echo         170704        5.200\n\
             10 connections  postgrey       1855            -"
        );
    }

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([]), None);
    }
}
