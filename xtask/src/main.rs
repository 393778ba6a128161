//! Project tasks: what a contributor and CI run, as `cargo xtask NAME`.
//!
//! A task starts other programs, reads what they print and sums it up. Nothing
//! here is part of the product, and nothing here is needed to run it.

mod bench;
mod beside;
mod debian;
mod demo_data;
mod error;
mod fuzz;
mod judge;
mod libtest;
mod licences;
mod metadata;
mod package;
mod prove;
mod random;
mod repo;
mod run;
mod synth;
mod table;
mod test;
mod tidy;
mod weigh_names;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::TaskError;

/// Project tasks of Mailward.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

/// The tasks, one line of help each.
#[derive(Subcommand)]
enum Task {
    /// Run the tests: fmt, tidy, licences, clippy, unit and world, or the groups named.
    Test(test::TestOptions),
    /// Check the house rules and print each breach with its way out.
    Tidy,
    /// Check every locked package's licence against deny.toml.
    Licences,
    /// Measure Mailward and its peers in one interleaved run and print a table.
    Bench(bench::BenchOptions),
    /// Judge how well recorded real mail is judged, beside what an oracle reaches.
    Judge(judge::JudgeOptions),
    /// Learn from labelled streams what the parts of host names say of access lines.
    WeighNames(weigh_names::WeighOptions),
    /// Build a Debian package in target/debian.
    Package,
    /// Run a long proof, or list them when none is named.
    Prove(prove::ProveOptions),
    /// Make the recorded stream of the demo from a public corpus, or check it.
    DemoData(demo_data::DemoDataOptions),
    /// Internal to `bench`: the measuring run itself, from the optimised build.
    #[command(hide = true)]
    BenchRun(bench::BenchOptions),
    /// Internal to `bench`: the policy load generator.
    #[command(hide = true)]
    PolicyLoad(bench::load::LoadOptions),
    /// Internal to `bench`: a policy server that answers DUNNO and nothing else.
    #[command(hide = true)]
    PolicyEcho(bench::echo::EchoOptions),
    /// Internal to `bench`: a milter that accepts everything.
    #[command(hide = true)]
    MilterBare(bench::milter::bare::BareOptions),
    /// Internal to `bench`: the DNS load generator.
    #[command(hide = true)]
    DnsLoad(bench::dns::load::LoadOptions),
    /// Internal to `bench`: a DNS server that turns questions into answers and nothing else.
    #[command(hide = true)]
    DnsEcho(bench::dns::echo::EchoOptions),
}

/// Whether all was well; the exit code says the same.
type Verdict = Result<bool, TaskError>;

fn main() -> ExitCode {
    match perform(Arguments::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Verdict {
    match task {
        Task::Test(options) => test::test(&options),
        Task::Tidy => tidy::tidy(),
        Task::WeighNames(options) => weigh_names::weigh(&options),
        Task::Licences => licences::licences(),
        Task::Bench(options) => bench::bench(&options),
        Task::Judge(options) => judge::judge(&options),
        Task::Package => package::package(),
        Task::Prove(options) => prove::prove(&options),
        Task::DemoData(options) => demo_data::demo_data(&options),
        Task::BenchRun(options) => bench::measure(&options),
        Task::PolicyLoad(options) => bench::load::load(&options),
        Task::PolicyEcho(options) => bench::echo::echo(&options),
        Task::MilterBare(options) => bench::milter::bare::bare(&options),
        Task::DnsLoad(options) => bench::dns::load::load(&options),
        Task::DnsEcho(options) => bench::dns::echo::echo(&options),
    }
}
