//! Finds a recipient in a text, however it is written there (PRI-2).
//!
//! A sender that writes recipients into other fields (VERP, SRS, a Message-ID made of
//! base64) would read from our page whom it reached. So each text that is to be shown is
//! turned into plain views of itself: percent, quoted-printable and character escapes
//! undone, runs of base64 and hexadecimal digits decoded at every alignment, letters folded
//! to lower case, and everything between letters and digits left out. In each view we look
//! for each recipient as it is, backwards, in rot13, and in base64 that lost its case.
//!
//! What is looked for: the local part, if it has four letters or digits and is no role
//! (`info`, `sales`); two or three count only as a word of their own, one never, and they
//! and roles count in every form together with their domain. `sales@example.org` in base64
//! is found, the word ‘sales’ may stand.
//!
//! It does not find what nobody could read without a key or a table: hashes, numbers of a
//! database, ciphers.

use std::collections::{BTreeMap, BTreeSet};

use super::views::{
    folded, from_base64, from_hex, joined, rot13, sextet, squeezed, to_base64, unescaped, without_0x,
};

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
    needles: BTreeMap<[u8; 4], Needles>,
    /// Local parts of two and three characters.
    words: BTreeSet<Vec<u8>>,
    /// Not every recipient is known: nothing may be shown.
    blind: bool,
}

/// Needles with the same first four bytes: a thousand recipients may be called `person1` …
#[derive(Default)]
struct Needles {
    texts: BTreeSet<Vec<u8>>,
    lengths: BTreeSet<usize>,
}

impl Needles {
    fn any_begins(&self, view: &[u8], len_min: usize) -> bool {
        let fitting = self.lengths.range(len_min..).filter_map(|length| view.get(..*length));
        fitting.into_iter().any(|start| self.texts.contains(start))
    }
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
        let (local, domain) = address.split_at(at);
        let base = local.split(|b| *b == b'+').next().unwrap_or(local);
        self.add_forms(local, domain);
        if base.len() < local.len() {
            self.add_forms(base, domain);
        }
        self.add_base64(if is_bare(&squeezed(base)) { base } else { address });
    }

    fn add_forms(&mut self, local: &[u8], domain: &[u8]) {
        let (plain, decoded) = (squeezed(local), joined(local));
        // As decoded bytes are looked into; `o'neil` differs.
        if decoded != plain {
            self.add_form(decoded, &joined(domain));
        }
        self.add_form(plain, &squeezed(domain));
    }

    /// The digits of base64 that `secret` alone determines, in lower case: a host name has
    /// no case, so nothing can be decoded from it, but who made it knows it again.
    fn add_base64(&mut self, secret: &[u8]) {
        let cases =
            BTreeSet::from([secret.to_vec(), secret.to_ascii_lowercase(), secret.to_ascii_uppercase()]);
        for (written, before) in cases.iter().flat_map(|c| (0..3).map(move |before| (c, before))) {
            let whole = to_base64(&[&[0; 2][..before], written].concat());
            let (from, to) = ((before * 8).div_ceil(6), (before + written.len()) * 8 / 6);
            let core = whole.get(from..to).unwrap_or_default();
            let folded = squeezed(core);
            if folded.len() > BASE64_RUN_MIN {
                self.add_needle(folded);
            }
        }
    }

    fn add_form(&mut self, local: Vec<u8>, domain: &[u8]) {
        match local.len() {
            0 => {}
            _ if is_bare(&local) => self.add_all_ways(local),
            length => {
                self.add_all_ways([&local, domain].concat());
                self.add_all_ways([domain, &local].concat());
                if (2..BARE_LEN_MIN).contains(&length) {
                    self.words.insert(local);
                }
            }
        }
    }

    fn add_all_ways(&mut self, needle: Vec<u8>) {
        let reversed = needle.iter().rev().copied().collect();
        let rotated = needle.iter().copied().map(rot13).collect();
        [needle, reversed, rotated].into_iter().for_each(|needle| self.add_needle(needle));
    }

    fn add_needle(&mut self, needle: Vec<u8>) {
        let Some(head) = head(&needle) else { return };
        let hash = hash(head);
        self.filter[hash / 64] |= 1 << (hash % 64);
        let alike = self.needles.entry(head).or_default();
        alike.lengths.insert(needle.len());
        alike.texts.insert(needle);
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
        // A nought before an x may be a digit as well.
        [dense, &without_0x(dense)].into_iter().any(|text| self.hits_hex_runs(text))
    }

    fn hits_hex_runs(&self, text: &[u8]) -> bool {
        let mut runs = text.split(|b| !b.is_ascii_hexdigit()).filter(|run| run.len() >= HEX_RUN_MIN);
        runs.any(|run| (0..2).any(|skip| self.finds_binary(&from_hex(&run[skip..]))))
    }

    fn finds_binary(&self, bytes: &[u8]) -> bool {
        self.finds(&joined(bytes), BARE_LEN_MIN)
    }

    fn finds(&self, view: &[u8], len_min: usize) -> bool {
        (0..view.len().saturating_sub(3)).any(|at| {
            let Some(head) = head(&view[at..]) else { return false };
            let hash = hash(head);
            self.filter[hash / 64] >> (hash % 64) & 1 == 1
                && self.needles.get(&head).is_some_and(|alike| alike.any_begins(&view[at..], len_min))
        })
    }
}

/// Whether a local part names a person without its domain.
fn is_bare(local: &[u8]) -> bool {
    local.len() >= BARE_LEN_MIN && !ROLES.iter().any(|r| r.as_bytes() == local)
}

fn head(bytes: &[u8]) -> Option<[u8; 4]> {
    bytes.first_chunk::<4>().copied()
}

/// Sixteen bits of four bytes, spread by a multiplication (Knuth's constant).
fn hash(head: [u8; 4]) -> usize {
    (u32::from_le_bytes(head).wrapping_mul(2_654_435_761) >> 16) as usize
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
                "amfuzs5yb2u.example.net",
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
        check("o'neil@example.org", &["oneil", "O'Neil", "byduZWlsIA", "6f276e65696c"], &["o", "neil"]);
        check("zoop@example.org", &["7a6f6f70", "7a6f6f70x", "0x7a0x6f0x6f0x70"], &["7a6f6f"]);
        check("j\u{fc}rgen@example.org", &["J\u{dc}RGEN", "asO8cmdlbg", "6AC3BC7267656E"], &["rgen"]);
    }

    #[test]
    fn who_is_not_known_may_be_anywhere() {
        let many: Vec<String> = (0..=ADDRESSES_MAX).map(|n| format!("person{n}@example.org")).collect();
        assert!(Search::new(many.iter().map(String::as_bytes), false).hits(b"hello"));
        assert!(!Search::new(many[1..].iter().map(String::as_bytes), false).hits(b"hello"));
        assert!(Search::new([], true).hits(b""));
    }
}
