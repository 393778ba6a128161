//! `cargo xtask prove`: the long proofs.
//!
//! A proof is a test that also runs in `cargo xtask test`, there with about one per
//! cent of the rounds; here it gets all of them through an environment variable. After the
//! seeded mutations, `fuzz` also runs libFuzzer where it can.

use std::process::Command;
use std::time::Duration;

use clap::Args;

use crate::error::TaskError;
use crate::table::lay_out;
use crate::{fuzz, repo, run};

/// What to prove.
#[derive(Args)]
pub(crate) struct ProveOptions {
    /// The proof; without one they are listed.
    name: Option<String>,
    /// Rounds instead of the proof's own number.
    #[arg(long)]
    rounds: Option<u64>,
    /// How long `fuzz` gives libFuzzer for each target.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// The only target that `fuzz` gives to libFuzzer, and no rounds.
    #[arg(long)]
    target: Option<String>,
}

/// One long proof.
struct Proof {
    name: &'static str,
    /// What holds when it ends well.
    shows: &'static str,
    /// The variable that the tests read their number of rounds from.
    variable: &'static str,
    /// The runs of cargo that make it up, each with its rounds.
    runs: &'static [(u64, &'static [&'static str])],
    limit: Duration,
    /// Whether libFuzzer comes after them.
    fuzzes: bool,
}

/// All proofs.
const PROOFS: &[Proof] = &[
    Proof {
        name: "crash",
        shows: "nothing acknowledged is lost, and no block acts before it is durable, however often the daemon is killed",
        variable: "MAILWARD_PROVE_ROUNDS",
        runs: &[
            (20, &["test", "--locked", "-p", "mailward", "--test", "crash"]),
            (20, &["test", "--locked", "-p", "ledger", "--test", "disk", "crash"]),
        ],
        limit: Duration::from_secs(60 * 60),
        fuzzes: false,
    },
    Proof {
        name: "restart",
        shows: "a restart after a kill keeps all of 100 000 blocks; it prints how long it took",
        variable: "MAILWARD_PROVE_BLOCKS",
        runs: &[(
            100_000,
            &[
                "test",
                "--locked",
                "--release",
                "-p",
                "mailward",
                "--test",
                "daemon",
                "a_restart_keeps_all_blocks",
            ],
        )],
        limit: Duration::from_secs(30 * 60),
        fuzzes: false,
    },
    Proof {
        name: "keys",
        shows: "ten million IPv6 clients in ten minutes leave judgement within 512 MiB, and blocked hosts refused in time; it prints both",
        variable: "MAILWARD_PROVE_KEYS",
        // Each in a process of its own: what counts is the most that one ever had.
        runs: &[
            (
                10_000_000,
                &["test", "--locked", "--release", "-p", "engine", "--test", "keys", "adv_11_strangers"],
            ),
            (
                10_000_000,
                &["test", "--locked", "--release", "-p", "engine", "--test", "keys", "adv_11_spammers"],
            ),
        ],
        limit: Duration::from_secs(60 * 60),
        fuzzes: false,
    },
    Proof {
        name: "fuzz",
        shows: "no input to a parser of strangers' bytes panics, reads past its end or grows without bound",
        variable: "MAILWARD_FUZZ_ROUNDS",
        runs: &[
            (5_000_000, &["test", "--locked", "--release", "-p", "wire", "--test", "policy_mutations"]),
            (2_000_000, &["test", "--locked", "--release", "-p", "wire", "--test", "milter_mutations"]),
            (300_000, &["test", "--locked", "--release", "-p", "wire", "--test", "lmtp_mutations"]),
            (1_000_000, &["test", "--locked", "--release", "-p", "wire", "--test", "arf_mutations"]),
            (400_000, &["test", "--locked", "--release", "-p", "judges", "--test", "inspect_mutations"]),
            (1_000_000, &["test", "--locked", "--release", "-p", "detectors", "--test", "names_mutations"]),
            (1_000_000, &["test", "--locked", "--release", "-p", "edge", "--test", "dns_mutations"]),
            (2_000_000, &["test", "--locked", "--release", "-p", "edge", "--test", "frame_mutations"]),
            (500_000, &["test", "--locked", "--release", "-p", "edge", "--test", "tsig_mutations"]),
        ],
        limit: Duration::from_secs(60 * 60),
        fuzzes: true,
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
    if proof.fuzzes && options.target.is_some() {
        return fuzz::fuzz(options.seconds, options.target.as_deref());
    }
    for (rounds, arguments) in proof.runs {
        let rounds = options.rounds.unwrap_or(*rounds);
        let outcome = run::shown(&mut proof.command(arguments, rounds), proof.limit)?;
        if !outcome.status.success() {
            println!("{name}: does not hold. Expected: {}.", proof.shows);
            return Ok(false);
        }
        println!("{name}: {}, {rounds} rounds ({} s)", arguments.join(" "), outcome.lasted.as_secs());
    }
    if proof.fuzzes && !fuzz::fuzz(options.seconds, None)? {
        return Ok(false);
    }
    println!("{name}: holds: {}.", proof.shows);
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
    let row = |proof: &Proof| {
        let rounds: u64 = proof.runs.iter().map(|(rounds, _)| rounds).sum();
        vec![proof.name.into(), rounds.to_string(), proof.shows.into()]
    };
    lay_out(&["proof", "rounds", "what it shows"], &PROOFS.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_reach_the_test_through_its_variable() {
        let proof = &PROOFS[0];
        let command = proof.command(proof.runs[0].1, 3);
        let rounds = command.get_envs().find(|(name, _)| *name == proof.variable);
        assert_eq!(rounds.and_then(|(_, value)| value), Some("3".as_ref()));
    }

    #[test]
    fn an_unknown_proof_names_the_known_ones() {
        let options = ProveOptions { name: Some("nothing".into()), rounds: None, seconds: 1, target: None };
        assert_eq!(
            prove(&options).unwrap_err().to_string(),
            "a proof named nothing is missing; there are: crash, restart, keys, fuzz"
        );
    }
}
