//! `[dns]`: the block lists that others ask.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use edge::dns::transfer::TransferKey;
use edge::dns::{Access, OwnedName, Rates};
use model::{Domain, Prefix, Secs};

use super::forms::{Count, Fault, Written};
use super::net::Mailbox;
use super::transfers::{Secondary, SigningKey, Transfers};
use super::words::Word;

/// Octets of the longest base zone: room for a whole address, a key and a sub-zone in front.
const ZONE_LEN_MAX: usize = 120;

/// Octets of a key in front of a zone: what nobody guesses, and one label.
const KEY_LEN: std::ops::RangeInclusive<usize> = 16..=63;

/// Letters of the longest name that Linux gives to an interface.
const CARD_LEN_MAX: usize = 15;

/// The section.
#[derive(Clone, Debug, Default)]
pub(super) struct Dns {
    pub(super) zone: Option<Zone>,
    pub(super) listen: Vec<Place>,
    pub(super) threads: Count<0, 256>,
    pub(super) xdp: Option<Card>,
    pub(super) access: Asked,
    pub(super) allow: Vec<Prefix>,
    pub(super) keys: Vec<Key>,
    pub(super) servers: Vec<Domain>,
    pub(super) contact: Option<Mailbox>,
    pub(super) ttl: Secs,
    pub(super) negative_ttl: Secs,
    pub(super) rate_mode: Limiting,
    pub(super) rate_listed: Count<0, 10_000_000>,
    pub(super) rate_unlisted: Count<0, 10_000_000>,
    pub(super) rate_errors: Count<0, 10_000_000>,
    pub(super) slip: Count<0, 10>,
    pub(super) quota: Count<0, 10_000_000>,
    pub(super) transfer_to: Vec<Prefix>,
    pub(super) transfer_keys: Vec<SigningKey>,
    pub(super) transfer_key_file: Option<PathBuf>,
    pub(super) notify: Vec<Secondary>,
}

/// Seconds for which answers of copies may be remembered: a copy can not count down to the end
/// of a block as we do, so what is behind it may outlive that by so much.
const COPY_TTL: u32 = 60;

/// What the name server is told.
#[derive(Clone, Debug)]
pub(crate) struct NameServer {
    /// The base zone.
    pub(crate) base: OwnedName,
    /// Where it listens, on UDP and TCP.
    pub(crate) listen: Vec<SocketAddr>,
    /// Threads for each address; `None` is one per core.
    pub(crate) threads: Option<usize>,
    /// The interface from which questions are taken straight.
    pub(crate) xdp: Option<String>,
    /// Who may ask.
    pub(crate) access: Access,
    /// Networks that may always ask.
    pub(crate) allow: Vec<Prefix>,
    /// Labels that let anybody ask.
    pub(crate) keys: Vec<String>,
    /// Names of the zone's servers.
    pub(crate) servers: Vec<OwnedName>,
    /// The mailbox of the zone's keeper.
    pub(crate) contact: OwnedName,
    /// Seconds for which an answer may be remembered.
    pub(crate) ttl: u32,
    /// The same of ‘not listed’.
    pub(crate) negative_ttl: u32,
    /// How much is answered.
    pub(crate) rates: Rates,
    /// Who may fetch whole zones.
    pub(crate) transfers: Result<Option<Transfers>, String>,
}

impl NameServer {
    /// Seconds for which answers of copies may be remembered.
    pub(crate) fn copy_ttl(&self) -> u32 {
        self.ttl.min(COPY_TTL)
    }
}

impl Dns {
    /// What the name server is told; nothing without a zone. `contact` is the site's mailbox,
    /// `keys` are those of the file of transfer keys.
    pub(super) fn server(&self, contact: &str, keys: &[Arc<TransferKey>]) -> Option<NameServer> {
        let base = self.zone.as_ref()?.0.clone();
        let contact = self.contact.as_ref().map_or(contact, |mailbox| &mailbox.0);
        let number = |secs: Secs| u32::try_from(secs.0).unwrap_or(u32::MAX);
        Some(NameServer {
            listen: self.listen.iter().map(|place| place.0).collect(),
            threads: usize::try_from(self.threads.0).ok().filter(|n| *n > 0),
            xdp: self.xdp.as_ref().map(|card| card.0.clone()),
            access: self.access.0,
            allow: self.allow.clone(),
            keys: self.keys.iter().map(|key| key.label.clone()).collect(),
            // A domain is a name.
            servers: self.servers.iter().filter_map(|server| server.as_str().parse().ok()).collect(),
            contact: OwnedName::of_mailbox(contact).unwrap_or_else(|_| base.clone()),
            ttl: number(self.ttl),
            negative_ttl: number(self.negative_ttl),
            rates: self.rates(),
            transfers: self.transfers(keys),
            base,
        })
    }

