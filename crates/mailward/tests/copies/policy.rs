//! Resolvers with our response policy, by what `setup copies` prints: BIND, which fetches it, and
//! Unbound, which reads a file.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{BASE, Copies, zone};
use crate::site::{Site, free_port};
use crate::world::wait_for;

/// What hosts are called that the resolvers look up.
const HOSTS: &str = "host.example";

/// Two resolvers that know [`HOSTS`] by themselves, and nothing else.
pub(crate) struct Resolvers {
    ports: [(&'static str, u16); 2],
    running: Vec<Child>,
}

impl Resolvers {
    /// Starts them; `hosts` are lines of a zone file.
    pub(crate) fn start(copies: &Copies, site: &Site, hosts: &str) -> Resolvers {
        let text = format!(
            "$ORIGIN {HOSTS}.\n$TTL 60\n@ SOA ns.invalid. a.invalid. 1 300 60 86400 30\n@ NS ns.invalid.\n{hosts}"
        );
        let hosts = copies.write("hosts.zone", &text);
        let ports = [("BIND", free_port()), ("Unbound", free_port())];
        let named = named(copies, site, &hosts, ports[0].1);
        let unbound = unbound(copies, site, &hosts, ports[1].1);
        let run = |program: &str, args: &[&str], config: &PathBuf| {
            let log = copies.path(&format!("resolver{}.log", program.replace('/', "-")));
            let log = std::fs::File::create(log).expect("our own folder");
            let both = (log.try_clone().expect("a file"), log);
            let mut command = Command::new(program);
            command.args(args).arg("-c").arg(config).stdin(Stdio::null()).stdout(both.0).stderr(both.1);
            command.spawn().expect("it is there")
        };
        let running =
            vec![run("/usr/sbin/named", &["-g"], &named), run("/usr/sbin/unbound", &["-d"], &unbound)];
        Resolvers { ports, running }
    }

    /// All of them say so of a host's address, in words of dig: a code, or the address.
    #[track_caller]
    pub(crate) fn check(&self, copies: &Copies, name: &str, kind: &str, expect: &str) {
        for (server, port) in self.ports {
            let told = || {
                let all = copies.dig_all(port, &["+tries=1", "+time=2", name, kind]);
                let code = all.split("status: ").nth(1)?.split(',').next()?.to_owned();
                let of = |line: &str| line.split_whitespace().last().map(str::to_owned);
                let record = all.lines().find(|line| line.contains(&format!("IN\t{kind}\t")));
                Some(record.and_then(of).unwrap_or(code))
            };
            // The policy is there a moment after the resolver answers.
            wait_for(&format!("{name} {kind} at {server}: {expect}"), || {
                told().filter(|told| told == expect)
            });
        }
    }
}

impl Drop for Resolvers {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn named(copies: &Copies, site: &Site, hosts: &std::path::Path, port: u16) -> PathBuf {
    let dir = copies.dir("resolver-bind");
    let text = format!(
        "options {{ directory \"{dir}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
         pid-file \"{dir}/pid\"; session-keyfile \"{dir}/session.key\"; managed-keys-directory \"{dir}\";\n\
         recursion yes; dnssec-validation no; notify no; {} }};\ncontrols {{ }};\n\
         zone \"{HOSTS}\" {{ type primary; file \"{}\"; }};\n{}",
        copies.printed(site, "named_options"),
        hosts.display(),
        copies.printed(site, "named_conf")
    );
    copies.write("resolver-named.conf", &text)
}

fn unbound(copies: &Copies, site: &Site, hosts: &std::path::Path, port: u16) -> PathBuf {
    let (dir, file) = (copies.dir("resolver-unbound"), copies.path("rpz.unbound"));
    let out = file.to_str().expect("a path of ours");
    let (done, told) = site.run(&["export", "--format", "rpz", "--out", out]);
    assert!(done, "{told}");
    let printed = copies.printed(site, "unbound_conf");
    let printed = printed.replace(&format!("/var/lib/unbound/{}", zone("rpz")), out);
    let text = format!(
        "{printed}server:\n    interface: 127.0.0.1\n    port: {port}\n    username: \"\"\n    chroot: \"\"\n    \
         directory: \"{dir}\"\n    pidfile: \"\"\n    use-syslog: no\n    do-not-query-localhost: no\n    \
         num-threads: 1\nremote-control:\n    control-enable: no\n\
         stub-zone:\n    name: \"{BASE}\"\n    stub-addr: 127.0.0.1@{}\n\
         auth-zone:\n    name: \"{HOSTS}\"\n    zonefile: \"{}\"\n    for-downstream: no\n    for-upstream: yes\n",
        copies.primary,
        hosts.display()
    );
    copies.write("resolver-unbound.conf", &text)
}
