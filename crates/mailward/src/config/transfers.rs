//! `[dns]`, the part about whole zones: who may fetch them, and who is told of changes.
//!
//! Keys stand in the configuration or in a file of their own, one a line; there, an empty line
//! and one that begins with `#` say nothing. No error shows one.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use edge::dns::transfer::{Target, TransferKey};
use model::Prefix;

use super::dns::Dns;
use super::error::{ConfigError, Place};
use super::forms::{Fault, Written, quoted};
use super::settings::Settings;
use super::source::printable;
use super::traps::Open;

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
    /// Nothing where zones may not be fetched; `more` keys are those of the file.
    ///
    /// # Errors
    ///
    /// Whole zones leave only signed, and are told of with keys that there are.
    pub(super) fn transfers(&self, more: &[Arc<TransferKey>]) -> Result<Option<Transfers>, String> {
        let own = self.transfer_keys.iter().map(|key| &key.key);
        let keys: Vec<_> = own.chain(more).cloned().collect();
        if self.transfer_to.is_empty() {
            return Ok(None);
        }
        if keys.is_empty() {
            return Err("dns.transfer-to: expected at least one key in dns.transfer-keys or dns.transfer-key-file beside \
                        it; make its secret with `openssl rand -base64 32`"
                .to_owned());
        }
        let notify = self.notify.iter().map(|told| told.target(&keys)).collect::<Result<_, _>>()?;
        Ok(Some(Transfers { to: self.transfer_to.clone(), notify, keys }))
    }
}

/// The setting of the file of keys.
const FILE: &str = "dns.transfer-key-file";

/// Access of others than owner and group.
const OTHERS: u32 = 0o007;

/// Reads the keys of the file, and tells what is wrong with it.
pub(super) fn collect(
    settings: &Settings,
    lines: &BTreeMap<&'static str, usize>,
    file: &str,
    open: Open<'_>,
) -> (Vec<Arc<TransferKey>>, Vec<ConfigError>) {
    let Some(path) = settings.dns.transfer_key_file.as_deref() else { return Default::default() };
    let wrong = |at, expected: String, got| ConfigError::Setting {
        at,
        name: FILE.to_owned(),
        expected,
        got,
        meant: None,
    };
    let whole = |expected: &str, why: String| {
        let at = Place { file: file.to_owned(), line: lines.get(FILE).copied().unwrap_or(1) };
        let path = quoted(&printable(&path.display().to_string()));
        (Vec::new(), vec![wrong(at, expected.to_owned(), format!("{path} ({why})"))])
    };
    let text = match open(path) {
        Ok(text) => text,
        Err(why) => return whole("a readable text file", why),
    };
    if is_open_to_others(path) {
        return whole("a file that only its owner and group may read", "chmod o= it".to_owned());
    }
    let (mut keys, mut errors) = (Vec::new(), Vec::new());
    for (line, said) in (1..).zip(text.lines().map(str::trim)) {
        match SigningKey::parse(said) {
            _ if said.is_empty() || said.starts_with('#') => {}
            Ok(key) => keys.push(key.key),
            Err(fault) => {
                let at = Place { file: path.display().to_string(), line };
                let expected = fault.expected.unwrap_or_else(<SigningKey as Written>::expected);
                errors.push(wrong(at, expected, "a line that is no key".to_owned()));
            }
        }
    }
    (keys, errors)
}

fn is_open_to_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.mode() & OTHERS != 0)
}

/// A key with which zones are signed: `NAME:ALGORITHM:SECRET`.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct SigningKey {
    text: String,
    key: Arc<TransferKey>,
}

