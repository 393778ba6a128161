//! One JSON object a line, and the size of a bench.

/// How much a bench does.
pub(crate) struct Bench {
    /// Rounds of each subject; figures are medians over them.
    pub(crate) rounds: usize,
    /// Observations of one round, about.
    pub(crate) observations: usize,
}

impl Bench {
    pub(crate) const FULL: Bench = Bench { rounds: 7, observations: 1_000_000 };
    pub(crate) const QUICK: Bench = Bench { rounds: 3, observations: 250_000 };
}

/// Prints one figure. Names are ours and need no escaping.
pub(crate) fn figure(case: &str, subject: &str, metric: &str, value: f64, unit: &str) {
    println!(
        r#"{{"bench":"engine","case":"{case}","subject":"{subject}","metric":"{metric}","value":{value:.3},"unit":"{unit}"}}"#
    );
}

/// The middle value.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
