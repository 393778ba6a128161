//! Zones as files, as BIND and NSD read them.

use std::process::Command;

use super::{Copies, ZONES, records, zone};
use crate::site::Site;

impl Copies {
    /// What `export --format bind` writes is a zone to BIND and to NSD, with the records and the
    /// number that a transfer has.
    #[track_caller]
    pub(crate) fn files_agree(&self, site: &Site) {
        for label in ZONES {
            let (name, file) = (zone(label), self.path(&format!("{label}.file")));
            let file = file.to_str().expect("a path of ours");
            let (done, told) = site.run(&["export", "--format", "bind", "--zone", label, "--out", file]);
            assert!(done, "{label}: {told}");
            read("/usr/sbin/nsd-checkzone", &[&name, file]);
            let theirs = read("/usr/bin/named-compilezone", &["-q", "-F", "text", "-o", "-", &name, file]);
            let serial = format!(" {} ", self.serial(self.primary, label));
            let start = theirs.lines().find(|line| line.contains("SOA")).expect("a start");
            assert!(start.contains(&serial), "{label}: {serial} in {start}");
            let (ours, theirs) = (self.records(self.primary, label), records(&theirs));
            let apart: Vec<_> = ours.symmetric_difference(&theirs).take(5).collect();
            assert!(apart.is_empty(), "{label}: {apart:?} of {}", ours.len());
            println!("{label} as a file: {} records", theirs.len());
        }
    }
}

#[track_caller]
fn read(program: &str, args: &[&str]) -> String {
    let out = Command::new("timeout").arg("60").arg(program).args(args).output().expect("timeout");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(out.status.success(), "{program}: {}{}", text(&out.stdout), text(&out.stderr));
    text(&out.stdout)
}
