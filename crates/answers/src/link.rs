//! Case links: `/c/<reference>/<secret>`.
//!
//! The reference names the case and may be logged. The secret lets its holder see the
//! evidence; it follows from the site's link key, so it is never stored, and is the same on
//! every host and after a restart (DESIGN §5, ‘Links’). It is 128 bits of HMAC-SHA-256
//! (RFC 2104, RFC 6234) in 26 digits of Crockford's base 32.
//!
//! A link can not be found out by trying: 128 bits, compared in constant time, and an
//! unknown reference costs the same work as a known one.

use std::fmt;
use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use model::event::{EventId, Node};
use model::{CaseId, LinkKey, Site};
use projections::View;
use sha2::Sha256;

/// The most octets of a case link: longer ones are broken into two lines by mail programs
/// that quote a bounce.
pub const LINK_LEN_MAX: usize = 68;
/// Octets of a reference for which links keep to their length: `n1-9999999`, ten million
/// events.
pub const REFERENCE_LEN_USUAL: usize = 10;
/// Digits of a secret.
pub const SECRET_LEN: usize = 26;

/// Crockford's digits: no I, L, O and U.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The secret part of a link. `Debug` shows nothing of it.
#[derive(Clone, Copy)]
pub struct Secret([u8; 16]);

impl Secret {
    /// The secret of a case under the site's key.
    pub fn of(key: &LinkKey, case: CaseId) -> Secret {
        let tag = mac(key, case).finalize().into_bytes();
        let mut bits = [0; 16];
        bits.copy_from_slice(&tag[..16]);
        Secret(bits)
    }

    /// Reads digits as a person types them: any case, O for 0, I and L for 1.
    pub fn parse(text: &str) -> Option<Secret> {
        if text.len() != SECRET_LEN {
            return None;
        }
        let digits = text.bytes().map(digit);
        let number = digits.enumerate().try_fold(0u128, |sum, (place, digit)| {
            // 26 digits hold 130 bits: the first has only three of its five.
            let digit = digit.filter(|d| place > 0 || *d < 8)?;
            Some(sum << 5 | u128::from(digit))
        });
        number.map(|n| Secret(n.to_be_bytes()))
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u128::from_be_bytes(self.0);
        let places = (0..SECRET_LEN).rev();
        let digits = places.map(|p| char::from(DIGITS[(number >> (5 * p)) as usize % 32]));
        f.write_str(&digits.collect::<String>())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

fn digit(byte: u8) -> Option<u8> {
    let folded = match byte.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        other => other,
    };
    DIGITS.iter().position(|d| *d == folded).and_then(|p| u8::try_from(p).ok())
}

/// The authenticated bytes are `mailward/case/<epoch>/<reference>`, for example
/// `mailward/case/1/n1-48211`: the first words keep other uses of the key apart.
fn mac(key: &LinkKey, case: CaseId) -> Hmac<Sha256> {
    let input = format!("mailward/case/{}/{case}", key.epoch);
    // RFC 2104 §3: a key may have any length.
    let keyed = Hmac::<Sha256>::new_from_slice(&key.secret);
    keyed.unwrap_or_else(|never| unreachable!("{never}")).chain_update(input)
}

/// The whole link of a case. It holds the secret: never log it.
pub fn case_link(site: &Site, case: CaseId) -> String {
    format!("{}/c/{case}/{}", site.portal, Secret::of(&site.link_key, case))
}

/// The page on which anybody may look an address up.
pub fn lookup_link(site: &Site, addr: IpAddr) -> String {
    format!("{}/l/{addr}", site.portal)
}

/// The help page about a topic of [`crate::help::TOPICS`].
pub fn help_link(site: &Site, topic: &str) -> String {
    format!("{}/h/{topic}", site.portal)
}

/// The case that a link opens, if reference and secret belong together and it is known.
pub fn open(view: &View, reference: &str, secret: &str) -> Option<CaseId> {
    let case = reference_of(reference);
    let known = case.filter(|id| view.case(*id).is_some());
    let given = Secret::parse(secret);
    // From here on, nothing depends on what was found so far: the work is always done.
    let tag = mac(&view.site.link_key, known.unwrap_or(NOBODY));
    let fits = tag.verify_truncated_left(&given.unwrap_or(Secret([0; 16])).0).is_ok();
    known.filter(|_| fits & given.is_some())
}

/// Reads a reference, in any case of letters.
pub fn reference_of(text: &str) -> Option<CaseId> {
    text.to_ascii_lowercase().parse().ok()
}

/// A case that never is: numbers begin at 1.
const NOBODY: CaseId = CaseId(EventId { node: Node(0), life: 0, seq: 0 });

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Block};

    fn secret(text: &str) -> Option<String> {
        Secret::parse(text).map(|s| s.to_string())
    }

    #[test]
    fn the_link_of_a_case_is_pinned() {
        // Links stand in bounces for months. Input `mailward/case/1/n1-48211`, key 32 × 7.
        let site = testing::site();
        let case = "n1-48211".parse().unwrap();
        assert_eq!(case_link(&site, case), "https://mw.example.org/c/n1-48211/2B4SXG2RR2Q4G40W25XG232CP6");
        let other = Site { link_key: LinkKey { epoch: 2, ..site.link_key.clone() }, ..site };
        assert_eq!(Secret::of(&other.link_key, case).to_string(), "6ZP9BK8H6464NN7F3EZ8M71ZA6");
    }

    #[test]
    fn a_secret_is_read_as_people_type_it() {
        let canonical = "40H1J0000000000000000000ZZ";
        assert_eq!(secret(canonical).as_deref(), Some(canonical));
        assert_eq!(secret("4oHIjO0000000000000000OOzz").as_deref(), Some(canonical));
        assert_eq!(secret("40HLJ0000000000000000000zZ").as_deref(), Some(canonical));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for text in [
            "",
            "40H1J0000000000000000000Z",
            "40H1J0000000000000000000ZZZ",
            "40U1J0000000000000000000ZZ",
            "80H1J0000000000000000000ZZ",
            "é0H1J000000000000000000000",
        ] {
            assert_eq!(secret(text), None, "{text}");
        }
    }

    #[track_caller]
    fn check(view: &View, reference: &str, secret: &str, expect: Option<&str>) {
        assert_eq!(open(view, reference, secret).map(|c| c.to_string()).as_deref(), expect);
    }

    #[test]
    fn only_the_right_secret_of_a_known_case_opens_it() {
        let view = testing::view(&[Block::of("192.0.2.25")]);
        let right = |id: &str| Secret::of(&view.site.link_key, id.parse().unwrap()).to_string();
        check(&view, "n1-1", &right("n1-1"), Some("n1-1"));
        check(&view, "N1-1", &right("n1-1").to_lowercase(), Some("n1-1"));
        check(&view, "n1-1", &right("n1-2"), None);
        check(&view, "n1-2", &right("n1-2"), None);
        check(&view, "n0.0-0", &right("n0.0-0"), None);
        check(&view, "n1-1", &"0".repeat(26), None);
        check(&view, "nonsense", "nonsense", None);
    }

    #[test]
    fn a_new_key_opens_no_old_link() {
        let view = testing::view(&[Block::of("192.0.2.25")]);
        let old = Secret::of(&LinkKey::default(), "n1-1".parse().unwrap()).to_string();
        check(&view, "n1-1", &old, None);
    }

    #[test]
    fn a_secret_shows_nothing_in_debug_output() {
        let key = LinkKey { secret: [9; 32], epoch: 3 };
        assert_eq!(format!("{:?}", Secret::of(&key, NOBODY)), "Secret");
    }
}
