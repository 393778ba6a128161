//! Coverage-guided fuzzing under libFuzzer, and what of its corpora is kept.
//!
//! Needs a nightly compiler; where there is none it is left out, and the mutation tests
//! have run on stable all the same. Corpora grow in the build folder; a small choice of
//! each joins the seeds, where the next run and every contributor find it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::TaskError;
use crate::{repo, run};

/// The sanitizer's passes over all dependencies take minutes on two cores.
const BUILD_LIMIT: Duration = Duration::from_secs(40 * 60);

/// How much longer than its time a target may take: it reads its corpus first.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// The longest input: beyond the limits of every parser but the message's own.
const INPUT_LEN_MAX: usize = 70_000;

/// Found inputs kept for a target, all together and each: what one can carry in a
/// repository and still look at.
const KEPT_FILES_MAX: usize = 100;
const KEPT_BYTES_MAX: u64 = 100 * 1024;
const KEPT_LEN_MAX: u64 = 4 * 1024;

/// Coverage counters and comparisons for libFuzzer, and memory errors for the address
/// sanitizer, as cargo-fuzz sets them.
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions -Ccodegen-units=1 \
    -Zsanitizer=address";

/// Fuzzes every target for `seconds`, or those whose name is `only`; false when one found
/// an input that breaks its check.
pub(crate) fn fuzz(seconds: u64, only: Option<&str>) -> Result<bool, TaskError> {
    let Some(host) = nightly_host() else {
        println!("fuzz: libFuzzer skipped: no nightly compiler; rustup toolchain install nightly");
        return Ok(true);
    };
    let folder = repo::target().join("fuzz");
    build(&host, &folder)?;
    let mut sound = true;
    for name in targets()?.iter().filter(|name| only.is_none_or(|only| *name == only)) {
        let program = folder.join(&host).join("release").join(name);
        sound &= Target { name, program, folder: &folder }.run(seconds)?;
    }
    Ok(sound)
}

/// The machine that nightly compiles for; `None` without a nightly compiler.
fn nightly_host() -> Option<String> {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "rustc", "-vV"]);
    let text = run::output(&mut command, Duration::from_secs(60)).ok()?;
    text.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned)
}

fn build(host: &str, folder: &Path) -> Result<(), TaskError> {
    let mut command = Command::new("rustup");
    command.current_dir(repo::top()).args(["run", "nightly", "cargo", "build", "--release", "--locked"]);
    command.args(["--manifest-path", "fuzz/Cargo.toml", "--target", host, "--target-dir"]).arg(folder);
    // Ours would win over nightly's own: cargo tells its children which compiler called it.
    command.env_remove("RUSTC").env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
    run::must(command.env("RUSTFLAGS", RUSTFLAGS), BUILD_LIMIT)
}

/// The names of the programs in fuzz/Cargo.toml.
fn targets() -> Result<Vec<String>, TaskError> {
    let text = repo::read_text("fuzz/Cargo.toml")?;
    let unreadable = |got: String| TaskError::Unreadable {
        what: "fuzz/Cargo.toml".into(),
        expected: "programs with names",
        got,
    };
    let manifest: toml::Table = toml::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    let bins = manifest.get("bin").and_then(toml::Value::as_array);
    let names = bins.into_iter().flatten().filter_map(|bin| bin.get("name")?.as_str().map(str::to_owned));
    let names: Vec<_> = names.collect();
    if names.is_empty() { Err(unreadable("none".into())) } else { Ok(names) }
}

struct Target<'a> {
    name: &'a str,
    program: PathBuf,
    folder: &'a Path,
}