    fn rates(&self) -> Rates {
        let on = |rate: u32| if self.rate_mode == Limiting::Off { 0 } else { rate };
        Rates {
            count_only: self.rate_mode == Limiting::Count,
            listed: on(self.rate_listed.0),
            unlisted: on(self.rate_unlisted.0),
            errors: on(self.rate_errors.0),
            slip: self.slip.0,
            quota: on(self.quota.0),
            everybody: self.rate_mode == Limiting::Everybody,
        }
    }
}

/// A base zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Zone(pub(super) OwnedName);

impl Written for Zone {
    fn expected() -> String {
        format!("a domain name of at least two labels and at most {ZONE_LEN_MAX} characters")
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let domain: Domain = text.parse().map_err(|_| Fault::default())?;
        let name = domain.as_str().parse().map_err(|_| Fault::default())?;
        if domain.as_str().len() > ZONE_LEN_MAX { Err(Fault::default()) } else { Ok(Zone(name)) }
    }

    fn text(&self) -> String {
        self.0.to_string()
    }
}

/// Where the name server listens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place(pub(super) SocketAddr);

impl Written for Place {
    const MANY: &'static str = "addresses with ports";

    fn expected() -> String {
        "one of this machine's addresses with a port".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let at: SocketAddr = text.parse().map_err(|_| Fault::default())?;
        if at.ip().is_unspecified() {
            // An answer from another address than was asked is thrown away.
            return Err(Fault::expected(
                "each address by itself, and no wildcard: answers must leave from the address that was asked",
            ));
        }
        Ok(Place(at))
    }

    fn text(&self) -> String {
        self.0.to_string()
    }
}

/// A network interface by its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Card(pub(super) String);

impl Written for Card {
    fn expected() -> String {
        format!("the name of a network interface, at most {CARD_LEN_MAX} letters, digits and marks")
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@:".contains(c);
        let is_name = (1..=CARD_LEN_MAX).contains(&text.len()) && text.chars().all(plain);
        if is_name && !text.starts_with('.') { Ok(Card(text.to_owned())) } else { Err(Fault::default()) }
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

/// A label in front of a zone that lets its holder ask: `name:label`.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Key {
    holder: String,
    label: String,
}

impl std::fmt::Debug for Key {
    /// Without the label.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:…", self.holder)
    }
}

impl Written for Key {
    const MANY: &'static str = "keys";

    fn expected() -> String {
        format!(
            "a name, a colon and a key of {} to {} lower-case letters and digits",
            KEY_LEN.start(),
            KEY_LEN.end()
        )
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let (holder, label) = text.split_once(':').ok_or_else(Fault::default)?;
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if holder.is_empty() || !KEY_LEN.contains(&label.len()) || !label.bytes().all(good) {
            return Err(Fault::default());
        }
        Ok(Key { holder: holder.to_owned(), label: label.to_owned() })
    }

    fn text(&self) -> String {
        format!("{}:{}", self.holder, self.label)
    }
}

/// Who may ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Asked(pub(super) Access);

impl Default for Asked {
    fn default() -> Self {
        Asked(Access::Local)
    }
}

impl Word for Asked {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("local", Self(Access::Local)),
        ("acl", Self(Access::Listed)),
        ("keyed", Self(Access::Keyed)),
        ("public", Self(Access::Public)),
    ];
}

/// How answers to one network are limited.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Limiting {
    /// Networks that are not known.
    #[default]
    On,
    /// The same, and what would have been held back is only counted.
    Count,
    /// Nobody.
    Off,
    /// Known networks, too.
    Everybody,
}

impl Word for Limiting {
    const WORDS: &'static [(&'static str, Self)] =
        &[("on", Self::On), ("count", Self::Count), ("off", Self::Off), ("everybody", Self::Everybody)];
}
