//! What holds for the entries of any file, as whatever kind of list it is read.

use wire::lists::{Entry, Format, LINE_LEN_MAX, Reader};

/// How many entries and errors there were, of all formats.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Outcome {
    pub(crate) addresses: usize,
    pub(crate) names: usize,
    pub(crate) errors: usize,
}

/// Reads a file as every format.
pub(crate) fn check(input: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    let guessed = Format::guess(input);
    assert_eq!(guessed.word().parse(), Ok(guessed));
    for format in [Format::Ip4set, Format::Ip4trie, Format::Dnset, Format::Plain] {
        let mut reader = Reader::new(format);
        for line in input.split(|byte| *byte == b'\n') {
            read(&mut reader, line, &mut outcome);
        }
        let skipped = reader.skipped();
        let lines = input.split(|byte| *byte == b'\n').count() as u64;
        assert!(skipped.specials + skipped.tests <= lines && skipped.texts.max(skipped.values) <= lines);
    }
    outcome
}

fn read(reader: &mut Reader, line: &[u8], outcome: &mut Outcome) {
    match reader.line(line) {
        Ok(None) => {}
        Ok(Some(Entry::Addresses(first, last, _))) => {
            assert!(first <= last && first.is_ipv4() == last.is_ipv4(), "{first} {last}");
            outcome.addresses += 1;
        }
        Ok(Some(Entry::Name(name, ..))) => {
            assert!((1..=253).contains(&name.len()), "{name}");
            assert!(name.split('.').all(|label| (1..=63).contains(&label.len())), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase() && b > b' '), "{name}");
            outcome.names += 1;
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.len() < 500, "{text}");
            assert!(!line.is_empty() && (line.len() <= LINE_LEN_MAX || text.contains("4096")), "{text}");
            outcome.errors += 1;
        }
    }
}
