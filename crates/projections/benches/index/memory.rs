//! What a structure weighs: the growth of a process that builds it and nothing else.
//!
//! Each is built in a process of its own, because an allocator hands freed pages on.

use std::process::Command;

use crate::keys::{Random, distinct};
use crate::lookup;
use crate::report::{count, figure};

/// Reports the bytes per key of `subject` in a fresh process.
pub(crate) fn report(subject: &str, keys: usize) {
    let me = std::env::current_exe().unwrap();
    let out = Command::new(me).args(["--memory-of", subject, "--keys", &keys.to_string()]).output().unwrap();
    let bytes: f64 = String::from_utf8(out.stdout).unwrap().trim().parse().unwrap();
    let case = format!("{} /32", count(keys));
    figure(&case, subject, "bytes_per_key_resident", bytes / keys as f64, "B");
}

/// Builds `subject` and prints by how many bytes the process grew.
pub(crate) fn child(subject: &str, keys: usize) {
    let mut random = Random(7);
    let keys = distinct(keys, || random.v4());
    let before = resident_bytes();
    let built = lookup::build(subject, &keys);
    println!("{}", resident_bytes() - before);
    drop(built);
}

fn resident_bytes() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<i64>().unwrap() * 1024
}
