//! The one table of all settings.
//!
//! All we say of a setting stands in its row: name, type, default, meaning. The reader, the
//! sample, `config show` and the manual are made from it.

use super::forms::{Mismatch, Node, Shown, Value};
use super::settings::Settings;

/// One setting.
#[derive(Debug)]
pub(crate) struct Row {
    /// Section and key, as in `policy.tcp`.
    pub(crate) name: &'static str,
    /// Its field, which knows the type and with it the unit.
    pub(super) slot: Slot,
    /// The default as a TOML value; none for what is not set.
    pub(crate) default: Option<&'static str>,
    /// A value to show where there is no default, or an empty one.
    pub(crate) example: Option<&'static str>,
    /// Whether its value stands in no output, not even for the operator, who may pass it on.
    pub(crate) withheld: bool,
    /// One line: what it does.
    pub(crate) doc: &'static str,
}

/// A field of [`Settings`] behind its type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// Reads a value into it.
    pub(super) read: fn(&mut Settings, Node<'_>) -> Result<(), Vec<Mismatch>>,
    /// The value that it holds.
    pub(super) shown: fn(&Settings) -> Shown,
    /// What a good value is.
    pub(super) expected: fn() -> String,
}

/// The slot of a field.
macro_rules! slot {
    ($($field:ident).+) => {
        Slot {
            read: |settings, node| Value::read(node).map(|value| settings.$($field).+ = value),
            shown: |settings| settings.$($field).+.shown(),
            expected: || expected_of(|settings: &Settings| &settings.$($field).+),
        }
    };
}

/// What a good value of the field is that `_field` leads to.
fn expected_of<T: Value>(_field: fn(&Settings) -> &T) -> String {
    T::expected()
}

/// A setting with a default.
const fn row(name: &'static str, slot: Slot, default: &'static str, doc: &'static str) -> Row {
    Row { name, slot, default: Some(default), example: None, withheld: false, doc }
}

/// A setting that is not set by default.
const fn unset(name: &'static str, slot: Slot, example: &'static str, doc: &'static str) -> Row {
    Row { name, slot, default: None, example: Some(example), withheld: false, doc }
}

/// A list that is empty by default.
const fn list(name: &'static str, slot: Slot, example: &'static str, doc: &'static str) -> Row {
    Row { name, slot, default: Some("[]"), example: Some(example), withheld: false, doc }
}

/// A list of trap addresses.
const fn traps(name: &'static str, slot: Slot, example: &'static str, doc: &'static str) -> Row {
    Row { withheld: true, ..list(name, slot, example, doc) }
}

/// A section of the file.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its name; empty for what stands before the first section.
    pub(crate) name: &'static str,
    /// One line: what it is about.
    pub(crate) doc: &'static str,
}

impl Section {
    /// Whether `name` is this section or one above it.
    pub(super) fn is_or_holds(&self, name: &str) -> bool {
        self.name == name || self.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
    }

    /// Its settings, in the order of the table.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &'static Row> {
        ROWS.iter().filter(|row| row.section() == self.name)
    }
}

impl Row {
    /// The section's name.
    pub(crate) fn section(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// The name inside its section.
    pub(crate) fn key(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, key)| key)
    }

    /// What a good value is.
    pub(crate) fn expected(&self) -> String {
        (self.slot.expected)()
    }
}

