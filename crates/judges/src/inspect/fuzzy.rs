//! A fuzzy hash of a text: a key that small changes of a text leave alone.
//!
//! First the text is made plain: addresses, links and every token with a digit are dropped,
//! greetings with the name behind them too, and of the rest only the letters stay, in lower
//! case. So two texts that differ in nothing else have the same hash, always.
//!
//! Then the runs of three words are taken as a set, and of four independent hashes over that
//! set the smallest value each is kept (min-wise hashing: Broder 1997). One smallest value is
//! the same for two texts with a chance equal to the share of runs that they have in common;
//! all four together, with its fourth power. A text with one word in a hundred changed keeps its
//! hash in nine cases of ten; texts that share a third of their runs, say the footer of a
//! mailing list, have one hash in a hundred cases. It is made to be counted, not to judge
//! alone.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

/// Words that a text must have after it was made plain.
const WORDS_MIN: usize = 40;
/// Different runs that it must have: a word a hundred times over is no text.
const RUNS_MIN: usize = 20;
/// Words that are looked at.
const WORDS_MAX: usize = 20_000;
/// Words in a run.
const RUN: usize = 3;
/// The hash stands in journals and is compared between hosts: these keys never change.
const KEYS: [u64; 4] =
    [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89];
/// Words that begin a line with somebody's name.
const GREETINGS: [&str; 16] = [
    "dear", "hi", "hello", "hey", "hallo", "liebe", "lieber", "sehr", "guten", "bonjour", "cher", "chère",
    "hola", "estimado", "caro", "ciao",
];
/// Letters that a greeting and a name take, at most.
const GREETING_LEN_MAX: usize = 60;

/// The hash of `text`, which is in lower case; `None` where it has too few words.
pub(super) fn hash(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.lines().map(ungreeted).flat_map(words_of).take(WORDS_MAX).collect();
    if words.len() < WORDS_MIN {
        return None;
    }
    let mut runs: Vec<u64> = words.windows(RUN).map(run).collect();
    runs.sort_unstable();
    runs.dedup();
    (runs.len() >= RUNS_MIN).then(|| join(&runs))
}

/// The smallest value under each key, joined.
fn join(runs: &[u64]) -> u64 {
    let mut all = SipHasher13::new();
    for key in KEYS {
        let smallest = runs.iter().map(|run| mix(run ^ key)).min().unwrap_or_default();
        all.write_u64(smallest);
    }
    all.finish()
}

fn run(words: &[&str]) -> u64 {
    let mut hasher = SipHasher13::new();
    for word in words {
        hasher.write(word.as_bytes());
        hasher.write_u8(0);
    }
    hasher.finish()
}

/// Stafford's variant 13 of the finaliser of MurmurHash3: every bit of the input moves every
/// bit of the output.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// A line without the greeting that it begins with.
fn ungreeted(line: &str) -> &str {
    let line = line.trim_start();
    let first = line.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    if !GREETINGS.contains(&first) {
        return line;
    }
    match line.char_indices().find(|(_, c)| matches!(c, ',' | '!' | ':' | ';' | '.')) {
        Some((end, mark)) if end <= GREETING_LEN_MAX => &line[end + mark.len_utf8()..],
        _ if line.len() <= GREETING_LEN_MAX => "",
        _ => line,
    }
}

/// The words of a line that count.
fn words_of(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace().filter(|token| !is_dropped(token)).flat_map(letters)
}

/// Tokens that change from copy to copy: links, addresses, hosts, numbers, random words.
fn is_dropped(token: &str) -> bool {
    token.len() > 40 && token.is_ascii()
        || token.contains(|c: char| c.is_ascii_digit() || matches!(c, '@' | '/' | '\\' | '_' | '='))
        || token.trim_matches(|c: char| !c.is_alphanumeric()).contains('.')
}

/// The words in a token: letters without anything between; of scripts that put no blanks
/// between words, every letter is one.
fn letters(token: &str) -> impl Iterator<Item = &str> {
    token.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).flat_map(pieces)
}

fn pieces(word: &str) -> impl Iterator<Item = &str> {
    let dense = word.chars().any(|c| c >= '\u{2e80}');
    let step = move |(at, c): (usize, char)| &word[at..at + c.len_utf8()];
    let each = word.char_indices().filter(move |_| dense).map(step);
    each.chain((!dense && word.chars().nth(1).is_some()).then_some(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "dear alice,\nyou have won the great autumn prize of our company, and the money is waiting for you \
        at the bank of example. to receive your 1,250,000 dollars please visit http://spam.example/win?id=77 today or \
        write to claims@spam.example with your full name, address and telephone number. this offer ends on friday and \
        will not be repeated. our agents are standing by to help you with all the papers that the bank will ask for. \
        we wish you much joy with your new wealth and remain your faithful friends at the lottery.";

    fn changed(from: &str, to: &str) -> Option<u64> {
        assert!(TEXT.contains(from), "{from}");
        hash(&TEXT.replace(from, to))
    }

    #[test]
    fn digits_links_addresses_and_names_change_nothing() {
        let same = hash(TEXT);
        assert!(same.is_some());
        assert_eq!(changed("alice", "bob miller"), same);
        assert_eq!(changed("dear alice,", "hello charlie!"), same);
        assert_eq!(changed("1,250,000", "990,000"), same);
        assert_eq!(changed("spam.example/win?id=77", "other.example/a/b/c?x=1234567"), same);
        assert_eq!(changed("claims@spam.example", "office77@mail.example"), same);
        assert_eq!(changed("wealth and", "wealth 8f3a7 and"), same);
        assert_eq!(changed("prize of our company, and", "prize\nof our   company - and"), same);
    }

    #[test]
    fn another_text_has_another_hash() {
        let other: String = TEXT.split(' ').rev().collect::<Vec<_>>().join(" ");
        assert_ne!(hash(&other), hash(TEXT));
    }

    #[test]
    fn a_word_changed_in_a_long_text_mostly_changes_nothing() {
        // Text without repeats; each round changes another single word.
        let words: Vec<String> = (0..300).map(word).collect();
        let same = hash(&words.join(" "));
        let kept = (0..300).filter(|at| {
            let mut other = words.clone();
            other[*at] = "changed".into();
            hash(&other.join(" ")) == same
        });
        // Four of some three hundred runs are the smallest ones; each word stands in three, and
        // brings three new ones that may be smaller.
        assert!(kept.count() >= 250);
    }

    /// A word of letters for a number.
    fn word(number: usize) -> String {
        format!("{number:03}")
            .bytes()
            .map(|digit| char::from(digit - b'0' + b'k'))
            .chain("ing".chars())
            .collect()
    }

    #[test]
    fn short_and_empty_texts_have_none() {
        assert_eq!(hash(""), None);
        assert_eq!(hash("please find the report attached, kind regards"), None);
        assert_eq!(hash(&"again and ".repeat(100)), None);
        let just_short: Vec<String> = (0..39).map(word).collect();
        assert_eq!(hash(&just_short.join(" ")), None);
        let enough: Vec<String> = (0..40).map(word).collect();
        assert!(hash(&enough.join(" ")).is_some());
    }

    #[test]
    fn scripts_without_blanks_have_words_too() {
        let text: String = (0..60_u32).filter_map(|n| char::from_u32(0x4e00 + n * 7)).collect();
        assert!(hash(&text).is_some());
        assert_eq!(hash(&text), hash(&format!("{text} 2026 http://example.org/")));
    }

    #[test]
    fn the_value_never_changes() {
        assert_eq!(hash(TEXT), Some(7_381_764_916_836_391_439));
    }
}
