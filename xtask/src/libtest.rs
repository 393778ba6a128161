//! Reads what `cargo test` prints: totals, failures, skips and times.
//!
//! The standard harness gives no times for single tests on a stable compiler. What
//! is honest: the time that each test binary reports for itself ("finished in"), and
//! with one test thread the time between two results, which is one test's own. No
//! other format than the harness's default is read.

use std::iter::Sum;
use std::ops::AddAssign;
use std::time::Duration;

/// Counts of tests by how they ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    /// Ran and was right.
    pub(crate) passed: usize,
    /// Ran and was wrong, or ended without saying.
    pub(crate) failed: usize,
    /// Did not run, and said so.
    pub(crate) skipped: usize,
}

impl Tally {
    /// One check that was right or wrong.
    pub(crate) fn one(right: bool) -> Self {
        Self { passed: usize::from(right), failed: usize::from(!right), skipped: 0 }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.skipped += more.skipped;
    }
}

impl AddAssign for Summary {
    fn add_assign(&mut self, more: Self) {
        self.tally += more.tally;
        self.timed.extend(more.timed);
        self.failures.extend(more.failures);
        self.skips.extend(more.skips);
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum += one;
            sum
        })
    }
}

/// How long something took.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Timed {
    /// A test binary, or one test of it.
    pub(crate) name: String,
    /// Wall time.
    pub(crate) lasted: Duration,
}

/// What is timed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Grain {
    /// Test binaries, whose tests run side by side.
    Binaries,
    /// Single tests: only right when the harness runs with one test thread.
    Tests,
}

/// Reads the lines of one `cargo test` run.
pub(crate) struct Reader {
    grain: Grain,
    binary: Option<String>,
    since: Duration,
    tally: Tally,
    timed: Vec<Timed>,
    failures: Vec<String>,
    skips: Vec<String>,
    silent: Vec<String>,
    open: Option<Open>,
}

/// A test that has begun and not ended.
struct Open {
    name: String,
    skipped: Option<String>,
}

/// What a whole `cargo test` run came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Summary {
    /// The counts.
    pub(crate) tally: Tally,
    /// The times, in the order they came.
    pub(crate) timed: Vec<Timed>,
    /// The names of the tests, or binaries, that failed.
    pub(crate) failures: Vec<String>,
    /// The reasons that skipped tests gave.
    pub(crate) skips: Vec<String>,
}

impl Reader {
    /// A reader that has seen nothing yet.
    pub(crate) fn new(grain: Grain) -> Self {
        Self {
            grain,
            binary: None,
            since: Duration::ZERO,
            tally: Tally::default(),
            timed: Vec::new(),
            failures: Vec::new(),
            skips: Vec::new(),
            silent: Vec::new(),
            open: None,
        }
    }

    /// Takes in one line that came `at` after the start of the run.
    pub(crate) fn line(&mut self, line: &str, at: Duration) {
        if let Some(binary) = binary_named(line) {
            self.silent.extend(self.binary.replace(binary));
            self.since = at;
        } else if let Some((tally, lasted)) = result_of(line) {
            self.ended(false, at);
            self.close(tally, lasted);
        } else if let Some((name, rest)) =
            line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "))
        {
            // What printed last without a newline hid its own `ok`.
            self.ended(false, at);
            self.open = Some(Open { name: name.to_owned(), skipped: None });
            self.said(rest.trim_end(), at);
        } else {
            self.said(line.trim_end(), at);
        }
    }

    /// Closes the run; `success` is what the exit status of `cargo test` said.
    pub(crate) fn finish(mut self, success: bool) -> Summary {
        self.silent.extend(self.binary.take());
        if !success {
            let crashed = self.silent.iter().map(|binary| format!("{binary}: ended without a result"));
            self.tally.failed += self.silent.len();
            self.failures.extend(crashed);
        }
        if !success && self.tally.failed == 0 {
            self.tally.failed = 1;
            self.failures.push("cargo test ended with an error and named no test".into());
        }
        // A skipped test returns early, so the harness counted it as passed.
        self.tally.passed = self.tally.passed.saturating_sub(self.skips.len());
        self.tally.skipped += self.skips.len();
        Summary { tally: self.tally, timed: self.timed, failures: self.failures, skips: self.skips }
    }

    fn close(&mut self, tally: Tally, lasted: Duration) {
        let name = self.binary.take().unwrap_or_else(|| "unnamed".into());
        self.tally += tally;
        let ran = tally.passed + tally.failed > 0;
        if self.grain == Grain::Binaries && ran {
            self.timed.push(Timed { name, lasted });
        }
    }

    /// Takes in what the open test, or the harness about it, says. With one test
    /// thread the harness writes `test NAME ... `, then the test prints, then comes
    /// `ok`; with several the whole line comes at once.
    fn said(&mut self, text: &str, at: Duration) {
        match (text, &mut self.open) {
            ("ok" | "FAILED", Some(_)) => self.ended(text == "FAILED", at),
            ("ignored", _) => self.open = None,
            (_, Some(open)) => {
                if let Some(reason) = text.strip_prefix("skipped: ") {
                    open.skipped = Some(reason.to_owned());
                }
            }
            (_, None) => {}
        }
    }