/// All sections, in the order of the sample.
pub(crate) const SECTIONS: &[Section] = &[
    Section { name: "", doc: "The daemon as a whole; stands before the first section." },
    Section { name: "portal", doc: "Where blocked people read why, and how to get out." },
    Section { name: "policy", doc: "Where Postfix asks (check_policy_service)." },
    Section { name: "milter", doc: "Where Postfix or Sendmail shows whole messages (smtpd_milters)." },
    Section {
        name: "judges",
        doc: "Who is asked what a message is; each has a deadline, and no answer is an answer.",
    },
    Section { name: "reports", doc: "Mail to Mailward itself: what users report." },
    Section { name: "dns", doc: "Our block lists, asked by DNS; one sub-zone for each kind of listing." },
    Section { name: "control", doc: "Where the command line reaches the daemon." },
    Section { name: "own", doc: "What is ours, and who relays for us." },
    Section { name: "traps", doc: "Addresses that nobody has reason to write to; they appear in no output." },
    Section { name: "greylist", doc: "Strangers are asked to come back in some minutes; mail servers do." },
    Section {
        name: "sentence",
        doc: "How long a block lasts: units × per-unit, at least floor, doubled for repeats, at most cap.",
    },
    Section { name: "rules.spam-volume", doc: "OFF-1: messages judged spam." },
    Section { name: "rules.trap", doc: "OFF-2: mail to trap addresses." },
    Section { name: "rules.helo", doc: "OFF-9: strangers that greet with one of own.names." },
    Section {
        name: "rules.helo-name",
        doc: "OFF-9 g: strangers that greet with a name that does not exist in DNS.",
    },
    Section { name: "rules.connection", doc: "What HELO and reverse DNS say together." },
    Section {
        name: "rules.message",
        doc: "What the judges and the connection say of one message, together.",
    },
    Section { name: "rules.reports", doc: "OFF-4: what our users reported." },
    Section { name: "rules.virus", doc: "OFF-12: viruses." },
    Section { name: "rules.attachment", doc: "OFF-13: programs and archives with programs." },
    Section { name: "rules.forged-sender", doc: "OFF-14: senders whose domain forbids the server (SPF)." },
    Section { name: "rules.domain-conduct", doc: "OFF-24: senders' domains that can not be answered." },
    Section { name: "rules.backscatter", doc: "OFF-15: bounces and automatic answers to forged senders." },
    Section { name: "rules.early-talker", doc: "OFF-18: clients that speak before our greeting." },
    Section { name: "rules.protocol", doc: "OFF-19: clients that break the rules of SMTP." },
    Section {
        name: "rules.bot",
        doc: "OFF-20: clients that greet with many names, or as no mail server does.",
    },
    Section { name: "rules.hash-flood", doc: "Spam again, or a text that many servers send as spam." },
    Section {
        name: "rules.greytrap",
        doc: "OFF-3: strangers that write to traps before they pass greylisting.",
    },
    Section { name: "rules.net-l2", doc: "OFF-22: networks many of whose servers are blocked." },
    Section {
        name: "rules.asn-l3",
        doc: "OFF-23: providers with many blocked servers for their size; needs networks.asn-files.",
    },
    Section {
        name: "rules.geo",
        doc: "OFF-21: a policy by country, not an accusation; needs networks.country-files.",
    },
    Section { name: "rules.dictionary", doc: "OFF-5: who tries recipients until one exists." },
    Section { name: "rules.flood", doc: "OFF-6: too many connections, as the milter sees them." },
    Section { name: "guards", doc: "What keeps the rules from hitting the innocent." },
    Section { name: "shared", doc: "Senders that many share: their addresses are never blocked." },
    Section { name: "networks", doc: "Your own tables of networks and countries; none is shipped." },
    Section { name: "journal", doc: "Everything that came in, for replay and recovery; rotating." },
    Section { name: "evidence", doc: "Headers of messages that can become evidence." },
    Section { name: "memory", doc: "What is remembered of senders." },
    Section { name: "log", doc: "The daemon's own log." },
];

