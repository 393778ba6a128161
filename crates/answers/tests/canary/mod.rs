//! Canaries: addresses written in every way that a sender can think of, and the search for
//! them in bytes that strangers see.
//!
//! Shares no code with what it tests: it encodes, `answers::redact` decodes.

#![allow(dead_code, reason = "each user takes a part of it")]

use std::collections::HashMap;

/// A way to write a text.
pub(crate) struct Encoding {
    pub(crate) name: &'static str,
    pub(crate) of: fn(&str) -> String,
    /// Letters may change their case without a change of meaning.
    folds: bool,
}

const fn folding(name: &'static str, of: fn(&str) -> String) -> Encoding {
    Encoding { name, of, folds: true }
}

const fn exact(name: &'static str, of: fn(&str) -> String) -> Encoding {
    Encoding { name, of, folds: false }
}

/// All of them.
pub(crate) const ENCODINGS: &[Encoding] = &[
    folding("as it is", str::to_owned),
    folding("upper case", str::to_uppercase),
    folding("VERP", |s| s.replace('@', "=")),
    folding("VERP with dashes", |s| s.replace(['@', '.'], "-")),
    folding("SRS", |s| match s.split_once('@') {
        Some((local, domain)) => format!("SRS0=abCD=T7={domain}={local}"),
        None => format!("SRS0=abCD=T7=example.net={s}"),
    }),
    folding("without separators", |s| s.replace(['@', '.', '_', '-', '+', '='], "")),
    folding("with dots", |s| strewn(s, '.')),
    folding("with underscores", |s| strewn(s, '_')),
    folding("with pluses", |s| strewn(s, '+')),
    folding("reversed", |s| s.chars().rev().collect()),
    folding("rot13", |s| s.chars().map(rot13).collect()),
    folding("hexadecimal", |s| each_byte(s, |b| format!("{b:02x}"))),
    folding("hexadecimal, upper case", |s| each_byte(s, |b| format!("{b:02X}"))),
    folding("hexadecimal with colons", |s| each_byte(s, |b| format!("{b:02x}:"))),
    folding("percent", |s| each_byte(s, |b| format!("%{b:02x}"))),
    folding("percent, some", |s| s.replace('a', "%61").replace(['.', '@'], "%2E")),
    folding("percent twice", |s| each_byte(s, |b| format!("%25{b:02x}"))),
    folding("quoted-printable", |s| each_byte(s, |b| format!("={b:02X}"))),
    folding("character references", |s| each_byte(s, |b| format!("&#{b};"))),
    exact("base64", |s| base64(s.as_bytes(), STANDARD)),
    exact("base64 behind one byte", |s| base64(format!("x{s}").as_bytes(), STANDARD)),
    exact("base64 behind two bytes", |s| base64(format!("xy{s}").as_bytes(), STANDARD)),
    exact("base64url", |s| base64(s.as_bytes(), URL).trim_end_matches('=').to_owned()),
    exact("base64url between bytes", |s| base64(format!("?>{s}?>").as_bytes(), URL)),
    exact("base64 of upper case", |s| base64(s.to_uppercase().as_bytes(), STANDARD)),
    exact("encoded word, B", |s| format!("=?utf-8?B?{}?=", base64(s.as_bytes(), STANDARD))),
    folding("encoded word, Q", |s| format!("=?utf-8?q?{}?=", each_byte(s, |b| format!("={b:02X}")))),
];

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn each_byte(s: &str, of: fn(u8) -> String) -> String {
    s.bytes().map(of).collect()
}

fn strewn(s: &str, separator: char) -> String {
    s.chars().flat_map(|c| [c, separator]).collect()
}

fn rot13(c: char) -> char {
    match c {
        'a'..='z' => char::from((c as u8 - b'a' + 13) % 26 + b'a'),
        'A'..='Z' => char::from((c as u8 - b'A' + 13) % 26 + b'A'),
        other => other,
    }
}

