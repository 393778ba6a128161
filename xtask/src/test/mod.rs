//! `cargo xtask test`: the groups of tests, one after another, and their sum.
//!
//! Everything is built with the dev profile. The last line is the sum over all
//! groups; a rule of tidy, and each of fmt, licences and clippy, counts as one test.

mod groups;

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use crate::error::TaskError;
use crate::libtest::{Summary, Tally, Timed};
use crate::table::lay_out;

/// How many of the slowest are named.
const SLOWEST: usize = 10;

/// What to test.
#[derive(Args)]
pub(crate) struct TestOptions {
    /// Only fmt, tidy, clippy and unit: what one runs before each commit.
    #[arg(long, conflicts_with = "groups")]
    quick: bool,
    /// Only these groups.
    #[arg(value_enum)]
    groups: Vec<Group>,
}

/// A group of tests.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Group {
    /// The layout of the code.
    Fmt,
    /// The house rules.
    Tidy,
    /// The licences of all locked packages.
    Licences,
    /// The compiler's and clippy's warnings, as errors.
    Clippy,
    /// All tests of all crates that need nothing but this program, doc tests included.
    Unit,
    /// Tests against real mail servers and their tools.
    World,
}

impl Group {
    const ALL: &'static [Self] =
        &[Self::Fmt, Self::Tidy, Self::Licences, Self::Clippy, Self::Unit, Self::World];
    const QUICK: &'static [Self] = &[Self::Fmt, Self::Tidy, Self::Clippy, Self::Unit];

    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Tidy => "tidy",
            Self::Licences => "licences",
            Self::Clippy => "clippy",
            Self::Unit => "unit",
            Self::World => "world",
        }
    }

    fn run(self) -> Result<Summary, TaskError> {
        match self {
            Self::Fmt => groups::fmt(),
            Self::Tidy => groups::tidy(),
            Self::Licences => groups::licences(),
            Self::Clippy => groups::clippy(),
            Self::Unit => groups::unit(),
            Self::World => groups::world(),
        }
    }
}

/// A group that was run.
struct Done {
    group: Group,
    lasted: Duration,
    summary: Summary,
}

/// Runs the groups asked for and prints their sum; true when nothing failed.
pub(crate) fn test(options: &TestOptions) -> Result<bool, TaskError> {
    let done: Vec<Done> = chosen(options).iter().map(|group| run(*group)).collect();
    let sum: Tally = done.iter().map(|done| done.summary.tally).sum();
    println!("\n{}\n", minutes(&done));
    print!("{}", slowest(&done));
    print!("{}", remarks(&done));
    println!("{}", closing_line(sum));
    Ok(sum.failed == 0)
}

/// The line that scripts read.
fn closing_line(sum: Tally) -> String {
    format!("{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped)
}

fn chosen(options: &TestOptions) -> &[Group] {
    match (options.quick, options.groups.as_slice()) {
        (true, _) => Group::QUICK,
        (false, []) => Group::ALL,
        (false, named) => named,
    }
}

fn run(group: Group) -> Done {
    println!("== {}", group.name());
    let started = Instant::now();
    let summary = group.run().unwrap_or_else(|error| Summary {
        tally: Tally::one(false),
        failures: vec![error.to_string()],
        ..Summary::default()
    });
    Done { group, lasted: started.elapsed(), summary }
}

fn minutes(done: &[Done]) -> String {
    let row = |done: &Done| {
        let Tally { passed, failed, skipped } = done.summary.tally;
        let minutes = format!("{:.1}", done.lasted.as_secs_f64() / 60.0);
        vec![done.group.name().into(), minutes, passed.to_string(), failed.to_string(), skipped.to_string()]
    };
    lay_out(&["group", "minutes", "passed", "failed", "skipped"], &done.iter().map(row).collect::<Vec<_>>())
}

/// The slowest, with what was timed and how.
fn slowest(done: &[Done]) -> String {
    let mut all: Vec<&Timed> = done.iter().flat_map(|done| &done.summary.timed).collect();
    if all.is_empty() {
        return String::new();
    }
    all.sort_by_key(|timed| std::cmp::Reverse(timed.lasted));
    let rows: Vec<_> = all
        .iter()
        .take(SLOWEST)
        .map(|t| vec![format!("{:.2}", t.lasted.as_secs_f64()), t.name.clone()])
        .collect();
    format!(
        "The ten slowest. A stable compiler times no single test, so these are test binaries by the time that their\n\
         harness reports, and world tests, which run one at a time, by the time between two results.\n{}\n\n",
        lay_out(&["seconds", "test"], &rows)
    )
}

fn remarks(done: &[Done]) -> String {
    let mut text = String::new();
    for Done { group, summary, .. } in done {
        for failure in &summary.failures {
            text.push_str(&format!("failed   {}: {failure}\n", group.name()));
        }
        for skip in &summary.skips {
            text.push_str(&format!("skipped  {}: {skip}\n", group.name()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(group: Group, passed: usize, seconds: u64) -> Done {
        let timed = vec![Timed { name: format!("{} a", group.name()), lasted: Duration::from_secs(seconds) }];
        let tally = Tally { passed, failed: 0, skipped: 1 };
        Done {
            group,
            lasted: Duration::from_secs(90),
            summary: Summary { tally, timed, ..Summary::default() },
        }
    }

    #[test]
    fn the_closing_line_is_the_one_that_scripts_read() {
        let sum =
            [done(Group::Unit, 40, 1), done(Group::World, 2, 1)].iter().map(|done| done.summary.tally).sum();
        assert_eq!(closing_line(sum), "42 passed, 0 failed, 2 skipped");
    }

    #[test]
    fn minutes_are_one_row_a_group() {
        assert_eq!(
            minutes(&[done(Group::Unit, 40, 1)]),
            "group  minutes  passed  failed  skipped\nunit       1.5      40       0        1"
        );
    }

    #[test]
    fn the_slowest_comes_first() {
        let text = slowest(&[done(Group::Unit, 1, 1), done(Group::World, 1, 9)]);
        assert!(text.contains("   9.00  world a\n   1.00  unit a\n"), "{text}");
    }

    #[test]
    fn quick_leaves_the_world_out() {
        assert_eq!(chosen(&TestOptions { quick: true, groups: Vec::new() }), Group::QUICK);
        assert!(!Group::QUICK.contains(&Group::World));
        assert_eq!(chosen(&TestOptions { quick: false, groups: Vec::new() }), Group::ALL);
        assert_eq!(chosen(&TestOptions { quick: false, groups: vec![Group::Tidy] }), [Group::Tidy]);
    }
}
