//! `cargo xtask prove`: the long proofs.
//!
//! A proof is a test that also runs in `cargo xtask test`, there with about one per
//! cent of the rounds; here it gets all of them through an environment variable.

use std::process::Command;
use std::time::Duration;

use clap::Args;

use crate::error::TaskError;
use crate::table::lay_out;
use crate::{repo, run};

/// What to prove.
#[derive(Args)]
pub(crate) struct ProveOptions {
    /// The proof; without one they are listed.
    name: Option<String>,
    /// Rounds instead of the proof's own number.
    #[arg(long)]
    rounds: Option<u64>,
}

/// One long proof.
struct Proof {
    name: &'static str,
    /// What holds when it ends well.
    shows: &'static str,
    /// The variable that the tests read their number of rounds from.
    variable: &'static str,
    rounds: u64,
    /// The runs of cargo that make it up.
    runs: &'static [&'static [&'static str]],
    limit: Duration,
}

/// All proofs.
const PROOFS: &[Proof] = &[
    Proof {
        name: "crash",
        shows: "nothing acknowledged is lost, and no block acts before it is durable, however often the daemon is killed",
        variable: "MAILWARD_PROVE_ROUNDS",
        rounds: 20,
        runs: &[
            &["test", "--locked", "-p", "mailward", "--test", "crash"],
            &["test", "--locked", "-p", "ledger", "--test", "disk", "crash"],
        ],
        limit: Duration::from_secs(60 * 60),
    },
    Proof {
        name: "restart",
        shows: "a restart after a kill keeps all of 100 000 blocks; it prints how long it took",
        variable: "MAILWARD_PROVE_BLOCKS",
        rounds: 100_000,
        runs: &[&[
            "test",
            "--locked",
            "--release",
            "-p",
            "mailward",
            "--test",
            "daemon",
            "a_restart_keeps_all_blocks",
        ]],
        limit: Duration::from_secs(30 * 60),
    },
    Proof {
        name: "fuzz",
        shows: "no mutation of a policy request panics, reads past its end or grows without bound",
        variable: "MAILWARD_FUZZ_ROUNDS",
        rounds: 5_000_000,
        runs: &[&["test", "--locked", "--release", "-p", "wire", "--test", "policy_mutations"]],
        limit: Duration::from_secs(60 * 60),
    },
];

/// Runs the named proof, or lists all; false when it does not hold.
pub(crate) fn prove(options: &ProveOptions) -> Result<bool, TaskError> {
    let Some(name) = &options.name else {
        println!("{}", list());
        return Ok(true);
    };
    let proof = PROOFS.iter().find(|proof| proof.name == name).ok_or_else(|| TaskError::Missing {
        what: format!("a proof named {name}"),
        way_out: format!(
            "there are: {}",
            PROOFS.iter().map(|proof| proof.name).collect::<Vec<_>>().join(", ")
        ),
    })?;
    let rounds = options.rounds.unwrap_or(proof.rounds);
    for arguments in proof.runs {
        let outcome = run::shown(&mut proof.command(arguments, rounds), proof.limit)?;
        if !outcome.status.success() {
            println!("{name}: does not hold. Expected: {}.", proof.shows);
            return Ok(false);
        }
        println!("{name}: {} ({} s)", arguments.join(" "), outcome.lasted.as_secs());
    }
    println!("{name}: holds over {rounds} rounds: {}.", proof.shows);
    Ok(true)
}

impl Proof {
    fn command(&self, arguments: &[&str], rounds: u64) -> Command {
        let mut command = repo::cargo(arguments);
        command.args(["--", "--nocapture"]).env(self.variable, rounds.to_string());
        command
    }
}

fn list() -> String {
    let row = |proof: &Proof| vec![proof.name.into(), proof.rounds.to_string(), proof.shows.into()];
    lay_out(&["proof", "rounds", "what it shows"], &PROOFS.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_reach_the_test_through_its_variable() {
        let proof = &PROOFS[0];
        let command = proof.command(proof.runs[0], 3);
        let rounds = command.get_envs().find(|(name, _)| *name == proof.variable);
        assert_eq!(rounds.and_then(|(_, value)| value), Some("3".as_ref()));
    }

    #[test]
    fn an_unknown_proof_names_the_known_ones() {
        let options = ProveOptions { name: Some("nothing".into()), rounds: None };
        assert_eq!(
            prove(&options).unwrap_err().to_string(),
            "a proof named nothing is missing; there are: crash, restart, fuzz"
        );
    }
}