    fn ended(&mut self, failed: bool, at: Duration) {
        let Some(open) = self.open.take() else { return };
        let name = format!("{}: {}", self.binary.as_deref().unwrap_or("unnamed"), open.name);
        if failed {
            self.failures.push(name.clone());
        } else {
            self.skips.extend(open.skipped);
        }
        if self.grain == Grain::Tests {
            self.timed.push(Timed { name, lasted: at.saturating_sub(self.since) });
            self.since = at;
        }
    }
}

/// The test binary that cargo says it runs now: `Running tests/x.rs (…/x-0123)`.
fn binary_named(line: &str) -> Option<String> {
    let line = line.trim_start();
    if let Some(package) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{package} doc tests"));
    }
    let (source, file) = line.strip_prefix("Running ")?.strip_suffix(')')?.rsplit_once(" (")?;
    let stem = file.rsplit('/').next()?;
    let name = stem.rsplit_once('-').map_or(stem, |(name, _hash)| name);
    Some(format!("{name} {}", source.trim_start_matches("unittests ")))
}

/// The counts and the time of a line `test result: ok. 5 passed; …`.
fn result_of(line: &str) -> Option<(Tally, Duration)> {
    // A test that prints without a closing newline may stand in front of it.
    let (_, rest) = line.split_once("test result: ")?;
    let count = |word| number_before(rest, word);
    let tally = Tally { passed: count(" passed")?, failed: count(" failed")?, skipped: count(" ignored")? };
    let seconds = rest.split_once("finished in ").and_then(|(_, time)| time.trim_end().strip_suffix('s'));
    let lasted = seconds.and_then(|s| s.parse().ok()).map_or(Duration::ZERO, Duration::from_secs_f64);
    Some((tally, lasted))
}

fn number_before(text: &str, word: &str) -> Option<usize> {
    let (before, _) = text.split_once(word)?;
    before.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds lines one second apart.
    fn read(grain: Grain, success: bool, lines: &[&str]) -> Summary {
        let mut reader = Reader::new(grain);
        for (second, line) in (0..).zip(lines) {
            reader.line(line, Duration::from_secs(second));
        }
        reader.finish(success)
    }

    fn tally(passed: usize, failed: usize, skipped: usize) -> Tally {
        Tally { passed, failed, skipped }
    }

    const OK: &str =
        "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.25s";
    const BAD: &str =
        "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s";

    #[test]
    fn totals_add_up_over_binaries_and_each_is_timed_by_its_own_word() {
        let got = read(
            Grain::Binaries,
            false,
            &[
                "     Running unittests src/lib.rs (target/debug/deps/wire-0123456789abcdef)",
                "test policy::splits ... ok",
                OK,
                "     Running tests/crash.rs (target/debug/deps/crash-0123456789abcdef)",
                "test survives ... FAILED",
                BAD,
                "   Doc-tests wire",
                "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            ],
        );
        assert_eq!(got.tally, tally(3, 1, 1));
        assert_eq!(got.failures, ["crash tests/crash.rs: survives"]);
        let names: Vec<_> = got.timed.iter().map(|t| (t.name.as_str(), t.lasted.as_millis())).collect();
        assert_eq!(names, [("wire src/lib.rs", 250), ("crash tests/crash.rs", 1500)]);
    }

    #[test]
    fn a_skip_is_not_a_pass_however_often_it_is_said() {
        let lines = [
            "     Running tests/world_postfix.rs (target/debug/deps/world_postfix-01)",
            "test refuses ... skipped: no Postfix here",
            "skipped: and nothing to do",
            "wordsok",
            "test accepts ... ok",
            OK,
        ];
        let got = read(Grain::Tests, true, &lines);
        assert_eq!(got.tally, tally(1, 0, 2));
        assert_eq!(got.skips, ["and nothing to do"]);
    }

    #[test]
    fn with_one_thread_a_test_takes_from_the_result_before_to_its_own() {
        let lines = [
            "Running tests/world_x.rs (deps/world_x-01)",
            "test a ... some words",
            "more words",
            "ok",
            "test b ... ok",
        ];
        let got = read(Grain::Tests, true, &lines);
        let times: Vec<_> = got.timed.iter().map(|t| (t.name.as_str(), t.lasted.as_secs())).collect();
        assert_eq!(times, [("world_x tests/world_x.rs: a", 3), ("world_x tests/world_x.rs: b", 1)]);
    }

    #[test]
    fn a_binary_without_a_result_failed_when_the_run_did() {
        let lines = ["Running tests/crash.rs (deps/crash-01)", "Running tests/next.rs (deps/next-01)", OK];
        assert_eq!(read(Grain::Binaries, false, &lines).tally, tally(2, 1, 1));
        assert_eq!(read(Grain::Binaries, true, &lines).tally, tally(2, 0, 1));
    }

    #[test]
    fn a_run_that_did_not_compile_is_one_failure() {
        assert_eq!(read(Grain::Binaries, false, &["error[E0308]: mismatched types"]).tally, tally(0, 1, 0));
    }

    #[test]
    fn a_result_behind_words_without_a_newline_counts() {
        assert_eq!(read(Grain::Tests, true, &[&format!("words{OK}")]).tally, tally(2, 0, 1));
    }
}
