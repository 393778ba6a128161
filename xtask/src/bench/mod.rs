//! `cargo xtask bench`: Mailward and its peers, measured in one interleaved run.
//!
//! The task builds the optimised programs, then hands over to the optimised build of
//! itself, so that a load generator never runs unoptimised. Rows go to standard
//! output, remarks to standard error.

pub(crate) mod dns;
pub(crate) mod echo;
mod histogram;
pub(crate) mod load;
mod meter;
pub(crate) mod milter;
mod own;
mod policy;
mod replay;
mod report;
mod scratch;
mod subjects;

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use clap::{Args, ValueEnum};

use self::report::Row;
use crate::error::TaskError;
use crate::{repo, run};

/// A cold optimised build on two cores, the bundled C libraries included.
const BUILD_LIMIT: Duration = Duration::from_secs(40 * 60);

/// What to measure, and how to show it.
#[derive(Args)]
pub(crate) struct BenchOptions {
    /// Only these; all when none is named.
    #[arg(value_enum)]
    names: Vec<Name>,
    /// Print one JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    /// Fewer and shorter repetitions: good for a look, not for a claim.
    #[arg(long)]
    quick: bool,
}

/// A measurement.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Name {
    /// Answers of DNS block lists, and how long changes take.
    Dns,
    /// Observations judged, and what is remembered of a key.
    Engine,
    /// Look-ups and changes of the address index.
    Index,
    /// What a milter costs a real Postfix, and by itself.
    Milter,
    /// Answers to Postfix's policy requests.
    Policy,
    /// A million recorded sessions, replayed.
    Replay,
}

impl Name {
    const ALL: [Self; 6] = [Self::Dns, Self::Engine, Self::Index, Self::Milter, Self::Policy, Self::Replay];

    fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Engine => "engine",
            Self::Index => "index",
            Self::Milter => "milter",
            Self::Policy => "policy",
            Self::Replay => "replay",
        }
    }

    fn measure(self, quick: bool) -> Result<Vec<Row>, TaskError> {
        match self {
            Self::Dns => dns::dns(quick),
            Self::Engine => own::engine(quick),
            Self::Index => own::index(quick),
            Self::Milter => milter::milter(quick),
            Self::Policy => policy::policy(quick),
            Self::Replay => replay::replay(quick),
        }
    }
}

impl BenchOptions {
    fn chosen(&self) -> &[Name] {
        if self.names.is_empty() { &Name::ALL } else { &self.names }
    }
}

/// Builds what is measured and hands over to the optimised build's [`measure`].
pub(crate) fn bench(options: &BenchOptions) -> Result<bool, TaskError> {
    let mut build = repo::cargo(&["build", "--release", "--locked", "-p", "xtask"]);
    if options.chosen().iter().any(|name| !matches!(name, Name::Engine | Name::Index)) {
        build.args(["-p", "mailward"]);
    }
    run::must(&mut build, BUILD_LIMIT)?;
    if options.chosen().contains(&Name::Dns) {
        let build = ["build", "--release", "--locked", "-p", "edge", "--examples"];
        run::must(&mut repo::cargo(&build), BUILD_LIMIT)?;
    }
    let mut program = Command::new(repo::target().join("release/xtask"));
    program.arg("bench-run").args(std::env::args_os().skip(2));
    let source = program.exec();
    Err(TaskError::Start { program: run::line(&program), source })
}

/// Measures and prints; false when a measurement could not be made.
pub(crate) fn measure(options: &BenchOptions) -> Result<bool, TaskError> {
    let mut all_made = true;
    for name in options.chosen() {
        match name.measure(options.quick) {
            Ok(rows) => report::print(&rows, options.json),
            Err(error) => {
                all_made = false;
                eprintln!("bench {}: {error}", name.name());
            }
        }
    }
    Ok(all_made)
}
