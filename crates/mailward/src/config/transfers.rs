//! `[dns]`, the part about whole zones: who may fetch them, and who is told of changes.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use edge::dns::transfer::{Target, TransferKey};
use model::Prefix;

use super::dns::Dns;
use super::forms::{Fault, Written};

/// The port of name servers.
const DOMAIN: u16 = 53;

/// Who may fetch whole zones.
#[derive(Clone, Debug)]
pub(crate) struct Transfers {
    /// From where.
    pub(crate) to: Vec<Prefix>,
    /// With which keys.
    pub(crate) keys: Vec<Arc<TransferKey>>,
    /// Who is told of changes.
    pub(crate) notify: Vec<Target>,
}

impl Dns {
    /// Nothing where zones may not be fetched.
    ///
    /// # Errors
    ///
    /// Whole zones leave only signed, and are told of with keys that there are.
    pub(super) fn transfers(&self) -> Result<Option<Transfers>, String> {
        let keys: Vec<_> = self.transfer_keys.iter().map(|key| key.key.clone()).collect();
        if self.transfer_to.is_empty() {
            return Ok(None);
        }
        if keys.is_empty() {
            return Err("dns.transfer-to: expected at least one key in dns.transfer-keys beside it; make its secret with \
                        `openssl rand -base64 32`"
                .to_owned());
        }
        let notify = self.notify.iter().map(|told| told.target(&keys)).collect::<Result<_, _>>()?;
        Ok(Some(Transfers { to: self.transfer_to.clone(), notify, keys }))
    }
}

/// A key with which zones are signed: `NAME:ALGORITHM:SECRET`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct SigningKey {
    text: String,
    key: Arc<TransferKey>,
}

impl Written for SigningKey {
    const MANY: &'static str = "keys";

    fn expected() -> String {
        "a name, hmac-sha256 or hmac-sha512, and a secret of 16 octets or more in base64, with colons between"
            .to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let key: TransferKey = text.parse().map_err(|error: edge::dns::transfer::BadKey| {
            Fault::expected(error.to_string().strip_prefix("expected ").unwrap_or_default())
        })?;
        Ok(SigningKey { text: text.to_owned(), key: Arc::new(key) })
    }

    fn text(&self) -> String {
        self.text.clone()
    }
}

/// A secondary that is told of changes: its address, a port where it is not 53, and the name of
/// the key it is told with where that is not the first one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Secondary {
    addr: SocketAddr,
    key: Option<String>,
}

impl Secondary {
    fn target(&self, keys: &[Arc<TransferKey>]) -> Result<Target, String> {
        let has_name = |key: &&Arc<TransferKey>, name: &String| key.name().to_string() == *name;
        let named = |key: &&Arc<TransferKey>| self.key.as_ref().is_none_or(|name| has_name(key, name));
        let key = keys.iter().find(named).cloned();
        let unknown =
            || format!("dns.notify: expected a key of dns.transfer-keys, but got {:?}", self.text());
        Ok(Target { addr: self.addr, key: Some(key.ok_or_else(unknown)?) })
    }
}

impl Written for Secondary {
    const MANY: &'static str = "addresses of name servers";

    fn expected() -> String {
        "an address, with a port where it is not 53, and behind a space the name of its key where that is not the first"
            .to_owned()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let (addr, key) = match text.split_once(' ') {
            Some((addr, key)) => (addr, Some(key.to_ascii_lowercase())),
            None => (text, None),
        };
        let bare = || addr.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DOMAIN));
        let addr = addr.parse().or_else(|_| bare()).map_err(|_| Fault::default())?;
        Ok(Secondary { addr, key })
    }

    fn text(&self) -> String {
        let addr =
            if self.addr.port() == DOMAIN { self.addr.ip().to_string() } else { self.addr.to_string() };
        self.key.as_ref().map_or(addr.clone(), |key| format!("{addr} {key}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "xfr:hmac-sha256:bWFpbHdhcmQgdGVzdHMgc2lnbiB3aXRoIHRoaXMga2V5";

    fn dns(keys: &[&str], notify: &[&str]) -> Dns {
        Dns {
            transfer_to: vec!["192.0.2.53".parse().unwrap()],
            transfer_keys: keys.iter().map(|key| SigningKey::parse(key).unwrap()).collect(),
            notify: notify.iter().map(|told| Secondary::parse(told).unwrap()).collect(),
            ..Dns::default()
        }
    }

    #[test]
    fn adv_14_no_zone_leaves_without_a_key() {
        assert!(Dns::default().transfers().unwrap().is_none());
        assert!(dns(&[], &[]).transfers().unwrap_err().contains("dns.transfer-keys"));
        let told = dns(&[KEY], &["192.0.2.53", "[2001:db8::53]:5353 XFR"]).transfers().unwrap().unwrap();
        let at = told.notify.iter().map(|told| (told.addr.to_string(), told.key.is_some()));
        assert_eq!(
            at.collect::<Vec<_>>(),
            [("192.0.2.53:53".into(), true), ("[2001:db8::53]:5353".into(), true)]
        );
        assert!(dns(&[KEY], &["192.0.2.53 other"]).transfers().unwrap_err().contains("dns.notify"));
    }

    #[test]
    fn what_is_no_key_or_place_is_told() {
        assert!(SigningKey::parse("xfr:hmac-md5:c2VjcmV0").is_err());
        assert!(Secondary::parse("ns.example").is_err());
        for text in ["192.0.2.53", "192.0.2.53:5353", "2001:db8::53 xfr"] {
            assert_eq!(Secondary::parse(text).unwrap().text(), text);
        }
    }
}
