//! Values of networks and mail: listeners, prefixes, names, mailboxes.

use std::net::{IpAddr, SocketAddr};

use model::key::KeyError;
use model::{Domain, Prefix};

use super::forms::{Fault, Written};

/// Where a server listens, or that it does not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Listener(pub(super) Option<SocketAddr>);

impl Listener {
    /// Whether nobody outside this machine can reach it.
    pub(super) fn is_loopback(self) -> bool {
        self.0.is_none_or(|at| at.ip().is_loopback())
    }
}

impl Written for Listener {
    fn expected() -> String {
        "an address with a port, or \"off\"".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        if text == "off" {
            return Ok(Listener(None));
        }
        text.parse().map(|at| Listener(Some(at))).map_err(|_| Fault::meant(with_address(text)))
    }

    fn text(&self) -> String {
        self.0.map_or("off".to_owned(), |at| at.to_string())
    }
}

/// A port without an address, or with a name for one, is meant for loopback.
fn with_address(text: &str) -> Option<String> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let port: u16 = port.parse().ok()?;
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, port).to_string());
    }
    matches!(host, "" | "localhost").then(|| format!("127.0.0.1:{port}"))
}

impl Written for Prefix {
    const MANY: &'static str = "addresses and prefixes";

    fn expected() -> String {
        "an IP address or prefix".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let prefix: Prefix = text.parse().map_err(prefix_fault)?;
        // A list that holds every address would switch the program off.
        if prefix.bits() == 0 { Err(Fault::expected("less than all addresses")) } else { Ok(prefix) }
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn prefix_fault(error: KeyError) -> Fault {
    match error {
        KeyError::Length { full, .. } => Fault::expected(&format!("a prefix length of 0 to {full}")),
        KeyError::HostBits { meant, .. } => Fault {
            expected: Some("no bits beyond the prefix length".to_owned()),
            meant: Some(meant.to_string()),
        },
        _ => Fault::default(),
    }
}

impl Written for Domain {
    const MANY: &'static str = "domain names";

    fn expected() -> String {
        "a domain name in ASCII with at least two labels".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        text.parse().map_err(|_| Fault::meant(without_wildcard(text)))
    }

    fn text(&self) -> String {
        self.as_str().to_owned()
    }
}

/// `*.example.org` and `.example.org` are how other programs write a suffix.
fn without_wildcard(text: &str) -> Option<String> {
    let bare = text.trim_start_matches(['*', '.']);
    (bare != text).then(|| bare.parse::<Domain>().ok()).flatten().map(|domain| domain.as_str().to_owned())
}

/// The most octets of a mail address (RFC 5321 §4.5.3.1: 64, `@`, 255).
const MAILBOX_LEN_MAX: usize = 320;

/// A mail address, in lower case: printable ASCII without spaces.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Mailbox(pub(super) String);

impl Mailbox {
    /// What stands behind the `@`.
    pub(super) fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl Written for Mailbox {
    const MANY: &'static str = "mail addresses";

    fn expected() -> String {
        "a mail address".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let bare = text.trim().strip_prefix("mailto:").unwrap_or(text.trim());
        let bare = bare.strip_prefix('<').and_then(|t| t.strip_suffix('>')).unwrap_or(bare);
        match mailbox(bare) {
            Some(good) if bare == text => Ok(good),
            meant => Err(Fault::meant(meant.map(|m| m.0))),
        }
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

fn mailbox(text: &str) -> Option<Mailbox> {
    let (local, domain) = text.rsplit_once('@')?;
    let good = text.len() <= MAILBOX_LEN_MAX && is_local_part(local) && domain.parse::<Domain>().is_ok();
    good.then(|| Mailbox(text.to_ascii_lowercase()))
}

/// RFC 5321 §4.1.2, without quoted strings: nobody's open or trap address needs them.
fn is_local_part(text: &str) -> bool {
    let atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
    (1..=64).contains(&text.len()) && text.bytes().all(atext)
}

/// A recipient that stays open to blocked hosts: a local part at every domain of ours, or
/// one address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Recipient {
    /// A local part, in lower case.
    Local(String),
    /// A whole address, in lower case.
    Address(Mailbox),
}

impl Written for Recipient {
    const MANY: &'static str = "local parts and mail addresses";

    fn expected() -> String {
        "a local part or a mail address".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        if is_local_part(text) {
            return Ok(Recipient::Local(text.to_ascii_lowercase()));
        }
        if let Some(local) = text.strip_suffix('@').filter(|local| is_local_part(local)) {
            return Err(Fault::meant(Some(local.to_owned())));
        }
        Mailbox::parse(text).map(Recipient::Address)
    }

    fn text(&self) -> String {
        match self {
            Recipient::Local(text) | Recipient::Address(Mailbox(text)) => text.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: Written>(text: &str, expect: &str) {
        let got = T::parse(text).map_or_else(
            |fault| fault.meant.or(fault.expected).map_or("error".to_owned(), |m| format!("error: {m}")),
            |value| value.text(),
        );
        assert_eq!(got, expect, "{text}");
    }

    #[test]
    fn a_listener_has_an_address_and_a_port() {
        check::<Listener>("127.0.0.1:12340", "127.0.0.1:12340");
        check::<Listener>("[::1]:12340", "[::1]:12340");
        check::<Listener>("off", "off");
        check::<Listener>("12340", "error: 127.0.0.1:12340");
        check::<Listener>("localhost:12340", "error: 127.0.0.1:12340");
        check::<Listener>("::1:12340", "error: [::1]:12340");
        check::<Listener>("mx.example.org:25", "error");
    }

    #[test]
    fn a_prefix_is_canonical_and_not_everything() {
        check::<Prefix>("192.0.2.1", "192.0.2.1");
        check::<Prefix>("192.0.2.9/24", "error: 192.0.2.0/24");
        check::<Prefix>("192.0.2.0/33", "error: a prefix length of 0 to 32");
        check::<Prefix>("0.0.0.0/0", "error: less than all addresses");
        check::<Prefix>("::/0", "error: less than all addresses");
        check::<Prefix>("mx.example.org", "error");
    }

    #[test]
    fn a_suffix_is_written_without_wildcard() {
        check::<Domain>("Example.ORG", "example.org");
        check::<Domain>("*.example.org", "error: example.org");
        check::<Domain>(".example.org", "error: example.org");
        check::<Domain>("*.*", "error");
        check::<Domain>("bücher.example", "error");
    }

    #[test]
    fn a_mailbox_is_bare_and_folded() {
        check::<Mailbox>("Postmaster@Example.org", "postmaster@example.org");
        check::<Mailbox>("<abuse@example.org>", "error: abuse@example.org");
        check::<Mailbox>("mailto:abuse@example.org", "error: abuse@example.org");
        for text in [
            "postmaster",
            "@example.org",
            "a b@example.org",
            "a@b@example.org",
            "a@host",
            "a\r\n@example.org",
        ] {
            check::<Mailbox>(text, "error");
        }
    }

    #[test]
    fn an_open_recipient_is_a_local_part_or_an_address() {
        check::<Recipient>("Postmaster", "postmaster");
        check::<Recipient>("noc@example.org", "noc@example.org");
        check::<Recipient>("abuse@", "error: abuse");
        check::<Recipient>("", "error");
        check::<Recipient>("two words", "error");
    }
}
