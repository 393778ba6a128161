//! The configuration: one TOML file, one table of settings.
//!
//! [`rows::ROWS`] is the table; reading, checking, `config sample`, `config show` and the
//! manual are made from it. A file is refused as a whole, with all its mistakes: an unknown
//! key, a value of another form, settings that contradict each other. Nothing here opens a
//! socket; besides the file itself only lists of traps and of shared networks, and keys, are read.

#![cfg_attr(not(test), expect(dead_code, reason = "until every command is there"))]

mod check;
mod conduct;
mod damage;
mod dns;
mod error;
mod forms;
mod judges;
mod nearest;
mod net;
mod networks;
mod outward;
mod print;
mod read;
mod rows;
mod settings;
mod source;
mod territory;
#[cfg(test)]
mod tests;
mod transfers;
mod traps;
mod units;
mod url;
mod words;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use edge::dns::transfer::TransferKey;
use model::{Domain, Name, Node, Prefix, Secs};

pub(crate) use dns::NameServer;
pub(crate) use error::{ConfigError, ConfigErrors};
pub(crate) use judges::{Endpoint, HeaderMark};
pub(crate) use words::Level;

use forms::Written;
use judges::Macros;
use net::Recipient;
use settings::Settings;
use source::Source;
use traps::{Open, Traps};

/// A configuration that was read whole and found good.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The file as it was named.
    file: String,
    settings: Settings,
    /// Lines of the settings that stand in the file.
    lines: BTreeMap<&'static str, usize>,
    traps: Traps,
    /// Networks of the files of shared senders.
    networks: Vec<Prefix>,
    /// Keys of the file of transfer keys.
    transfer_keys: Vec<Arc<TransferKey>>,
    /// Families of bots of the operator's file.
    signatures: Vec<model::signatures::Signature>,
}

/// Where the daemon listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Listeners {
    /// The policy protocol over TCP.
    pub(crate) policy_tcp: Option<SocketAddr>,
    /// The policy protocol over a unix socket.
    pub(crate) policy_unix: Option<PathBuf>,
    /// Whether what the TCP listener hears counts.
    pub(crate) trust_local: bool,
    /// Threads that answer policy requests; `None` is one per core.
    pub(crate) threads: Option<usize>,
    /// The portal.
    pub(crate) portal: Option<SocketAddr>,
    /// The operator's API.
    pub(crate) control: PathBuf,
}

/// Where whole messages are shown to us.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct MilterServer {
    /// Over TCP.
    pub(crate) tcp: Option<SocketAddr>,
    /// Over a unix socket.
    pub(crate) unix: Option<PathBuf>,
    /// Whether what the TCP listener hears counts.
    pub(crate) trust_local: bool,
    /// Threads that answer; `None` is one per core.
    pub(crate) threads: Option<usize>,
    /// Octets of a body that are held.
    pub(crate) body_max: usize,
    /// How long a message may wait for its judges.
    pub(crate) patience: Duration,
    /// Whether messages get our fields.
    pub(crate) header: bool,
}

/// Who is asked what a message is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Asked {
    /// SPF, DKIM and DMARC.
    pub(crate) authentication: bool,
    /// Resolvers; empty means the system's.
    pub(crate) resolvers: Vec<SocketAddr>,
    /// The built-in look into attachments.
    pub(crate) attachments: bool,
    /// Office documents with macros that start by themselves are refused.
    pub(crate) macros_refused: bool,
    /// rspamd's normal worker.
    pub(crate) rspamd: Option<Endpoint>,
    /// From which score on its verdict is spam, in hundredths, if not by its own action.
    pub(crate) rspamd_mark: Option<i32>,
    /// SpamAssassin.
    pub(crate) spamd: Option<Endpoint>,
    /// The same for SpamAssassin.
    pub(crate) spamd_mark: Option<i32>,
    /// ClamAV.
    pub(crate) clamd: Option<Endpoint>,
    /// A field of an earlier filter.
    pub(crate) header: Option<HeaderMark>,
    /// How long one of them may take.
    pub(crate) deadline: Duration,
    /// Messages that one of them looks at at once.
    pub(crate) at_once: usize,
    /// Octets of a message that the spam filters are shown.
    pub(crate) size_max: usize,
}