impl std::fmt::Debug for SigningKey {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.key.fmt(f)
    }
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
        // What stands there may be a whole key by mistake, and is not shown.
        let unknown =
            || format!("dns.notify: expected the name of a transfer key behind {}, or nothing", self.addr);
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
    use std::os::unix::fs::PermissionsExt;

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
        assert!(Dns::default().transfers(&[]).unwrap().is_none());
        assert!(dns(&[], &[]).transfers(&[]).unwrap_err().contains("dns.transfer-keys"));
        let told = dns(&[KEY], &["192.0.2.53", "[2001:db8::53]:5353 XFR"]).transfers(&[]).unwrap().unwrap();
        let at = told.notify.iter().map(|told| (told.addr.to_string(), told.key.is_some()));
        assert_eq!(
            at.collect::<Vec<_>>(),
            [("192.0.2.53:53".into(), true), ("[2001:db8::53]:5353".into(), true)]
        );
        assert!(dns(&[KEY], &["192.0.2.53 other"]).transfers(&[]).unwrap_err().contains("dns.notify"));
        let more = [SigningKey::parse(&KEY.replace("xfr", "other")).unwrap().key];
        let told = dns(&[], &["192.0.2.53 other"]).transfers(&more).unwrap().unwrap();
        assert_eq!((told.keys.len(), told.notify.len()), (1, 1));
    }

    /// Keys of a file with this text and mode, or what is wrong with it.
    fn in_file(text: &str, mode: u32) -> Result<Vec<String>, String> {
        let folder = crate::testing::Scratch::new(&format!("transfer-keys-{mode:o}-{}", text.len()));
        let path = folder.path().join("keys");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let config = format!("[dns]\ntransfer-key-file = {:?}\n", path.display());
        let config = crate::config::Config::from_str("t.toml", &config).map_err(|error| error.to_string())?;
        assert!(!config.show().contains("bWFpb") && !format!("{config:?}").contains("bWFpb"), "a secret");
        Ok(config.transfer_keys.iter().map(|key| format!("{key:?}")).collect())
    }

    #[test]
    fn keys_of_a_file_count_as_those_of_the_configuration() {
        let text = format!("# of two\n\n{KEY}\n  {}\n", KEY.replace("xfr", "b").replace("256", "512"));
        assert_eq!(in_file(&text, 0o640).unwrap(), ["xfr:hmac-sha256:…", "b:hmac-sha512:…"]);
        assert!(in_file("", 0o600).unwrap().is_empty());
    }

    #[test]
    fn adv_14_a_file_of_keys_that_others_may_read_is_refused_and_no_error_shows_one() {
        let error = in_file(KEY, 0o644).unwrap_err();
        assert!(error.contains("t.toml:2: dns.transfer-key-file: expected a file that only"), "{error}");
        let error = in_file(&format!("{KEY}\n{}\n", KEY.replace("256", "1")), 0o600).unwrap_err();
        assert!(error.contains("keys:2: dns.transfer-key-file: expected hmac-sha256 or"), "{error}");
        assert!(!error.contains("bWFpb"), "{error}");
        let inline = format!("[dns]\ntransfer-keys = [\"{}\"]\n", KEY.replace("sha256", "md5"));
        let error = crate::config::Config::from_str("t.toml", &inline).unwrap_err().to_string();
        assert!(error.contains("t.toml:2: dns.transfer-keys: ") && !error.contains("bWFpb"), "{error}");
    }

    #[test]
    fn adv_14_no_error_of_the_file_s_form_shows_a_key() {
        for dns in [
            format!("transfer-keys = \"{KEY}\""),
            format!("transfer-keys = [{KEY}]"),
            format!("transfer-keys = {KEY}"),
            format!("transfer-keys = [\n  {KEY},\n  \"{KEY}\"\n]"),
            format!("transfer-keys = [\"{KEY}]"),
            format!("keys = customer:{KEY}"),
            format!("\"transfer-keys\" = ['{KEY}' '{KEY}']"),
        ] {
            let error = crate::config::Config::from_str("t.toml", &format!("[dns]\n{dns}\n")).unwrap_err();
            let error = error.to_string();
            assert!(error.contains("t.toml:") && !error.to_lowercase().contains("bwfpb"), "{dns}: {error}");
        }
        let dotted = format!("dns.transfer-keys = [{KEY}]\n");
        let error = crate::config::Config::from_str("t.toml", &dotted).unwrap_err().to_string();
        assert!(!error.contains("bWFpb"), "{error}");
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
