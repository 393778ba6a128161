//! rspamd as a milter: Debian's configuration, one proxy worker that scans by itself,
//! without DNS, Redis and what needs them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bench::scratch::Scratch;
use crate::bench::subjects::{Subject, free_address};
use crate::debian::{self, Ready};
use crate::error::TaskError;

/// Where Debian puts its configuration.
const SHIPPED: &str = "/etc/rspamd";

/// The site's own folders there; they are not ours to measure.
const OF_THE_SITE: [&str; 2] = ["local.d", "override.d"];

/// What asks DNS, Redis or other machines.
const OFF: [&str; 28] = [
    "arc",
    "asn",
    "aws_s3",
    "bimi",
    "clickhouse",
    "contextal",
    "dcc",
    "dkim",
    "dkim_signing",
    "dmarc",
    "elastic",
    "external_relay",
    "external_services",
    "fuzzy_check",
    "gpt",
    "greylist",
    "hfilter",
    "history_redis",
    "known_senders",
    "metadata_exporter",
    "mx_check",
    "neural",
    "p0f",
    "phishing",
    "ratelimit",
    "rbl",
    "replies",
    "spf",
];

/// More of them; the names of both lists are those of its modules.
const OFF_TOO: [&str; 2] = ["surbl", "url_redirector"];

/// rspamd, if its package is there or can be installed.
pub(super) fn rspamd_subject() -> Result<Option<Subject>, TaskError> {
    if let Ready::No { reason } = debian::ensure(debian::BENCH_RSPAMD)? {
        eprintln!("milter: rspamd skipped: {reason}");
        return Ok(None);
    }
    let address = free_address()?;
    let scratch = Scratch::new("rspamd")?;
    let etc = scratch.path().join("etc");
    copy(Path::new(SHIPPED), &etc).map_err(TaskError::file(&etc))?;
    configure(&scratch, &address.to_string())?;
    let top = scratch.path().display();
    let mut command = Command::new("rspamd");
    command.args(["-f", "-u", "_rspamd", "-g", "_rspamd", "-c"]).arg(etc.join("rspamd.conf"));
    for (name, below) in
        [("DBDIR", ""), ("RUNDIR", ""), ("LOGDIR", ""), ("CONFDIR", "/etc"), ("LOCAL_CONFDIR", "/etc")]
    {
        command.arg(format!("--var={name}={top}{below}"));
    }
    Subject::start("rspamd", &mut command, address, scratch, Some(0)).map(Some)
}

fn configure(scratch: &Scratch, address: &str) -> Result<(), TaskError> {
    for name in OF_THE_SITE {
        let path = scratch.path().join("etc").join(name);
        fs::create_dir_all(&path).map_err(TaskError::file(&path))?;
    }
    let put = |name: &str, text: &str| scratch.write(&format!("etc/override.d/{name}"), text);
    put(
        "worker-proxy.inc",
        &format!(
            "bind_socket = \"{address}\";\nmilter = yes;\ncount = 1;\ntimeout = 60s;\n\
             upstream \"local\" {{ default = yes; self_scan = yes; }}\n"
        ),
    )?;
    for worker in ["normal", "controller"] {
        put(&format!("worker-{worker}.inc"), "count = -1;\nenabled = false;\n")?;
    }
    put("logging.inc", "type = \"console\";\nlevel = \"error\";\n")?;
    // A port where nobody answers: what still asks is told at once.
    put(
        "options.inc",
        "dns { nameserver = [\"127.0.0.1:1\"]; timeout = 0.05s; retransmits = 1; }\nneighbours {}\n",
    )?;
    put("classifier-bayes.conf", "")?;
    for module in OFF.iter().chain(&OFF_TOO) {
        put(&format!("{module}.conf"), "enabled = false;\n")?;
    }
    Ok(())
}

/// Copies a folder, without what is the site's.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let there = to.join(&name);
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), there)?;
        } else if !OF_THE_SITE.iter().any(|own| name == **own) {
            copy(&entry.path(), &there)?;
        }
    }
    Ok(())
}