/// Which rules give points to a message's score.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Weights {
    /// HELO and reverse DNS.
    pub(crate) connection: bool,
    /// Attachments.
    pub(crate) attachments: bool,
    /// SPF and DMARC.
    pub(crate) sender: bool,
    /// Whether the sender's domain can be answered.
    pub(crate) conduct: bool,
}

/// How the journal rotates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct JournalLimits {
    /// Bytes of one segment.
    pub(crate) segment_bytes: u64,
    /// Bytes of all segments together.
    pub(crate) total_bytes: u64,
    /// How long a segment is kept.
    pub(crate) age: Secs,
}

impl Config {
    /// Reads a file and the lists that it names.
    ///
    /// # Errors
    ///
    /// All mistakes of the files, by file and line.
    pub(crate) fn load(path: &Path) -> Result<Config, ConfigErrors> {
        let name = path.display().to_string();
        match open(path) {
            Ok(text) => Config::from_str(&name, &text),
            Err(why) => Err(ConfigErrors::one(ConfigError::Unreadable { file: name, why })),
        }
    }

    /// Reads `text`, which errors call `name`, and the lists that it names.
    ///
    /// # Errors
    ///
    /// All mistakes of the text and the lists, by file and line.
    pub(crate) fn from_str(name: &str, text: &str) -> Result<Config, ConfigErrors> {
        Config::from_source(Source { name, text }, &open)
    }

    fn from_source(source: Source<'_>, open: Open<'_>) -> Result<Config, ConfigErrors> {
        let reading = read::read(source);
        let (settings, lines, mut errors) = (reading.settings, reading.lines, reading.errors);
        // A bad value left its default, and a default contradicts nobody by itself.
        errors.extend(check::check(&settings, &lines, source.name));
        let (traps, bad_traps) = traps::collect(&settings, &lines, source.name, open);
        errors.extend(bad_traps);
        let (networks, bad_networks) = networks::collect(&settings, &lines, source.name, open);
        errors.extend(bad_networks);
        let (signatures, bad_signatures) = conduct::collect(&settings, &lines, source.name, open);
        errors.extend(bad_signatures);
        let (transfer_keys, bad_keys) = transfers::collect(&settings, &lines, source.name, open);
        errors.extend(bad_keys);
        ConfigErrors::none(errors)?;
        let file = source.name.to_owned();
        Ok(Config { file, settings, lines, traps, networks, transfer_keys, signatures })
    }