/// All settings, by section.
#[rustfmt::skip] // one setting, two or three lines
pub(crate) const ROWS: &[Row] = &[
    row("data-dir", slot!(data_dir), "'/var/lib/mailward'",
        "Where ledger, journal and keys are kept."),
    row("mode", slot!(mode), "'learn'",
        "What the very first start does; later `mailward enforce` decides. Learning records and refuses nothing."),
    row("node", slot!(node), "1",
        "This host's number, different on each host of a site; it stands in case references such as n1-48211."),
    unset("site", slot!(site), "'Example Networks'",
        "Your name in headlines. Without it the portal's host name stands there."),
    row("allow-documentation-prefixes", slot!(allow_documentation_prefixes), "false",
        "For demonstrations and tests: documentation addresses may be blocked, and every listener must be on loopback."),

    unset("portal.url", slot!(portal.url), "'https://mailward.example.org'",
        "Where the public reaches the portal. Without it nothing is refused."),
    row("portal.listen", slot!(portal.listen), "'127.0.0.1:12380'",
        "Where the portal listens; a web server with a certificate stands in front of it."),
    unset("portal.contact", slot!(portal.contact), "'postmaster@example.org'",
        "A mailbox that stays open to blocked hosts. Without it nothing is refused."),

    row("policy.tcp", slot!(policy.tcp), "'127.0.0.1:12340'",
        "TCP listener. It answers; what it hears counts only with trust-local."),
    unset("policy.unix", slot!(policy.unix), "'/var/spool/postfix/mailward/policy'",
        "Unix socket inside Postfix's chroot; what it hears counts."),
    row("policy.trust-local", slot!(policy.trust_local), "false",
        "Whether what the TCP listener hears counts: only when no stranger can reach it."),
    row("policy.threads", slot!(policy.threads), "0",
        "Threads that answer; 0 is one per core."),

    row("milter.tcp", slot!(milter.tcp), "'127.0.0.1:12341'",
        "TCP listener. It answers; what it hears counts only with trust-local."),
    unset("milter.unix", slot!(milter.unix), "'/var/spool/postfix/mailward/milter'",
        "Unix socket inside Postfix's chroot; what it hears counts. Faster than TCP."),
    row("milter.trust-local", slot!(milter.trust_local), "false",
        "Whether what the TCP listener hears counts: only when no stranger can reach it."),
    row("milter.threads", slot!(milter.threads), "0",
        "Threads that answer; 0 is one per core."),
    row("milter.body", slot!(milter.body), "'10 MiB'",
        "How much of a body is held for the judges; the rest is not asked for."),
    row("milter.patience", slot!(milter.patience), "'60 s'",
        "How long a message may wait for its judges; then it passes."),
    row("milter.header", slot!(milter.header), "true",
        "Whether each message gets X-Mailward and Authentication-Results fields."),

    row("judges.authentication", slot!(judges.authentication), "true",
        "SPF, DKIM and DMARC. Needs a resolver."),
    list("judges.resolvers", slot!(judges.resolvers), "['127.0.0.1:53']",
        "Resolvers to ask; an empty list means the system's."),
    row("judges.attachments", slot!(judges.attachments), "true",
        "Look into attachments and archives."),
    row("judges.macros", slot!(judges.macros), "'score'",
        "Office documents with macros that start by themselves: score, or refuse."),
    row("judges.encrypted", slot!(judges.encrypted), "'pass'",
        "Encrypted archives, into which nobody can look: pass, quarantine (the mail server holds them) or refuse."),
    unset("judges.rspamd", slot!(judges.rspamd), "'127.0.0.1:11333'",
        "rspamd's normal worker (HTTP): address and port, or a unix socket."),
    unset("judges.rspamd-mark", slot!(judges.rspamd_mark), "6.0",
        "From which score on rspamd's verdict is spam; without it rspamd's action decides."),
    unset("judges.spamd", slot!(judges.spamd), "'127.0.0.1:783'",
        "SpamAssassin's spamd: address and port, or a unix socket."),
    unset("judges.spamd-mark", slot!(judges.spamd_mark), "5.0",
        "From which score on spamd's verdict is spam; without it spamd's own mark decides."),
    unset("judges.clamd", slot!(judges.clamd), "'/run/clamav/clamd.ctl'",
        "ClamAV's clamd: a unix socket, or address and port."),
    unset("judges.header", slot!(judges.header), "'X-Spam-Flag: YES'",
        "A field that an earlier filter of ours puts into spam; the topmost one counts."),
    row("judges.deadline", slot!(judges.deadline), "'10 s'",
        "How long one judge may take; then it has no opinion."),
    row("judges.at-once", slot!(judges.at_once), "20",
        "Messages that one judge looks at at once; beyond, it has no opinion."),
    row("judges.size", slot!(judges.size), "'2 MiB'",
        "How much of a message rspamd and spamd are shown; clamd gets all that is held."),

    unset("reports.lmtp", slot!(reports.lmtp), "'/var/spool/postfix/mailward/lmtp'",
        "Unix socket to which the mail server hands mail for Mailward (LMTP)."),
    row("reports.addresses", slot!(reports.addresses), "['report']",
        "Where users report spam: local parts at every domain, or addresses."),

    unset("dns.zone", slot!(dns.zone), "'dnsbl.example.org'",
        "The base zone; the lists are bl., net., policy., bounce., info., dom. and all. below it. Without it there is no name server."),
    row("dns.listen", slot!(dns.listen), "['127.0.0.1:12353']",
        "Where it is asked, on UDP and TCP; each address by itself."),
    row("dns.threads", slot!(dns.threads), "0",
        "Threads for each address; 0 is one per core."),
    unset("dns.xdp", slot!(dns.xdp), "'eth0'",
        "The interface from which questions are taken past the kernel's network stack and its firewall (AF_XDP); where that can not be, the sockets answer."),
    row("dns.access", slot!(dns.access), "'local'",
        "Who may ask: local (this machine, own.networks, dns.allow; others hear REFUSED), acl (the same, others hear 127.255.255.254), keyed (also whoever has a key), public."),
    list("dns.allow", slot!(dns.allow), "['198.51.100.0/24']",
        "Networks that may always ask, under no limits."),
    Row { withheld: true, ..list("dns.keys", slot!(dns.keys), "['customer:k3y0fsixteenormore']",
        "Labels in front of a zone's name that let anybody ask, where access is keyed: 7.113.0.203.KEY.bl.dnsbl.example.org.") },
    list("dns.servers", slot!(dns.servers), "['ns1.example.org', 'ns2.example.net']",
        "Names of the zone's servers, the primary first; without them the zone's own name."),
    unset("dns.contact", slot!(dns.contact), "'hostmaster@example.org'",
        "The mailbox of the zone's keeper; without it portal.contact."),
    row("dns.ttl", slot!(dns.ttl), "'5 min'",
        "How long a listing may be remembered at most; never longer than it lasts."),
    row("dns.negative-ttl", slot!(dns.negative_ttl), "'1 min'",
        "How long ‘not listed’ may be remembered."),
    row("dns.rate-mode", slot!(dns.rate_mode), "'on'",
        "Limit answers to one network that is not known (/24, /56): on, count (only count), off, or everybody (known networks, too)."),
    row("dns.rate-listed", slot!(dns.rate_listed), "20",
        "Listings a second to one such network; 0 is no limit."),
    row("dns.rate-unlisted", slot!(dns.rate_unlisted), "10",
        "‘Not listed’ a second."),
    row("dns.rate-errors", slot!(dns.rate_errors), "5",
        "Errors a second."),
    row("dns.slip", slot!(dns.slip), "2",
        "Of so many answers above the rate one goes out cut, so that a real client asks again by TCP; 0: none."),
    row("dns.quota", slot!(dns.quota), "0",
        "Questions a second that one such network may ask, over TCP or with a cookie, before it hears 127.255.255.255; 0 is no limit."),
    list("dns.transfer-to", slot!(dns.transfer_to), "['198.51.100.53']",
        "Secondaries: from where whole zones may be fetched (AXFR, IXFR), signed with one of dns.transfer-keys. Without it by nobody."),
    Row { withheld: true, ..list("dns.transfer-keys", slot!(dns.transfer_keys), "['mailward-xfr:hmac-sha256:bWFpbHdhcmQgZXhhbXBsZSBrZXkgb2YgMzIgb2N0ZXRz']",
        "Keys with which zones are fetched: name, hmac-sha256 or hmac-sha512, secret in base64.") },
    unset("dns.transfer-key-file", slot!(dns.transfer_key_file), "'/etc/mailward/transfer.keys'",
        "A file with more of them, one a line, which only its owner and group may read."),
    list("dns.notify", slot!(dns.notify), "['198.51.100.53', '198.51.100.54:5353 mailward-xfr']",
        "Secondaries that are told of changes at once: address, port, key."),

    unset("control.socket", slot!(control_socket), "'/var/lib/mailward/control.sock'",
        "Unix socket of the operator's API, for its owner only. Without it control.sock in data-dir."),

    list("own.networks", slot!(own.networks), "['198.51.100.0/24', '2001:db8:1::/48']",
        "Our networks: never blocked."),
    list("own.relays", slot!(own.relays), "['203.0.113.25']",
        "Forwarders and upstream MX that send us other people's mail: no automatic block."),
    list("own.names", slot!(own.names), "['mx.example.org', 'example.org']",
        "Our MX's own name first, then other names and mail domains of ours: a stranger must not greet with them."),
    list("own.senders", slot!(own.senders), "['example.org']",
        "Our mail domains whose SPF record is complete: mail that claims to be theirs and fails SPF is refused."),
    row("own.exempt", slot!(own.exempt), "['postmaster', 'abuse', 'unblock']",
        "Recipients open to blocked hosts: local parts at every domain, or addresses. Always: postmaster and portal.contact."),

    traps("traps.pristine", slot!(traps.pristine), "['jdoe1987@example.org']",
        "Addresses that never were a mailbox."),
    unset("traps.pristine-file", slot!(traps.pristine_file), "'/etc/mailward/traps.pristine'",
        "A file with more of them, one a line."),
    traps("traps.recycled", slot!(traps.recycled), "['former@example.org']",
        "Mailboxes that were closed and refused for at least a year."),
    unset("traps.recycled-file", slot!(traps.recycled_file), "'/etc/mailward/traps.recycled'",
        "A file with more of them, one a line."),

    row("greylist.mode", slot!(greylist.mode), "'off'",
        "Who is asked: suspicious strangers (two points of the connection score), or, with strict, every stranger."),
    unset("greylist.pass", slot!(greylist.pass), "'5 min'",
        "How long a stranger must wait. Without it 5 min, and 25 min where mode is strict."),
    row("greylist.retry", slot!(greylist.retry), "'4 h'",
        "For so long after its first attempt a stranger's next one counts; at most 24 h."),
    row("greylist.white", slot!(greylist.white), "'36 d'",
        "For so long after its last mail a sender that came back is not asked again."),

    row("sentence.per-unit", slot!(sentence.per_unit), "'6 min'",
        "For each unit: one unwanted message to one recipient."),
    row("sentence.floor", slot!(sentence.floor), "'2 h'",
        "The shortest sentence, before doubling."),
    row("sentence.cap", slot!(sentence.cap), "'30 d'",
        "The longest sentence."),
    row("sentence.doublings", slot!(sentence.doublings), "4",
        "How many earlier sentences of the last 90 days double it, at most."),

    row("rules.spam-volume.mode", slot!(rules.volume.mode), "'block'",
        "Shadow decides and records, but refuses nothing."),
    row("rules.spam-volume.first-hit", slot!(rules.volume.first_hit), "'suspicious'",
        "Who is blocked on the first message judged spam; suspicious: no good mail, and generic or no reverse DNS or a bad HELO."),
    row("rules.spam-volume.units-hour", slot!(rules.volume.units_hour), "10",
        "Units in one hour that block."),
    row("rules.spam-volume.units-day", slot!(rules.volume.units_day), "30",
        "Units in 24 hours that block."),
    row("rules.spam-volume.share", slot!(rules.volume.share), "'60 %'",
        "The least share of spam among the messages of 24 hours."),
    row("rules.spam-volume.messages", slot!(rules.volume.messages), "10",
        "The least number of messages that a share is taken of."),
    row("rules.spam-volume.dump", slot!(rules.volume.dump), "500",
        "Units in one hour that block an unknown sender whatever the share."),

    row("rules.trap.mode", slot!(rules.trap), "'block'",
        "Shadow decides and records, but refuses nothing."),
    row("rules.trap.expiry", slot!(rules.trap_expiry), "'units'",
        "How long a block lasts: by the units, or as UCEPROTECT's first level does, seven days after the last hit."),

    row("rules.helo.mode", slot!(rules.helo), "'block'",
        "Shadow decides and records, but refuses nothing."),

    row("rules.helo-name.mode", slot!(rules.helo_name), "'off'",
        "Score gives one point; block answers 450, and refuses when DNS says the same again 24 hours later. Asks judges.resolvers."),

    row("rules.connection.mode", slot!(rules.connection), "'block'",
        "Score gives points to other rules; block refuses from four points on."),

    row("rules.message.mode", slot!(rules.message), "'block'",
        "Block refuses a message that gets four points; filters, attachments and sender give three each at most."),

    row("rules.reports.mode", slot!(rules.reports), "'block'",
        "Shadow decides and records, but refuses nothing."),
    row("rules.reports.expiry", slot!(rules.reports_expiry), "'units'",
        "How long a block lasts: by the units, or as SpamCop does, a day after the last report, twelve hours if two people reported."),

    row("rules.virus.mode", slot!(rules.virus), "'block'",
        "Shadow decides and records, but refuses nothing."),

    row("rules.attachment.mode", slot!(rules.attachment), "'block'",
        "Shadow decides and records, but refuses nothing."),

    row("rules.forged-sender.mode", slot!(rules.forged), "'score'",
        "Block also blocks who fails SPF for many senders; own.senders are refused in any mode but off and shadow."),

    row("rules.domain-conduct.mode", slot!(rules.conduct), "'score'",
        "A point each, two at most, in the score of a message; shadow and off give none. It never blocks."),

    row("rules.backscatter.mode", slot!(rules.backscatter), "'block'",
        "Shadow decides and records, but refuses nothing."),

    row("rules.early-talker.mode", slot!(rules.protocol.early_mode), "'block'",
        "Shadow decides and records, but refuses nothing."),
    row("rules.early-talker.sessions", slot!(rules.protocol.early_talks), "3",
        "Sessions of 24 hours that block; twice as many where several mail servers share the address."),

    row("rules.protocol.mode", slot!(rules.protocol.mode), "'block'",
        "Shadow decides and records, but refuses nothing."),
    row("rules.protocol.kinds", slot!(rules.protocol.kinds), "3",
        "Kinds of faults in 24 hours that block; twice as many where several mail servers share the address."),

    row("rules.bot.mode", slot!(rules.bot.mode), "'block'",
        "Shadow decides and records, but refuses nothing."),
    row("rules.bot.names-hour", slot!(rules.bot.names_hour), "5",
        "Organisations in the HELO names of one hour that block, if none is that of the client's own name."),
    row("rules.bot.names-day", slot!(rules.bot.names_day), "10",
        "The same in 24 hours."),
    row("rules.bot.sessions", slot!(rules.bot.sessions), "10",
        "Sessions that the hour must have."),
    unset("rules.bot.signatures-file", slot!(rules.bot.signatures_file), "'/etc/mailward/bots.txt'",
        "A file with more families of bots, one a line, as the manual explains (bots)."),

    row("rules.hash-flood.mode", slot!(rules.hash_flood.mode), "'block'",
        "Shadow decides and records, but refuses nothing. It looks at the counts of rules.spam-volume."),
    row("rules.hash-flood.spam-day", slot!(rules.hash_flood.spam_day), "2",
        "Messages judged spam in 24 hours that block a sender without good mail."),
    row("rules.hash-flood.good", slot!(rules.hash_flood.good), "1",
        "So many good messages in 30 days shield a sender; with fewer, spam of a week must outweigh them."),
    row("rules.hash-flood.networks", slot!(rules.hash_flood.networks), "3",
        "So many unrelated networks that send a text as spam in 24 hours make it known; then the first of it blocks."),
    row("rules.hash-flood.lasts", slot!(rules.hash_flood.lasts), "'12 h'",
        "How long a block lasts after the last spam, at least."),
    row("rules.greytrap.mode", slot!(rules.greytrap), "'block'",
        "Block defers for a day, and runs only where greylisting is on; shadow decides and records."),

    row("rules.net-l2.mode", slot!(rules.net_l2.mode), "'shadow'",
        "Shadow decides and records, but refuses nothing."),
    row("rules.net-l2.good-mail", slot!(rules.net_l2.good_mail), "0",
        "Good messages of 30 days that a network may have sent, beside those of good servers that are let through; with more it is only proposed."),

    row("rules.asn-l3.mode", slot!(rules.asn_l3), "'shadow'",
        "Score gives half a point to the connection score; it never refuses by itself."),

    row("rules.geo.mode", slot!(rules.geo.mode), "'off'",
        "Score gives one point where the connection score refuses, defer answers 451, block refuses; a server with good mail is excepted."),
    list("rules.geo.countries", slot!(rules.geo.countries), "['CN', 'KR']",
        "The countries, by two letters (ISO 3166-1)."),
    list("rules.geo.spared", slot!(rules.geo.spared), "['sales@example.org']",
        "Recipients who take mail from every country."),

    row("rules.dictionary.mode", slot!(rules.dictionary.mode), "'block'",
        "Shadow decides and records, but refuses and drops nothing."),
    row("rules.dictionary.unknown-minutes", slot!(rules.dictionary.unknown_minutes), "20",
        "Different recipients that do not exist, in ten minutes, that block."),
    row("rules.dictionary.share-minutes", slot!(rules.dictionary.share_minutes), "'70 %'",
        "Their least share among the recipients of ten minutes."),
    row("rules.dictionary.unknown-day", slot!(rules.dictionary.unknown_day), "100",
        "Different recipients that do not exist, in 24 hours, that block."),
    row("rules.dictionary.share-day", slot!(rules.dictionary.share_day), "'50 %'",
        "Their least share among the recipients of 24 hours."),
    row("rules.dictionary.unknown-domain", slot!(rules.dictionary.unknown_domain), "200",
        "Different recipients of one domain that do not exist, tried by many servers in ten minutes, that block them."),
    row("rules.dictionary.servers", slot!(rules.dictionary.servers), "20",
        "How many servers these must be, with three or more each and without good mail."),
    row("rules.dictionary.floor", slot!(rules.dictionary.floor), "'24 h'",
        "The shortest null route, before doubling."),
    list("rules.dictionary.catch-all", slot!(rules.dictionary.catch_all), "['example.org']",
        "Domains where no recipient counts as unknown: with a catch-all, or whose mailboxes are being moved."),

    row("rules.flood.mode", slot!(rules.flood.mode), "'block'",
        "Block answers 421 at the limits, and drops who brings no mail; shadow decides and records."),
    row("rules.flood.at-once", slot!(rules.flood.at_once), "50",
        "Connections of one server at the same time; half of each limit while four fifths of the milter's places are taken."),
    row("rules.flood.per-minute", slot!(rules.flood.per_minute), "120",
        "New connections of one server in one minute."),
    row("rules.flood.network-per-minute", slot!(rules.flood.network_per_minute), "600",
        "New connections of one network, a /24 or /48, in one minute; it is never dropped, only answered 421."),
    row("rules.flood.reached", slot!(rules.flood.reached), "'10 %'",
        "A null route needs that a smaller share of its sessions reached a recipient whose mail was taken."),

    row("guards.classes", slot!(guards.classes), "true",
        "Known senders get higher thresholds, shared ones are never blocked."),
    row("guards.ratio", slot!(guards.ratio), "true",
        "No block while good mail outweighs recent spam."),
    row("guards.attempts", slot!(guards.attempts), "true",
        "Distinct refused attempts lengthen the sentence of a sender without good mail; retries never do."),
    row("guards.blocks-per-minute", slot!(guards.blocks_per_minute), "200",
        "New automatic blocks a minute of senders with good mail, and of networks."),
    row("guards.null-routes-per-minute", slot!(guards.null_routes_per_minute), "20",
        "New automatic null routes a minute; beyond, mail of the attacker is refused instead."),
    unset("guards.trial", slot!(guards.trial), "'7 d'",
        "For so long a rule that is new or was changed only records; then it blocks by itself. Without it, it blocks at once."),

    list("shared.names", slot!(shared_names), "['outbound.example.com']",
        "Suffixes of confirmed host names of further mailbox providers and mail services."),
    list("shared.files", slot!(shared_files), "['/etc/mailward/shared.nets']",
        "Files with their networks, one a line, or JSON warning lists; beside the built-in catalogue."),

    list("networks.asn-files", slot!(tables.asn_files), "['/etc/mailward/asn.csv']",
        "Tables of AS numbers, one range a line: first address, last address, AS number."),
    list("networks.country-files", slot!(tables.country_files), "['/etc/mailward/country.csv', '/etc/mailward/cn.cidr']",
        "Tables of countries: ranges with two letters, delegation files of registries, or prefixes in a file named after a country."),

    row("journal.segment-size", slot!(journal.segment_size), "'64 MiB'",
        "When a new file is begun."),
    row("journal.total", slot!(journal.total), "'2 GiB'",
        "All files together; the oldest go first, never one that a restart needs."),
    row("journal.age", slot!(journal.age), "'30 d'",
        "How long a file is kept."),

    row("evidence.total", slot!(exhibits), "'1 GiB'",
        "All of them together; the oldest that no case took go first."),

    row("memory.keys", slot!(keys), "500000",
        "Senders remembered at once; the longest unseen one gives way, never a blocked one."),

    row("log.level", slot!(level), "'info'",
        "The least important line that is written."),
];
