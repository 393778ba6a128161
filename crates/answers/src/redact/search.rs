//! Finds a recipient in a text, however it is written there (PRI-2).
//!
//! A sender that writes recipients into other fields (VERP, SRS, a Message-ID made of
//! base64) would read from our page whom it reached. So each text that is to be shown is
//! turned into plain views of itself: percent, quoted-printable and character escapes
//! undone, runs of base64 and hexadecimal digits decoded at every alignment, letters folded
//! to lower case, and everything between letters and digits left out. In each view we look
//! for each recipient as it is, backwards and in rot13.
//!
//! What is looked for: the local part, if it has four letters or digits and is no role
//! (`info`, `sales`); two or three count only as a word of their own, one never, and they
//! and roles count in every form together with their domain. `sales@example.org` in base64
//! is found, the word ‘sales’ may stand.
//!
//! It does not find what nobody could read without a key or a table: hashes, numbers of a
//! database, ciphers.

use std::collections::{BTreeMap, BTreeSet};

/// Addresses that are looked for; with more, every text counts as a hit.
///
/// Twice what one message may name in its envelope.
pub(crate) const ADDRESSES_MAX: usize = 2000;
/// From this length on a local part counts inside other words.
const BARE_LEN_MIN: usize = 4;
/// From this length on a needle counts even if spaces are strewn into it.
const ACROSS_SPACES_LEN_MIN: usize = 7;
/// A run of base64 digits shorter than this holds no needle.
const BASE64_RUN_MIN: usize = 5;
/// Twice the shortest needle.
const HEX_RUN_MIN: usize = 2 * BARE_LEN_MIN;
/// Escapes within escapes that are undone.
const ESCAPES_DEPTH: usize = 2;

/// Local parts that name no person (RFC 2142 and custom). Alone they are plain words.
const ROLES: &[&str] = &[
    "abuse",
    "accounts",
    "admin",
    "administrator",
    "billing",
    "bounce",
    "bounces",
    "contact",
    "customer",
    "daemon",
    "direct",
    "email",
    "everyone",
    "feedback",
    "hello",
    "help",
    "helpdesk",
    "hostmaster",
    "info",
    "inquiries",
    "jobs",
    "list",
    "lists",
    "mail",
    "mailer",
    "mailerdaemon",
    "mailing",
    "marketing",
    "members",
    "news",
    "newsletter",
    "nobody",
    "noreply",
    "office",
    "order",
    "orders",
    "postmaster",
    "press",
    "privacy",
    "request",
    "root",
    "sales",
    "security",
    "service",
    "staff",
    "subscribe",
    "support",
    "team",
    "test",
    "undisclosed",
    "unsubscribe",
    "user",
    "users",
    "welcome",
    "webmaster",
];

/// Everything that must not be readable in a text.
pub(crate) struct Search {
    /// One bit for each hash of a needle's first four bytes.
    filter: Vec<u64>,
    needles: BTreeMap<[u8; 4], Vec<Vec<u8>>>,
    /// Local parts of two and three characters.
    words: BTreeSet<Vec<u8>>,
    /// Not every recipient is known: nothing may be shown.
    blind: bool,
}