    /// Where ledger, journal and keys are kept.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.settings.data_dir
    }

    /// This host's number.
    pub(crate) fn node(&self) -> Node {
        Node(u16::try_from(self.settings.node.0).unwrap_or(u16::MAX))
    }

    /// Whether documentation prefixes may be blocked; then every listener is on loopback.
    pub(crate) fn allows_documentation(&self) -> bool {
        self.settings.allow_documentation_prefixes
    }

    /// Where the daemon listens.
    pub(crate) fn listeners(&self) -> Listeners {
        let (policy, threads) = (&self.settings.policy, self.settings.policy.threads.0);
        Listeners {
            policy_tcp: policy.tcp.0,
            policy_unix: policy.unix.clone(),
            trust_local: policy.trust_local,
            threads: usize::try_from(threads).ok().filter(|n| *n > 0),
            portal: self.settings.portal.listen.0,
            control: self.settings.control(),
        }
    }

    /// Where whole messages are shown to us.
    pub(crate) fn milter(&self) -> MilterServer {
        let milter = &self.settings.milter;
        MilterServer {
            tcp: milter.tcp.0,
            unix: milter.unix.clone(),
            trust_local: milter.trust_local,
            threads: usize::try_from(milter.threads.0).ok().filter(|n| *n > 0),
            body_max: usize::try_from(milter.body.0).unwrap_or(usize::MAX),
            patience: Duration::from_secs(milter.patience.0),
            header: milter.header,
        }
    }

    /// Who is asked what a message is.
    pub(crate) fn judges(&self) -> Asked {
        let judges = &self.settings.judges;
        Asked {
            authentication: judges.authentication,
            resolvers: judges.resolvers.iter().map(|r| r.0).collect(),
            attachments: judges.attachments,
            macros_refused: judges.macros == Macros::Refuse,
            rspamd: judges.rspamd.clone(),
            rspamd_mark: judges.rspamd_mark.map(|mark| mark.hundredths),
            spamd: judges.spamd.clone(),
            spamd_mark: judges.spamd_mark.map(|mark| mark.hundredths),
            clamd: judges.clamd.clone(),
            header: judges.header.clone(),
            deadline: Duration::from_secs(judges.deadline.0),
            at_once: usize::try_from(judges.at_once.0).unwrap_or(usize::MAX),
            size_max: usize::try_from(judges.size.0).unwrap_or(usize::MAX),
        }
    }

    /// Files with tables of AS numbers, and of countries.
    pub(crate) fn tables(&self) -> (&[PathBuf], &[PathBuf]) {
        (&self.settings.tables.asn_files, &self.settings.tables.country_files)
    }

    /// Our mail domains whose SPF record is complete.
    pub(crate) fn own_senders(&self) -> Vec<String> {
        self.settings.own.senders.iter().map(|domain| domain.as_str().to_owned()).collect()
    }

    /// What our MX calls itself: the first name, as it stands in the file.
    pub(crate) fn mx(&self) -> Option<Name> {
        self.settings.own.names.first().map(|name| Name::new(name.as_str().as_bytes()))
    }

    /// Our names and mail domains.
    pub(crate) fn own_domains(&self) -> Vec<Domain> {
        let own = &self.settings.own;
        own.names.iter().chain(&own.senders).cloned().collect()
    }

    /// The trap addresses, for the operator alone.
    pub(crate) fn trap_addresses(&self) -> impl Iterator<Item = &str> {
        self.traps.keys().map(|trap| trap.0.as_str())
    }

    /// Where mail for Mailward itself is handed in.
    pub(crate) fn lmtp(&self) -> Option<&Path> {
        self.settings.reports.lmtp.as_deref()
    }

    /// Whether users report to this address; letters in any case.
    pub(crate) fn takes_reports(&self, address: &str) -> bool {
        let address = address.to_ascii_lowercase();
        let local = address.rsplit_once('@').map_or(address.as_str(), |(local, _)| local);
        let bare = local.split_once('+').map_or(local, |(bare, _)| bare);
        self.settings.reports.addresses.iter().any(|known| match known {
            Recipient::Local(name) => name == bare,
            Recipient::Address(whole) => whole.0 == address,
        })
    }

    /// The whole addresses that take reports.
    pub(crate) fn report_addresses(&self) -> Vec<Vec<u8>> {
        let whole = |known: &Recipient| match known {
            Recipient::Local(_) => None,
            Recipient::Address(mailbox) => Some(mailbox.0.clone().into_bytes()),
        };
        self.settings.reports.addresses.iter().filter_map(whole).collect()
    }

    /// The addresses that take reports, where a local part means one at each of `domains`.
    pub(crate) fn report_addresses_at(&self, domains: &[String]) -> Vec<String> {
        let at = |known: &Recipient| match known {
            Recipient::Local(name) => domains.iter().map(|domain| format!("{name}@{domain}")).collect(),
            Recipient::Address(mailbox) => vec![mailbox.0.clone()],
        };
        self.settings.reports.addresses.iter().flat_map(at).collect()
    }

    /// Octets of all exhibits together.
    pub(crate) fn exhibits_max(&self) -> u64 {
        self.settings.exhibits.0
    }

    /// How the journal rotates.
    pub(crate) fn journal(&self) -> JournalLimits {
        let journal = &self.settings.journal;
        JournalLimits {
            segment_bytes: journal.segment_size.0,
            total_bytes: journal.total.0,
            age: journal.age,
        }
    }

    /// The least important log line that is written.
    pub(crate) fn log_level(&self) -> Level {
        self.settings.level
    }
}

/// Reads a text file; the error is what the system says.
fn open(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| error.to_string())
}

/// The commented sample: a TOML text that says nothing but the defaults.
pub(crate) fn sample() -> String {
    print::sample()
}

/// The manual's section on the configuration, in Markdown, with headings of the third level.
pub(crate) fn markdown() -> String {
    print::markdown()
}

/// Reads a duration as the configuration has it, for options of commands: `90 s`, `2 h`.
///
/// # Errors
///
/// What was expected and what was probably meant, as one text.
pub(crate) fn span(text: &str) -> Result<Secs, String> {
    Secs::parse(text).map_err(|fault| {
        let meant = fault.meant.map(|meant| format!("; did you mean {meant:?}?")).unwrap_or_default();
        let got = source::printable(text);
        format!("expected {}, but got {got:?}{meant}", <Secs as Written>::expected())
    })
}
