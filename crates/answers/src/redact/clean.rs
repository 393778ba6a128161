//! Takes out of a text what could name a person or lead somewhere (D.6, ADV-19): addresses,
//! links, recipients' names, numbers as long as a telephone's or a card's, identifiers.

use std::collections::BTreeSet;

use super::decode::CUT;

/// So many digits in a row, separators among them not counted, are a telephone number, an
/// account or a card.
const DIGITS_MAX: usize = 5;
/// So many hexadecimal digits with a decimal one among them are an identifier.
const HEX_LEN_MIN: usize = 8;
/// So many letters and digits mixed are an identifier.
const MIXED_LEN_MIN: usize = 16;
/// What may stand between the digits of one number, and how much of it.
const SEPARATORS: [char; 10] = [' ', '-', '.', '/', '(', ')', '+', ',', ':', '_'];
const SEPARATORS_MAX: usize = 3;

/// What may stand behind a dot in a file's name; anything else may be a host's. `com` is not
/// here: more hosts end so than programs.
const FILE_TYPES: [&str; 60] = [
    "7z", "ace", "apk", "arj", "bat", "bin", "bz2", "cab", "chm", "cmd", "cpl", "csv", "dll", "doc", "docm",
    "docx", "dot", "eml", "exe", "gif", "gz", "hta", "htm", "html", "ics", "img", "iso", "jar", "jpeg",
    "jpg", "js", "jse", "lnk", "lzh", "msg", "msi", "odt", "one", "pdf", "pif", "png", "ppt", "pptx", "ps1",
    "rar", "rtf", "scr", "tar", "tgz", "txt", "vbe", "vbs", "wsf", "xls", "xlsm", "xlsx", "xml", "xz", "z",
    "zip",
];

/// The text without all that. `names` are lower-case words.
pub(crate) fn cleaned(text: &str, names: &BTreeSet<String>) -> String {
    let words =
        text.split(' ').map(|word| if leads_somewhere(word) { CUT.to_owned() } else { plain(word, names) });
    without_numbers(&words.collect::<Vec<_>>().join(" "))
}

/// The same for the name of a file, with its path inside archives: the dots before its types
/// are no host's.
pub(crate) fn cleaned_file(path: &str, names: &BTreeSet<String>) -> String {
    let files = path.split('/').map(|file| {
        let (stem, types) = file.split_at(stem_len(file));
        cleaned(stem, names) + types
    });
    without_numbers(&files.collect::<Vec<_>>().join("/"))
}

/// How long a file's name is without its types.
fn stem_len(file: &str) -> usize {
    let mut stem = file;
    while let Some((before, last)) = stem.rsplit_once('.') {
        if !FILE_TYPES.contains(&last.to_ascii_lowercase().as_str()) {
            break;
        }
        stem = before;
    }
    stem.len()
}

/// An address, a link, or what looks like the name of a host.
fn leads_somewhere(word: &str) -> bool {
    let lower = word.to_lowercase();
    let scheme = ["://", "www.", "mailto:", "tel:"].iter().any(|s| lower.contains(s));
    scheme || lower.contains('@') || lower.contains('\u{ff20}') || has_host(&lower)
}

/// A dot between letters or digits with at least two letters behind it.
fn has_host(word: &str) -> bool {
    let dots = ['.', '\u{3002}', '\u{ff0e}'];
    let mut labels = word.split(dots);
    let mut before = labels.next().unwrap_or("");
    labels.any(|label| {
        let letters = label.chars().take_while(|c| c.is_alphabetic()).count();
        let found = letters >= 2 && before.chars().next_back().is_some_and(char::is_alphanumeric);
        before = label;
        found
    })
}

/// A word without names of recipients and identifiers.
fn plain(word: &str, names: &BTreeSet<String>) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let of_word = first.is_alphanumeric();
        let end = rest.find(|c: char| c.is_alphanumeric() != of_word).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        let cut = of_word && (names.contains(&part.to_lowercase()) || is_identifier(part));
        out += if cut { CUT } else { part };
        rest = after;
    }
    out
}

fn is_identifier(part: &str) -> bool {
    let (length, digit) = (part.chars().count(), part.chars().any(char::is_numeric));
    let hex = part.bytes().all(|b| b.is_ascii_hexdigit());
    digit && (length >= MIXED_LEN_MIN || (hex && length >= HEX_LEN_MIN))
}

/// Replaces runs of digits, with separators among them, that are too long.
fn without_numbers(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let (end, digits) = number(&chars[at..]);
        if digits > DIGITS_MAX {
            out += CUT;
        } else {
            out.extend(&chars[at..at + end.max(1)]);
        }
        at += end.max(1);
    }
    out
}

/// How far a number at the front reaches, and how many digits it has.
fn number(chars: &[char]) -> (usize, usize) {
    let (mut end, mut digits, mut between) = (0, 0, 0);
    for (at, c) in chars.iter().enumerate() {
        if c.is_numeric() {
            (end, digits, between) = (at + 1, digits + 1, 0);
        } else {
            between += 1;
            if digits == 0 || between > SEPARATORS_MAX || !SEPARATORS.contains(c) {
                break;
            }
        }
    }
    (end, digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(cleaned(text, &["jane".into(), "roe".into()].into()), expect);
    }

    #[test]
    fn a_file_keeps_its_types_and_nothing_else_behind_a_dot() {
        for (path, expect) in [
            ("invoice.zip/invoice.pdf.exe", "invoice.zip/invoice.pdf.exe"),
            ("Jane Roe.PDF", "… ….PDF"),
            ("www.shop.example.zip", "….zip"),
            ("shop.example", "…"),
            ("shop.com", "…"),
            ("030/1234.zip/567890.txt", "….zip/….txt"),
            ("a@example.org.zip", "….zip"),
        ] {
            assert_eq!(cleaned_file(path, &["jane".into(), "roe".into()].into()), expect);
        }
    }

    #[test]
    fn addresses_links_and_hosts_are_cut() {
        check("Write to a@example.org now", "Write to … now");
        check("see http://example.com/x?y=1 or WWW.example.com", "see … or …");
        check("visit shop.example today, ok. Bye", "visit … today, ok. Bye");
        check("Re: your mail... really", "Re: your mail... really");
    }

    #[test]
    fn names_of_recipients_are_cut() {
        check("Dear Jane Roe, (JANE) Janes", "Dear … …, (…) Janes");
    }

    #[test]
    fn long_numbers_and_identifiers_are_cut() {
        check("call +49 170 1234567 now", "call +… now");
        check("card 4111-1111-1111-1111", "card …");
        check("(555) 123-4567", "(…");
        check("order 12345 of 2026 at 10:30", "order 12345 of 2026 at 10:30");
        check("at 10:30 on 2026-11-21", "at 10:30 on …");
        check("id deadbeef01 ref A1B2C3D4E5F6G7H8", "id … ref …");
        check("a decade of facades", "a decade of facades");
        check("１２３４５６７", "…");
    }
}