fn base64(bytes: &[u8], digits: &[u8; 64]) -> String {
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0usize, |bits, b| bits << 8 | usize::from(*b)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = char::from(digits[bits >> (18 - 6 * place) & 63]);
            out.push(if place > group.len() { '=' } else { digit });
        }
    }
    out
}

/// The digits of base64 that `s` alone determines when it stands behind `before` bytes.
fn base64_core(s: &str, before: usize, digits: &[u8; 64]) -> String {
    let whole = base64(format!("{}{s}", "x".repeat(before)).as_bytes(), digits);
    let (from, to) = ((before * 8).div_ceil(6), (before + s.len()) * 8 / 6);
    whole[from..to].to_owned()
}

/// A person who must not be found.
#[derive(Clone, Debug)]
pub(crate) struct Canary {
    pub(crate) address: String,
    /// The local part alone names the person.
    pub(crate) bare: bool,
}

impl Canary {
    pub(crate) fn new(address: &str, bare: bool) -> Canary {
        Canary { address: address.to_owned(), bare }
    }

    /// The address, or its local part, in one encoding.
    pub(crate) fn written(&self, encoding: &Encoding, whole: bool) -> String {
        (encoding.of)(if whole || !self.bare { &self.address } else { self.local() })
    }

    fn local(&self) -> &str {
        self.address.split(['@', '+']).next().unwrap_or_default()
    }

    /// Every form in which the person could be read: its name, the text, and whether case
    /// does not matter.
    fn forms(&self) -> Vec<(String, String, bool)> {
        let secret = if self.bare { self.local() } else { &self.address };
        let plain = ENCODINGS.iter().filter(|e| e.folds);
        let mut forms: Vec<_> =
            plain.map(|e| (e.name.to_owned(), (e.of)(secret).to_lowercase(), true)).collect();
        for written in [secret.to_owned(), secret.to_uppercase()] {
            for (before, digits) in (0..3).flat_map(|n| [(n, STANDARD), (n, URL)]) {
                forms.push((format!("base64 at {before}"), base64_core(&written, before, digits), false));
            }
        }
        forms
    }
}

/// Looks for many canaries at once.
pub(crate) struct Net {
    /// Forms by their first four bytes, those whose case matters and the others.
    exact: HashMap<[u8; 4], Vec<(String, String)>>,
    folded: HashMap<[u8; 4], Vec<(String, String)>>,
}

impl Net {
    pub(crate) fn new<'a>(canaries: impl IntoIterator<Item = &'a Canary>) -> Net {
        let mut net = Net { exact: HashMap::new(), folded: HashMap::new() };
        for canary in canaries {
            for (name, form, folds) in canary.forms() {
                let Some(head) = form.as_bytes().first_chunk::<4>() else { continue };
                let forms = if folds { &mut net.folded } else { &mut net.exact };
                forms.entry(*head).or_default().push((form, format!("{} ({name})", canary.address)));
            }
        }
        net
    }

    /// What can be read of a canary in bytes that strangers see.
    pub(crate) fn found(&self, bytes: &[u8]) -> Option<String> {
        let folded = bytes.to_ascii_lowercase();
        holds(&self.exact, bytes).or_else(|| holds(&self.folded, &folded))
    }
}

fn holds(forms: &HashMap<[u8; 4], Vec<(String, String)>>, text: &[u8]) -> Option<String> {
    (0..text.len().saturating_sub(3)).find_map(|at| {
        let head: &[u8; 4] = text[at..].first_chunk()?;
        let here = forms.get(head)?.iter().find(|(form, _)| text[at..].starts_with(form.as_bytes()))?;
        let around = &text[at.saturating_sub(40)..(at + 80).min(text.len())];
        Some(format!("{} as {} in {}", here.1, here.0, around.escape_ascii()))
    })
}

/// What can be read of one canary.
pub(crate) fn found(bytes: &[u8], canary: &Canary) -> Option<String> {
    Net::new([canary]).found(bytes)
}
