//! Received fields (RFC 5321 §4.4): our own from facts, others' taken apart and put
//! together again without recipients.

use std::fmt::Write as _;

use model::{Exhibit, Rdns};

use super::decode::{CUT, unfolded, visible};
use super::search::Search;

/// The longest word of one that is shown.
const WORD_LEN_MAX: usize = 255;
/// The longest date: `Sat, 21 Nov 2026 21:39:34 +0000` has 31 characters.
const DATE_LEN_MAX: usize = 48;

/// What our own MTA saw. The parts behind the client's are the MTA's words.
pub(crate) struct Own {
    /// Its value.
    pub(crate) value: String,
    /// The HELO name holds a recipient.
    pub(crate) helo_withheld: bool,
    /// The reverse DNS name holds one.
    pub(crate) ptr_withheld: bool,
}

/// Our Received field with the client's port, which its own log has as well.
pub(crate) fn own(exhibit: &Exhibit, search: &Search) -> Own {
    let client = &exhibit.client;
    let (helo, ptr) = (client.helo.as_ref(), client.rdns.name());
    let helo_withheld = helo.is_some_and(|name| search.hits(name.as_bytes()));
    let ptr_withheld = ptr.is_some_and(|name| search.hits(name.as_bytes()));
    let helo = helo.map_or("unknown".into(), |name| or_cut(&name.to_string(), helo_withheld));
    let name = match &client.rdns {
        Rdns::Confirmed(name) => or_cut(&name.to_string(), ptr_withheld),
        _ => "unknown".into(),
    };
    let port = if client.port > 0 { format!(":{}", client.port) } else { String::new() };
    let v6 = if client.addr.is_ipv6() { "IPv6:" } else { "" };
    let mut value = format!("from {helo} ({name} [{v6}{}]{port})", client.addr);
    for part in own_words(&exhibit.received) {
        let _ = write!(value, " {}", visible(part, WORD_LEN_MAX));
    }
    Own { value, helo_withheld, ptr_withheld }
}

/// Of a message to a trap nothing is told but where and on which day it came.
pub(crate) fn own_of_trap(exhibit: &Exhibit, day: &str) -> String {
    let by = own_words(&exhibit.received).find_map(|part| part.strip_prefix(b"by "));
    let host = by.and_then(|words| words.split(|b| *b == b' ').next()).unwrap_or(b"us");
    format!("by {}; {day}", visible(host, WORD_LEN_MAX))
}

