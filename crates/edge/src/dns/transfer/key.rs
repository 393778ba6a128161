//! Keys with which whole zones are signed (RFC 8945).

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};
use wire::dns::{DnsName, OwnedName};

/// The least octets of a secret. RFC 8945 §6 wants no less than the hash has; tools in use make
/// sixteen and more.
pub const SECRET_LEN_MIN: usize = 16;

/// How a signature is made (§6).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// hmac-sha256, which every server knows.
    Sha256,
    /// hmac-sha512.
    Sha512,
}

impl Algorithm {
    /// Its name in messages.
    pub(super) fn name(self) -> DnsName<'static> {
        let bytes: &[u8] = match self {
            Algorithm::Sha256 => b"\x0bhmac-sha256\0",
            Algorithm::Sha512 => b"\x0bhmac-sha512\0",
        };
        // Both are names.
        DnsName::whole(bytes).unwrap_or(DnsName::ROOT)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Algorithm::Sha256 => "hmac-sha256",
            Algorithm::Sha512 => "hmac-sha512",
        })
    }
}

/// A key with its name. Prints no secret.
#[derive(Clone, Eq, PartialEq)]
pub struct TransferKey {
    name: OwnedName,
    algorithm: Algorithm,
    secret: Box<[u8]>,
}

/// A text that is no key: `NAME:ALGORITHM:SECRET`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadKey {
    /// Not three parts with colons between.
    Parts,
    /// The name is no domain name.
    Name,
    /// An algorithm that we do not have.
    Algorithm,
    /// The secret is no base64, or too short.
    Secret,
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadKey::Parts => "expected NAME:hmac-sha256:SECRET",
            BadKey::Name => "expected a key name such as mailward-xfr in front of the first colon",
            BadKey::Algorithm => "expected hmac-sha256 or hmac-sha512 between the colons",
            BadKey::Secret => "expected at least 16 octets in base64 behind the second colon",
        })
    }
}

impl std::error::Error for BadKey {}

impl TransferKey {
    /// Its name.
    pub fn name(&self) -> &OwnedName {
        &self.name
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The signature of these parts, one behind the other.
    pub(super) fn sign(&self, parts: &[&[u8]]) -> Vec<u8> {
        match self.algorithm {
            Algorithm::Sha256 => self.fed::<Hmac<Sha256>>(parts).finalize().into_bytes().to_vec(),
            Algorithm::Sha512 => self.fed::<Hmac<Sha512>>(parts).finalize().into_bytes().to_vec(),
        }
    }

    /// Whether that is their signature; how long it takes says nothing of where it differs.
    pub(super) fn confirms(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::Sha256 => self.fed::<Hmac<Sha256>>(parts).verify_slice(mac).is_ok(),
            Algorithm::Sha512 => self.fed::<Hmac<Sha512>>(parts).verify_slice(mac).is_ok(),
        }
    }

    /// Octets of a whole signature.
    pub(super) fn mac_len(&self) -> usize {
        match self.algorithm {
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        }
    }

    #[expect(clippy::expect_used, reason = "an HMAC takes a key of any length")]
    fn fed<M: Mac + KeyInit>(&self, parts: &[&[u8]]) -> M {
        let mut mac = <M as KeyInit>::new_from_slice(&self.secret).expect("any length fits");
        parts.iter().for_each(|part| mac.update(part));
        mac
    }
}

impl FromStr for TransferKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<TransferKey, BadKey> {
        let (name, rest) = text.split_once(':').ok_or(BadKey::Parts)?;
        let (algorithm, secret) = rest.split_once(':').ok_or(BadKey::Parts)?;
        let name = name.to_ascii_lowercase().parse().map_err(|_| BadKey::Name)?;
        let algorithm = match algorithm {
            "hmac-sha256" => Algorithm::Sha256,
            "hmac-sha512" => Algorithm::Sha512,
            _ => return Err(BadKey::Algorithm),
        };
        let secret = base64(secret).filter(|secret| secret.len() >= SECRET_LEN_MIN).ok_or(BadKey::Secret)?;
        Ok(TransferKey { name, algorithm, secret: secret.into() })
    }
}

impl fmt::Debug for TransferKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:…", self.name, self.algorithm)
    }
}

/// Octets of base64 (RFC 4648 §4), with or without the padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let (mut octets, mut held, mut bits) = (Vec::with_capacity(digits.len() * 3 / 4), 0u32, 0);
    for digit in digits.bytes() {
        held = held << 6 | sextet(digit)?;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            // The lowest eight bits are meant.
            octets.push((held >> bits & 0xff) as u8);
        }
    }
    // One digit alone is no octet, and what is left over is zero.
    (bits < 6 && held & ((1 << bits) - 1) == 0).then_some(octets)
}

fn sextet(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A key of thirty-two octets.
    pub(in super::super) fn key(name: &str) -> TransferKey {
        format!("{name}:hmac-sha256:bWFpbHdhcmQgdGVzdHMgc2lnbiB3aXRoIHRoaXMga2V5").parse().unwrap()
    }

    #[test]
    fn a_key_is_read_and_its_secret_printed_nowhere() {
        let key = key("Mailward-XFR");
        assert_eq!(&*key.secret, b"mailward tests sign with this key");
        assert_eq!(format!("{key:?}"), "mailward-xfr:hmac-sha256:…");
        assert_eq!(key.sign(&[b"a", b"b"]), key.sign(&[b"ab"]));
        assert!(key.confirms(&[b"ab"], &key.sign(&[b"ab"])) && !key.confirms(&[b"ab"], &[0; 32]));
    }

    #[test]
    fn rfc_4231_the_published_vectors_come_out() {
        // Test case 1: twenty octets 0x0b.
        let secret = "CwsLCwsLCwsLCwsLCwsLCwsLCws=";
        let key: TransferKey = format!("a:hmac-sha256:{secret}").parse().unwrap();
        let mac = key.sign(&[b"Hi There"]);
        assert_eq!(mac[..8], [0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53]);
        let key: TransferKey = format!("a:hmac-sha512:{secret}").parse().unwrap();
        let mac = key.sign(&[b"Hi There"]);
        assert_eq!((&mac[..4], mac.len(), key.mac_len()), (&[0x87, 0xaa, 0x7c, 0xde][..], 64, 64));
    }

    #[test]
    fn what_is_no_key_is_told() {
        #[track_caller]
        fn check(text: &str, expect: BadKey) {
            assert_eq!(text.parse::<TransferKey>(), Err(expect), "{text}");
        }
        check("mailward-xfr", BadKey::Parts);
        check("mailward-xfr:hmac-sha256", BadKey::Parts);
        check("a b:hmac-sha256:bWFpbHdhcmQgdGVzdHMgc2lnbg==", BadKey::Name);
        check("a:hmac-md5:bWFpbHdhcmQgdGVzdHMgc2lnbg==", BadKey::Algorithm);
        for secret in [
            "",
            "c2hvcnQ=",
            "bWFpbHdhcmQgdGVzdHMgc2lnbg==x",
            "bWFpbHdhcmQ dGVzdHMgc2lnbgxx",
            "bWFpbHdhcmQgdGVzdHMgc2lnb",
        ] {
            check(&format!("a:hmac-sha256:{secret}"), BadKey::Secret);
        }
    }
}
