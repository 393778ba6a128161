//! One JSON object a line, and the size of a bench.

use std::time::Duration;

/// How much a bench does.
pub(crate) struct Bench {
    /// Runs of each subject; figures are medians over them.
    pub(crate) runs: usize,
    /// Look-ups in a run.
    pub(crate) lookups: usize,
    /// How long changes and look-ups run side by side.
    pub(crate) lasts: Duration,
}

/// For [`quantile`].
pub(crate) const MEDIAN: usize = 500;

/// Prints one figure. Names are ours and need no escaping.
pub(crate) fn figure(case: &str, subject: &str, metric: &str, value: f64, unit: &str) {
    println!(
        r#"{{"bench":"index","case":"{case}","subject":"{subject}","metric":"{metric}","value":{value:.8},"unit":"{unit}"}}"#
    );
}

/// `1M` for a million.
pub(crate) fn count(n: usize) -> String {
    match n {
        n if n % 1_000_000 == 0 => format!("{}M", n / 1_000_000),
        n if n % 1000 == 0 => format!("{}k", n / 1000),
        n => n.to_string(),
    }
}

/// The value below which `permille` of all lie; sorts them.
pub(crate) fn quantile(values: &mut [f64], permille: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * permille / 1000]
}
