//! A resolver between our lists and those who use them: an Unbound, by what `setup lists` prints.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;

use super::asking::ask_at;
use super::lists::{Lists, part};
use super::vectors::BL;
use super::world::{bound_to_us, wait_for};

/// The program.
pub(crate) const PROGRAM: &str = "/usr/sbin/unbound";

/// Where it is asked: another address of loopback than our server's.
pub(crate) const RESOLVER: &str = "127.0.0.53";

/// A resolver that runs.
pub(crate) struct Resolver {
    running: Child,
    log: PathBuf,
}

impl Resolver {
    /// Starts one that minimises names and believes every NXDOMAIN (RFC 9156, RFC 8020).
    pub(crate) fn start(folder: &Path, lists: &Lists) -> Resolver {
        let folder = folder.join("unbound");
        fs::create_dir(&folder).expect("a folder of our own");
        let config = folder.join("unbound.conf");
        let text = format!(
            "{}server:
    interface: {RESOLVER}
    username: \"\"
    chroot: \"\"
    directory: \"{1}\"
    pidfile: \"\"
    use-syslog: no
    module-config: \"iterator\"
    qname-minimisation: yes
    qname-minimisation-strict: yes
    harden-below-nxdomain: yes
    num-threads: 1
remote-control:
    control-enable: no
",
            part(&lists.printed(), "unbound_conf"),
            folder.display(),
        );
        fs::write(&config, text).expect("our own folder");
        let log = folder.join("log");
        let to = File::create(&log).expect("a log");
        let mut command = bound_to_us(PROGRAM);
        command.arg("-d").arg("-c").arg(config).stderr(to);
        let running = command.spawn().expect("setpriv is part of the base system");
        let resolver = Resolver { running, log };
        wait_for("Unbound", || {
            let said =
                ask_at(RESOLVER, "/usr/bin/dig", &["+tries=1", "+time=1"], &format!("2.0.0.127.{BL}"), "A");
            (said.told() == "NOERROR 127.0.0.2").then_some(())
        });
        resolver
    }

    /// Its log.
    pub(crate) fn log(&self) -> PathBuf {
        self.log.clone()
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.running.kill().expect("our own child");
        self.running.wait().expect("our own child");
    }
}

/// It asks label by label and stops at a name that does not exist; what is listed is found
/// all the same. (A list that answers NXDOMAIN for the names in between is empty to it.)
pub(crate) fn who_minimises_names_finds_what_is_listed(lists: &Lists, resolver_of: &Path) -> PathBuf {
    let resolver = Resolver::start(resolver_of, lists);
    let before = no_data(lists);
    for (front, expect) in [
        ("113.0.203", "NOERROR (SOA)"),
        ("8.113.0.203", "NXDOMAIN (SOA)"),
        ("7.113.0.203", "NOERROR 127.0.0.3"),
        ("77.100.51.198", "NOERROR 127.0.0.2"),
        ("8.b.d.0.1.0.0.2", "NOERROR (SOA)"),
        ("9.9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2", "NOERROR 127.0.0.4"),
        ("9.9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2", "NXDOMAIN (SOA)"),
    ] {
        let said = ask_at(RESOLVER, "/usr/bin/dig", &[], &format!("{front}.{BL}"), "A");
        assert_eq!(said.told(), expect, "{front}\n{}", said.text);
    }
    let asked = no_data(lists) - before;
    assert!(asked >= 4, "it asked for {asked} names in between, so it did not minimise");
    resolver.log()
}

fn no_data(lists: &Lists) -> u64 {
    lists.counts()["zones"]["bl"]["no_data"].as_u64().expect("a number")
}
