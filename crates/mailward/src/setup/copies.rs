//! What those paste who keep copies of our zones: name servers that fetch each list, and
//! resolvers that load the response policy.
//!
//! No secret is printed: where it belongs stands [`SECRET`].

use std::net::SocketAddr;
use std::path::Path;

use clap::Args;
use projections::records::{POLICY_LABEL, Zone};

use super::sheet::{Part, Sheet};
use crate::config::{Config, NameServer};

/// What is shown where nothing is configured yet.
const ZONE: &str = "dnsbl.example.org";
const KEY: &str = "mailward-xfr";
const ALGORITHM: &str = "hmac-sha256";
const PRIMARY: &str = "192.0.2.1:53";
const KEY_FILE: &str = "/etc/mailward/transfer.keys";

/// What stands in place of the key's secret.
const SECRET: &str = "SECRET";

/// How `setup copies` prints.
#[derive(Args)]
pub(crate) struct CopiesArgs {
    /// As JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Whom copies ask, for what, and with which key.
struct Source {
    zone: String,
    listen: Vec<SocketAddr>,
    key: String,
    algorithm: String,
}

impl Source {
    fn of(server: Option<&NameServer>) -> Source {
        let zone = server.map_or_else(|| ZONE.to_owned(), |server| server.base.to_string());
        let listen = server.map_or_else(Vec::new, |server| server.listen.clone());
        let transfers = server.and_then(|server| server.transfers.as_ref().ok()?.as_ref());
        let key = transfers.and_then(|transfers| transfers.keys.first());
        Source {
            zone,
            listen: if listen.is_empty() { PRIMARY.parse().into_iter().collect() } else { listen },
            key: key.map_or_else(|| KEY.to_owned(), |key| key.name().to_string()),
            algorithm: key.map_or_else(|| ALGORITHM.to_owned(), |key| key.algorithm().to_string()),
        }
    }

    /// Names of all zones.
    fn zones(&self) -> impl Iterator<Item = String> {
        Zone::all().map(|zone| format!("{}.{}", zone.label, self.zone))
    }

    fn policy(&self) -> String {
        format!("{POLICY_LABEL}.{}", self.zone)
    }