impl Target<'_> {
    fn run(&self, seconds: u64) -> Result<bool, TaskError> {
        let (corpus, seeds) = (self.place("corpus")?, self.seeds());
        let crashes = self.place("crashes")?;
        let mut command = Command::new(&self.program);
        command.arg(&corpus).arg(&seeds).arg(format!("-max_total_time={seconds}"));
        command
            .arg(format!("-max_len={INPUT_LEN_MAX}"))
            .arg(format!("-artifact_prefix={}/", crashes.display()));
        command.args(["-timeout=25", "-print_final_stats=1"]);
        let mut last = Vec::new();
        let mut executions = String::from("?");
        let outcome = run::watched(&mut command, Duration::from_secs(seconds) + MARGIN, &mut |line, _| {
            if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
                count.trim().clone_into(&mut executions);
            }
            // Progress would drown what a finding says of itself.
            if !line.starts_with('#') {
                last.push(line.to_owned());
            }
        })?;
        if !outcome.status.success() {
            println!("{}", last.join("\n"));
            println!("fuzz: {} found an input; it is in {}", self.name, crashes.display());
            return Ok(false);
        }
        let kept = self.keep(&corpus, &seeds)?;
        println!("fuzz: {}: {executions} inputs, no finding; {kept} of them new among the seeds", self.name);
        Ok(true)
    }

    /// Adds a choice of the minimised corpus to the seeds, within the limits;
    /// returns how many. Seeds stay: somebody wrote them, or an earlier run found them.
    fn keep(&self, corpus: &Path, seeds: &Path) -> Result<usize, TaskError> {
        let chosen = self.place("chosen")?;
        fs::remove_dir_all(&chosen).map_err(TaskError::file(&chosen))?;
        let chosen = self.place("chosen")?;
        let mut command = Command::new(&self.program);
        command.arg("-set_cover_merge=1").arg(format!("-max_len={INPUT_LEN_MAX}"));
        command.arg(&chosen).arg(seeds).arg(corpus);
        run::watched(&mut command, BUILD_LIMIT, &mut |_, _| {})?;
        let new = spread(files(&chosen)?, &files(seeds)?);
        for (path, _) in &new {
            let Some(name) = path.file_name() else { continue };
            let there = seeds.join(name);
            fs::copy(path, &there).map_err(TaskError::file(&there))?;
        }
        Ok(new.len())
    }

    fn seeds(&self) -> PathBuf {
        repo::top().join("fuzz/seeds").join(self.name)
    }

    fn place(&self, kind: &str) -> Result<PathBuf, TaskError> {
        let path = self.folder.join(kind).join(self.name);
        fs::create_dir_all(&path).map_err(TaskError::file(&path))?;
        Ok(path)
    }
}

/// The files of a folder with their lengths.
fn files(folder: &Path) -> Result<Vec<(PathBuf, u64)>, TaskError> {
    let entries = fs::read_dir(folder).map_err(TaskError::file(folder))?;
    let file = |entry: fs::DirEntry| Some((entry.path(), entry.metadata().ok()?.len()));
    Ok(entries.flatten().filter_map(file).collect())
}

/// Those of `found` that may join `seeds`: of every size, since small inputs alone would
/// show the first few bytes only.
fn spread(mut found: Vec<(PathBuf, u64)>, seeds: &[(PathBuf, u64)]) -> Vec<(PathBuf, u64)> {
    found.retain(|(path, len)| {
        *len <= KEPT_LEN_MAX && seeds.iter().all(|(seed, _)| seed.file_name() != path.file_name())
    });
    found.sort_by(|(a, a_len), (b, b_len)| a_len.cmp(b_len).then_with(|| a.cmp(b)));
    let room = KEPT_FILES_MAX.saturating_sub(seeds.len()).min(found.len());
    let mut bytes: u64 = seeds.iter().map(|(_, len)| len).sum();
    let fits = |(_, len): &(PathBuf, u64)| {
        bytes += len;
        bytes <= KEPT_BYTES_MAX
    };
    (0..room).map(|at| found[at * found.len() / room].clone()).take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(names: &[(&str, u64)]) -> Vec<(PathBuf, u64)> {
        names.iter().map(|(name, len)| (PathBuf::from(name), *len)).collect()
    }

    #[test]
    fn those_join_that_are_small_and_not_there_yet() {
        let found = some(&[("c/big", KEPT_LEN_MAX + 1), ("c/b", 9), ("c/a", 9), ("c/known", 1)]);
        assert_eq!(spread(found, &some(&[("s/known", 1)])), some(&[("c/a", 9), ("c/b", 9)]));
    }

    #[test]
    fn inputs_of_every_size_are_chosen() {
        let found = (0..1000).map(|at| (PathBuf::from(format!("c/{at:03}")), at)).collect();
        let lengths: Vec<u64> = spread(found, &[]).iter().map(|(_, len)| *len).collect();
        assert_eq!((lengths[0], lengths[50], lengths[99]), (0, 500, 990));
    }

    #[test]
    fn seeds_have_a_bound_in_files_and_in_bytes() {
        let many: Vec<_> = (0..200).map(|at| (PathBuf::from(format!("c/{at:03}")), 1)).collect();
        assert_eq!(spread(many.clone(), &[]).len(), KEPT_FILES_MAX);
        assert_eq!(spread(many.clone(), &some(&[("s/a", 1)])).len(), KEPT_FILES_MAX - 1);
        assert_eq!(spread(many, &some(&[("s/a", KEPT_BYTES_MAX - 5)])).len(), 5);
    }

    #[test]
    fn every_target_has_its_program_and_its_seeds() {
        for name in targets().unwrap() {
            let seeds = repo::top().join("fuzz/seeds").join(&name);
            assert!(
                seeds.is_dir() && repo::top().join(format!("fuzz/fuzz_targets/{name}.rs")).is_file(),
                "{name}"
            );
        }
    }
}