/// The lines behind the client's: TLS, `by`, date. `Letter::received` escapes line ends in
/// all that a client chose, so what follows one is ours.
fn own_words(received: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = received.split(|b| *b == b'\n').skip(1);
    lines.map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

fn or_cut(text: &str, withheld: bool) -> String {
    if withheld { CUT.to_owned() } else { text.to_owned() }
}

/// Another host's Received field without `for` and comments; `None` if nothing is left.
pub(crate) fn others(value: &[u8]) -> Option<String> {
    let value = unfolded(value);
    let date = value.iter().rposition(|b| *b == b';').map_or(value.len(), |at| at);
    let clauses = Clauses::read(&value[..date]);
    let mut out = String::new();
    for (word, value) in [("from", clauses.from), ("", clauses.seen), ("by", clauses.by)] {
        out += &clause(word, value);
    }
    for (word, value) in [("via", clauses.via), ("with", clauses.with), ("id", clauses.id)] {
        out += &clause(word, value);
    }
    let date = value.get(date + 1..).and_then(self::date);
    let date = date.map(|date| format!("; {date}")).unwrap_or_default();
    (!out.is_empty()).then(|| out.trim_start().to_owned() + &date)
}

fn clause(word: &str, value: Option<String>) -> String {
    match value {
        Some(value) if word.is_empty() => format!(" ({value})"),
        Some(value) => format!(" {word} {value}"),
        None => String::new(),
    }
}

#[derive(Default)]
struct Clauses {
    from: Option<String>,
    /// Name and address as the receiving host saw them, from the comment behind `from`.
    seen: Option<String>,
    by: Option<String>,
    via: Option<String>,
    with: Option<String>,
    id: Option<String>,
}

impl Clauses {
    fn read(text: &[u8]) -> Clauses {
        let mut found = Clauses::default();
        let mut tokens = tokens(text).into_iter().peekable();
        while let Some(token) = tokens.next() {
            let slot = match token.to_ascii_lowercase().as_slice() {
                b"from" => &mut found.from,
                b"by" => &mut found.by,
                b"via" => &mut found.via,
                b"with" => &mut found.with,
                b"id" => &mut found.id,
                _ => continue,
            };
            let from = slot.is_none() && token.eq_ignore_ascii_case(b"from");
            let value = tokens.next_if(|t| !t.starts_with(b"("));
            if slot.is_none() {
                *slot = value.map(word);
            }
            if from && let Some(comment) = tokens.next_if(|t| t.starts_with(b"(")) {
                found.seen = seen(comment);
            }
        }
        found
    }
}

/// Words, and comments as one token each (RFC 5322 §3.2.2).
fn tokens(text: &[u8]) -> Vec<&[u8]> {
    let (mut tokens, mut start, mut depth) = (Vec::new(), None, 0usize);
    for (at, byte) in text.iter().enumerate() {
        let before = depth;
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let begins = before == 0 && depth == 1;
        let ends = if byte.is_ascii_whitespace() { depth == 0 } else { before == 1 && depth == 0 };
        if begins || ends {
            let end = at + usize::from(ends && !byte.is_ascii_whitespace());
            tokens.extend(start.take().map(|s| &text[s..end]));
        }
        if !ends && start.is_none() && !byte.is_ascii_whitespace() {
            start = Some(at);
        }
    }
    tokens.extend(start.map(|s| &text[s..]));
    tokens
}

/// A host name, an address literal, a protocol or an identifier; `…` for anything else.
fn word(token: &[u8]) -> String {
    if is_word(token) { visible(token, WORD_LEN_MAX) } else { CUT.to_owned() }
}

fn is_word(token: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"._-:[]".contains(b);
    (1..=WORD_LEN_MAX).contains(&token.len()) && token.iter().all(plain)
}

/// The names and addresses in a comment such as `(mail.example.net [192.0.2.25])`.
fn seen(comment: &[u8]) -> Option<String> {
    let inner = comment.split(|b| matches!(b, b'(' | b')' | b' ' | b'\t'));
    let hosts = inner.filter(|w| is_word(w) && (w.contains(&b'.') || w.contains(&b':')));
    let hosts: Vec<String> = hosts.take(2).map(word).collect();
    (!hosts.is_empty()).then(|| hosts.join(" "))
}

/// A date without comments (RFC 5322 §3.3), if it is made of a date's characters.
pub(crate) fn date(value: &[u8]) -> Option<String> {
    let end = value.iter().position(|b| *b == b'(').unwrap_or(value.len());
    let text = value[..end].trim_ascii();
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b" ,:+-".contains(b);
    let fits = (6..=DATE_LEN_MAX).contains(&text.len()) && text.iter().all(plain);
    (fits && text.iter().any(u8::is_ascii_digit)).then(|| visible(text, DATE_LEN_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expect: &str) {
        assert_eq!(others(value.as_bytes()).as_deref().unwrap_or("none"), expect);
    }

    #[test]
    fn recipients_and_comments_fall_out_of_received_fields() {
        check(
            " from mail.example.net (mail.example.net [192.0.2.25])\r\n\tby mx.example.org (Postfix) with ESMTPS id \
             4T9K\r\n\tfor <jane@example.org>; Sat, 21 Nov 2026 21:39:34 +0000 (UTC)",
            "from mail.example.net (mail.example.net [192.0.2.25]) by mx.example.org with ESMTPS id 4T9K; Sat, 21 \
             Nov 2026 21:39:34 +0000",
        );
        check(
            "from unknown (HELO pc.example) (192.0.2.7) by a.example with SMTP; 21 Nov 2026 21:39:34 -0000",
            "from unknown (pc.example) by a.example with SMTP; 21 Nov 2026 21:39:34 -0000",
        );
        check("(qmail 12 invoked by uid 0); 21 Nov 2026 21:39:34 -0000", "none");
        check("from jane@example.org by a.example (for jane)", "from … by a.example");
        check("by a.example id <x@y>; nonsense", "by a.example id …");
        check("from (from (((( by", "none");
        check("", "none");
    }
}