    /// A line for each address of ours.
    fn each(&self, line: impl Fn(&SocketAddr) -> String) -> String {
        self.listen.iter().map(line).collect()
    }
}

/// Works out what to paste.
pub(super) fn sheet(file: &Path, config: Option<&Config>) -> Sheet {
    let server = config.and_then(Config::name_server);
    let source = Source::of(server.as_ref());
    let is_bare = server.as_ref().is_none_or(|server| matches!(server.transfers, Ok(None)));
    let first = is_bare.then(|| ours(file, server.is_some()));
    let mut parts: Vec<Part> = first.into_iter().flatten().collect();
    parts.extend(secondaries(&source));
    parts.extend(policies(&source));
    let look = [format!("dig +short @127.0.0.1 2.0.0.127.bl.{}", source.zone)];
    parts.push(Part::commands("look", "On the copy, afterwards: it must say 127.0.0.2.", &look));
    let mut notes = notes(&source);
    notes.extend(server.and_then(|server| server.transfers.err()));
    Sheet { server: "copies of its lists", parts, notes }
}

/// What our side needs first.
fn ours(file: &Path, has_zone: bool) -> [Part; 2] {
    let key =
        format!("(set -C; umask 027; echo \"{KEY}:{ALGORITHM}:$(openssl rand -base64 32)\" > {KEY_FILE})");
    let of = format!("chgrp mailward {KEY_FILE}");
    let zone =
        if has_zone { String::new() } else { format!("zone = \"{ZONE}\"\nlisten = [\"{PRIMARY}\"]\n") };
    let text = format!(
        "[dns]\n{zone}transfer-to = [\"198.51.100.53\"]\ntransfer-key-file = \"{KEY_FILE}\"\n\
         notify = [\"198.51.100.53\"]\n"
    );
    let title = format!(
        "Into {}, with the addresses of the copies; without it no zone leaves this host:",
        file.display()
    );
    [
        Part::commands("key_file", "Here, once: a key that both sides know.", &[key, of]),
        Part::text("mailward_toml", title, text),
    ]
}

fn secondaries(source: &Source) -> [Part; 3] {
    let also = "leave out the zones that nobody asks there:";
    [
        Part::text("nsd_conf", format!("NSD, into nsd.conf; {also}"), nsd(source)),
        Part::text("knot_conf", format!("Knot, into knot.conf; {also}"), knot(source)),
        Part::text("named_conf", format!("BIND, into named.conf; {also}"), named(source)),
    ]
}

fn nsd(source: &Source) -> String {
    let Source { key, algorithm, .. } = source;
    let ways = source.each(|at| {
        let (ip, port) = (at.ip(), at.port());
        format!("    request-xfr: {ip}@{port} {key}\n    allow-notify: {ip} {key}\n")
    });
    let zones =
        source.zones().map(|zone| format!("zone:\n    name: {zone}\n    include-pattern: mailward\n"));
    let zones: String = zones.collect();
    format!(
        "key:\n    name: {key}\n    algorithm: {algorithm}\n    secret: \"{SECRET}\"\n\
         pattern:\n    name: mailward\n{ways}{zones}"
    )
}

fn knot(source: &Source) -> String {
    let Source { key, algorithm, listen, .. } = source;
    let ways: Vec<_> = listen.iter().map(|at| format!("{}@{}", at.ip(), at.port())).collect();
    let ways = ways.join(", ");
    let zones =
        source.zones().map(|zone| format!("  - domain: {zone}\n    master: mailward\n    acl: mailward\n"));
    let zones: String = zones.collect();
    format!(
        "key:\n  - id: {key}\n    algorithm: {algorithm}\n    secret: {SECRET}\n\
         remote:\n  - id: mailward\n    address: [{ways}]\n    key: {key}\n\
         acl:\n  - id: mailward\n    key: {key}\n    action: notify\n\
         zone:\n{zones}"
    )
}

fn named(source: &Source) -> String {
    let Source { key, algorithm, .. } = source;
    let ways = source.each(|at| format!(" {} port {} key \"{key}\";", at.ip(), at.port()));
    let zones = source.zones().map(|zone| {
        format!(
            "zone \"{zone}\" {{\n    type secondary;\n    primaries {{ mailward; }};\n    \
             file \"{zone}\";\n    allow-notify {{ key \"{key}\"; }};\n}};\n"
        )
    });
    let zones: String = zones.collect();
    format!(
        "key \"{key}\" {{ algorithm {algorithm}; secret \"{SECRET}\"; }};\n\
         primaries mailward {{{ways} }};\n{zones}"
    )
}

/// Resolvers: BIND takes the policy from its own copy, Unbound from a file, because it signs no
/// transfer.
fn policies(source: &Source) -> [Part; 3] {
    let zone = source.policy();
    let file = format!("/var/lib/unbound/{zone}");
    let bind = format!("response-policy {{ zone \"{zone}\" policy given; }};\n");
    let unbound = format!(
        "server:\n    module-config: \"respip validator iterator\"\n\
         rpz:\n    name: \"{zone}\"\n    zonefile: \"{file}\"\n    rpz-log: yes\n    rpz-log-name: mailward\n"
    );
    let anew = [
        format!("mailward export --format rpz --out {file}"),
        format!("unbound-control auth_zone_reload {zone}"),
    ];
    [
        Part::text(
            "named_options",
            "BIND as a resolver with the response policy: the zone above, and inside options { … }:",
            bind,
        ),
        Part::text("unbound_conf", "Unbound with the response policy, into unbound.conf:", unbound),
        Part::commands(
            "unbound_file",
            "Before Unbound's start, and every minute from then on (cron):",
            &anew,
        ),
    ]
}

fn notes(source: &Source) -> Vec<String> {
    let mut notes = vec![
        format!(
            "{SECRET} is what stands behind the last colon of the key {:?} in dns.transfer-keys or \
             dns.transfer-key-file; files that hold it are for nobody else to read.",
            source.key
        ),
        "dns.transfer-to must hold the address of each copy, and dns.notify those that are to follow at once; \
         others look every five minutes."
            .to_owned(),
        "A copy answers whoever may ask it: who may is its own configuration, not dns.access.".to_owned(),
        "The response policy answers NXDOMAIN for listed domains, and for names whose addresses are listed. It \
         is for resolvers of clients; a mail server asks the lists."
            .to_owned(),
    ];
    if source.listen.iter().all(|at| at.ip().is_loopback()) {
        notes.push(
            "The name server listens on loopback only: copies on other hosts can not reach it (dns.listen)."
                .to_owned(),
        );
    }
    notes
}
