//! The settings as they are after reading: one field for each row of the table.
//!
//! A field's type decides which texts are good values; the types stand in `forms`,
//! `units`, `words` and `net`.

use std::path::PathBuf;

use model::{Domain, Prefix, Secs};

use super::conduct::{Bot, HashFlood, Protocol};
use super::damage::{Dictionary, Flood};
use super::dns::Dns;
use super::forms::{Count, Limit, Score, Title};
use super::judges::{Encrypted, Endpoint, HeaderMark, Macros, Resolver};
use super::net::{Listener, Mailbox, Recipient};
use super::territory::{Geo, NetL2, Noted, Tables};
use super::units::{Bytes, Percent};
use super::url::Url;
use super::words::{Expiry, FirstMode, Greylisted, Level, Looked, Plain, Scored, Strict, Tier};

/// All settings.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) data_dir: PathBuf,
    pub(super) mode: FirstMode,
    pub(super) node: Count<1, 65_535>,
    pub(super) site: Option<Title>,
    pub(super) allow_documentation_prefixes: bool,
    pub(super) portal: Portal,
    pub(super) policy: PolicyServer,
    pub(super) milter: Milter,
    pub(super) judges: Judges,
    pub(super) reports: Reports,
    pub(super) dns: Dns,
    pub(super) control_socket: Option<PathBuf>,
    pub(super) own: Own,
    pub(super) traps: Traps,
    pub(super) greylist: GreylistSection,
    pub(super) sentence: Sentence,
    pub(super) rules: Rules,
    pub(super) guards: Guards,
    pub(super) shared_names: Vec<Domain>,
    pub(super) shared_files: Vec<PathBuf>,
    pub(super) tables: Tables,
    pub(super) journal: Journal,
    pub(super) exhibits: Bytes,
    pub(super) keys: Count<1_000, 100_000_000>,
    pub(super) level: Level,
}

/// `[portal]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Portal {
    pub(super) url: Option<Url>,
    pub(super) listen: Listener,
    pub(super) contact: Option<Mailbox>,
}

/// `[policy]`: the server of Postfix's policy protocol.
#[derive(Clone, Debug, Default)]
pub(super) struct PolicyServer {
    pub(super) tcp: Listener,
    pub(super) unix: Option<PathBuf>,
    pub(super) trust_local: bool,
    pub(super) threads: Count<0, 256>,
}

/// `[milter]`: the server of the milter protocol.
#[derive(Clone, Debug, Default)]
pub(super) struct Milter {
    pub(super) tcp: Listener,
    pub(super) unix: Option<PathBuf>,
    pub(super) trust_local: bool,
    pub(super) threads: Count<0, 256>,
    pub(super) body: Bytes,
    pub(super) patience: Secs,
    pub(super) header: bool,
}

/// `[judges]`: who is asked what a message is.
#[derive(Clone, Debug, Default)]
pub(super) struct Judges {
    pub(super) authentication: bool,
    pub(super) resolvers: Vec<Resolver>,
    pub(super) attachments: bool,
    pub(super) macros: Macros,
    pub(super) encrypted: Encrypted,
    pub(super) rspamd: Option<Endpoint>,
    pub(super) rspamd_mark: Option<Score>,
    pub(super) spamd: Option<Endpoint>,
    pub(super) spamd_mark: Option<Score>,
    pub(super) clamd: Option<Endpoint>,
    pub(super) header: Option<HeaderMark>,
    pub(super) deadline: Secs,
    pub(super) at_once: Count<1, 1_000>,
    pub(super) size: Bytes,
}

/// `[reports]`: mail to Mailward itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Reports {
    pub(super) lmtp: Option<PathBuf>,
    pub(super) addresses: Vec<Recipient>,
}

/// `[own]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    pub(super) networks: Vec<Prefix>,
    pub(super) relays: Vec<Prefix>,
    pub(super) names: Vec<Domain>,
    pub(super) senders: Vec<Domain>,
    pub(super) exempt: Vec<Recipient>,
}

/// `[traps]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Traps {
    pub(super) pristine: Vec<Mailbox>,
    pub(super) pristine_file: Option<PathBuf>,
    pub(super) recycled: Vec<Mailbox>,
    pub(super) recycled_file: Option<PathBuf>,
}

/// `[greylist]`.
#[derive(Clone, Debug, Default)]
pub(super) struct GreylistSection {
    pub(super) mode: Greylisted,
    pub(super) pass: Option<Secs>,
    pub(super) retry: Secs,
    pub(super) white: Secs,
}

/// `[sentence]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Sentence {
    pub(super) per_unit: Secs,
    pub(super) floor: Secs,
    pub(super) cap: Secs,
    pub(super) doublings: Count<0, 16>,
}

/// `[rules.…]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) volume: Volume,
    pub(super) trap: Strict,
    pub(super) trap_expiry: Expiry,
    pub(super) helo: Strict,
    pub(super) helo_name: Looked,
    pub(super) connection: Scored,
    pub(super) message: Plain,
    pub(super) reports: Strict,
    pub(super) reports_expiry: Expiry,
    pub(super) virus: Strict,
    pub(super) attachment: Strict,
    pub(super) forged: Scored,
    pub(super) conduct: Scored,
    pub(super) backscatter: Strict,
    pub(super) protocol: Protocol,
    pub(super) bot: Bot,
    pub(super) dictionary: Dictionary,
    pub(super) flood: Flood,
    pub(super) hash_flood: HashFlood,
    pub(super) greytrap: Strict,
    pub(super) net_l2: NetL2,
    pub(super) asn_l3: Noted,
    pub(super) geo: Geo,
}

/// `[rules.spam-volume]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Volume {
    pub(super) mode: Strict,
    pub(super) first_hit: Tier,
    pub(super) units_hour: Count<1, 1_000_000>,
    pub(super) units_day: Count<1, 1_000_000>,
    pub(super) share: Percent,
    pub(super) messages: Count<1, 1_000_000>,
    pub(super) dump: Count<1, 1_000_000>,
}

/// `[guards]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Guards {
    pub(super) classes: bool,
    pub(super) ratio: bool,
    pub(super) attempts: bool,
    pub(super) blocks_per_minute: Limit,
    pub(super) null_routes_per_minute: Limit,
    pub(super) trial: Option<Secs>,
}

/// `[journal]`.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    pub(super) segment_size: Bytes,
    pub(super) total: Bytes,
    pub(super) age: Secs,
}

impl Settings {
    /// The socket of the operator's API.
    pub(super) fn control(&self) -> PathBuf {
        self.control_socket.clone().unwrap_or_else(|| self.data_dir.join("control.sock"))
    }
}