impl Search {
    /// A search for these addresses; `blind` when there were others that nobody named.
    pub(crate) fn new<'a>(addresses: impl IntoIterator<Item = &'a [u8]>, blind: bool) -> Search {
        let mut search =
            Search { filter: vec![0; 1024], needles: BTreeMap::new(), words: BTreeSet::new(), blind };
        for (n, address) in addresses.into_iter().enumerate() {
            search.blind |= n >= ADDRESSES_MAX;
            if search.blind {
                break;
            }
            search.add(address);
        }
        search
    }

    fn add(&mut self, address: &[u8]) {
        let at = address.iter().rposition(|b| *b == b'@').unwrap_or(address.len());
        let (local, domain) = (&address[..at], squeezed(&address[at..]));
        let base = local.split(|b| *b == b'+').next().unwrap_or(local);
        for bare in [squeezed(local), squeezed(base)] {
            let role = ROLES.iter().any(|r| r.as_bytes() == bare);
            match bare.len() {
                0 => {}
                BARE_LEN_MIN.. if !role => self.add_all_ways(bare),
                length => {
                    self.add_all_ways([bare.as_slice(), &domain].concat());
                    self.add_all_ways([domain.as_slice(), &bare].concat());
                    if (2..BARE_LEN_MIN).contains(&length) {
                        self.words.insert(bare);
                    }
                }
            }
        }
    }

    fn add_all_ways(&mut self, needle: Vec<u8>) {
        let reversed = needle.iter().rev().copied().collect();
        let rotated = needle.iter().copied().map(rot13).collect();
        for needle in [needle, reversed, rotated] {
            let Some(head) = head(&needle) else { continue };
            let hash = hash(head);
            self.filter[hash / 64] |= 1 << (hash % 64);
            let known = self.needles.entry(head).or_default();
            if !known.contains(&needle) {
                known.push(needle);
            }
        }
    }

    /// Whether a recipient can be read in `text`.
    pub(crate) fn hits(&self, text: &[u8]) -> bool {
        if self.blind {
            return true;
        }
        let mut layer = text.to_vec();
        for _ in 0..=ESCAPES_DEPTH {
            if self.hits_layer(&layer) {
                return true;
            }
            let plainer = unescaped(&layer);
            if plainer == layer {
                break;
            }
            layer = plainer;
        }
        false
    }

    fn hits_layer(&self, text: &[u8]) -> bool {
        let spaced = folded(text);
        let whole: Vec<u8> = spaced.iter().copied().filter(|b| *b != b' ').collect();
        self.hits_word(text)
            || self.finds(&spaced, BARE_LEN_MIN)
            || self.finds(&whole, ACROSS_SPACES_LEN_MIN)
            || self.hits_base64(text)
            || self.hits_hex(&whole)
    }

    fn hits_word(&self, text: &[u8]) -> bool {
        let mut words = text.split(|b| !b.is_ascii_alphanumeric());
        !self.words.is_empty()
            && words.any(|w| w.len() < BARE_LEN_MIN && self.words.contains(&w.to_ascii_lowercase()))
    }

    fn hits_base64(&self, text: &[u8]) -> bool {
        let dense: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        let runs = dense.split(|b| sextet(*b).is_none()).filter(|run| run.len() >= BASE64_RUN_MIN);
        runs.into_iter().any(|run| (0..4).any(|skip| self.finds_binary(&from_base64(&run[skip..]))))
    }

    fn hits_hex(&self, dense: &[u8]) -> bool {
        let bare = without_0x(dense);
        let runs = bare.split(|b| !b.is_ascii_hexdigit()).filter(|run| run.len() >= HEX_RUN_MIN);
        runs.into_iter().any(|run| (0..2).any(|skip| self.finds_binary(&from_hex(&run[skip..]))))
    }

    /// Looks into decoded bytes: what separates parts of an address is left out, and NULs of
    /// UTF-16; other bytes end a word.
    fn finds_binary(&self, bytes: &[u8]) -> bool {
        let joined = bytes.iter().filter(|b| !matches!(b, 0 | b'.' | b'_' | b'-' | b'+' | b'=' | b'@'));
        let view: Vec<u8> = joined.map(u8::to_ascii_lowercase).collect();
        self.finds(&view, BARE_LEN_MIN)
    }

    fn finds(&self, view: &[u8], len_min: usize) -> bool {
        (0..view.len().saturating_sub(3)).any(|at| {
            let Some(head) = head(&view[at..]) else { return false };
            let hash = hash(head);
            self.filter[hash / 64] >> (hash % 64) & 1 == 1
                && self.needles.get(&head).is_some_and(|of_head| {
                    of_head.iter().any(|n| n.len() >= len_min && view[at..].starts_with(n))
                })
        })
    }
}

fn head(bytes: &[u8]) -> Option<[u8; 4]> {
    bytes.first_chunk::<4>().copied()
}

/// Sixteen bits of four bytes, spread by a multiplication (Knuth's constant).
fn hash(head: [u8; 4]) -> usize {
    (u32::from_le_bytes(head).wrapping_mul(2_654_435_761) >> 16) as usize
}

fn rot13(byte: u8) -> u8 {
    match byte {
        b'a'..=b'm' => byte + 13,
        b'n'..=b'z' => byte - 13,
        other => other,
    }
}

/// Letters and digits in lower case; white space as one space each, all else left out.
fn folded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match narrow(c) {
                c if c.is_ascii_alphanumeric() => out.push(c.to_ascii_lowercase() as u8),
                c if c.is_whitespace() => out.push(b' '),
                c if c.is_alphanumeric() => {
                    let lower = c.to_lowercase().next().unwrap_or(c);
                    out.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => {}
            }
        }
    }
    out
}

/// Fullwidth forms read as the ASCII that they show (Unicode, block FF00).
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        other => other,
    }
}

fn squeezed(text: &[u8]) -> Vec<u8> {
    folded(text).into_iter().filter(|b| *b != b' ').collect()
}

/// Undoes one layer of `%6a`, `=6A` (and `=` at a line's end), `\x6a`, `\u006a`, `&#106;`
/// and `&#x6a;`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let (length, code) = match first {
            b'%' | b'=' => hex_escape(after, 0, 2),
            b'\\' if after.first() == Some(&b'x') => hex_escape(after, 1, 2),
            b'\\' if after.first() == Some(&b'u') => hex_escape(after, 1, 4),
            b'&' if after.first() == Some(&b'#') => entity(after),
            _ => None,
        }
        .unwrap_or((0, u32::from(first)));
        match u8::try_from(code) {
            // A soft line break of quoted-printable.
            _ if first == b'=' && after.starts_with(b"\r\n") => rest = &after[2..],
            Ok(byte) => {
                out.push(byte);
                rest = &after[length..];
            }
            Err(_) => {
                let c = char::from_u32(code).unwrap_or(' ');
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &after[length..];
            }
        }
    }
    out
}

/// `digits` hexadecimal digits after `skip` bytes: length with what was skipped, and value.
fn hex_escape(after: &[u8], skip: usize, digits: usize) -> Option<(usize, u32)> {
    let text = std::str::from_utf8(after.get(skip..skip + digits)?).ok()?;
    Some((skip + digits, number(text, 16)?))
}

/// `#106;` or `#x6a;`.
fn entity(after: &[u8]) -> Option<(usize, u32)> {
    let end = after.iter().take(9).position(|b| *b == b';')?;
    let text = std::str::from_utf8(&after[1..end]).ok()?;
    let code = match text.strip_prefix(['x', 'X']) {
        Some(digits) => number(digits, 16),
        None => number(text, 10),
    };
    Some((end + 1, code?))
}

/// `from_str_radix` takes a sign; an escape has none.
fn number(digits: &str, radix: u32) -> Option<u32> {
    u32::from_str_radix(digits, radix).ok().filter(|_| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn without_0x(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text {
        match (byte, out.last()) {
            (b'x', Some(b'0')) => drop(out.pop()),
            (other, _) => out.push(*other),
        }
    }
    out
}

fn from_hex(run: &[u8]) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).unwrap_or(0) as u8;
    run.chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// Six bits of a digit of base64 or base64url (RFC 4648 §4, §5).
fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// The bytes of a run of digits, those of the last, unfinished group included.
pub(crate) fn from_base64(run: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(run.len() / 4 * 3 + 2);
    for group in run.chunks(4) {
        let bits = group.iter().fold(0u32, |bits, b| bits << 6 | u32::from(sextet(*b).unwrap_or(0)));
        let bytes = (bits << (6 * (4 - group.len()))).to_be_bytes();
        out.extend_from_slice(&bytes[1..group.len().max(1)]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, hits: &[&str], misses: &[&str]) {
        let search = Search::new([address.as_bytes()], false);
        for text in hits {
            assert!(search.hits(text.as_bytes()), "{address} is in {text}");
        }
        for text in misses {
            assert!(!search.hits(text.as_bytes()), "{address} is not in {text}");
        }
    }

    #[test]
    fn a_local_part_is_found_in_every_form() {
        check(
            "Jane.Roe+shop@example.org",
            &[
                "hello JANE.ROE!",
                "bounce-jane.roe=example.org@lists.example.net",
                "SRS0=HHH=TT=example.org=jane-roe@example.net",
                "j.a.n.e_r+o+e",
                "jane roe",
                "eor.enaj",
                "wnar.ebr",
                "amFuZS5yb2U=",
                "xamFuZS5yb2U",
                "xxamFuZS5yb2U",
                "SkFORS5ST0U",
                "6a616e652e726f65",
                "id-6A 61 6E 65 2E 72 6F 65",
                "0x6a0x610x6e0x650x2e0x720x6f0x65",
                "%6aane%2Eroe",
                "%256aane.roe",
                "=6A=61ne.r=\r\noe",
                "&#106;&#x61;ne.roe",
                "\\u006aane.roe",
                "j\u{200b}ane\u{202e}.roe",
                "\u{ff4a}ane.roe",
                "+AGoAYQBuAGUALgByAG8AZQ-",
            ],
            &["hello", "jane", "Jane wrote", "mail.example.org", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="],
        );
    }

    #[test]
    fn roles_and_short_names_need_their_domain_or_a_word_of_their_own() {
        check(
            "sales@example.org",
            &["sales=example.org", "c2FsZXNAZXhhbXBsZS5vcmc=", "example.org=sales", "gro.elpmaxe@selas"],
            &["big sales today", "example.org", "c2FsZXM="],
        );
        check(
            "jd@example.org",
            &["Hi JD!", "jd=example.org", "b-jd-example-org"],
            &["adjust", "jdx", "amQ="],
        );
        check("a@example.org", &["a=example.org"], &["a better life"]);
    }

    #[test]
    fn who_is_not_known_may_be_anywhere() {
        let many: Vec<String> = (0..=ADDRESSES_MAX).map(|n| format!("person{n}@example.org")).collect();
        assert!(Search::new(many.iter().map(String::as_bytes), false).hits(b"hello"));
        assert!(!Search::new(many[1..].iter().map(String::as_bytes), false).hits(b"hello"));
        assert!(Search::new([], true).hits(b""));
    }
}
