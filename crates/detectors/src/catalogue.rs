//! The catalogue of shared senders: `data/shared.txt`, read once.
//!
//! Needs: nothing of the network; the file is a part of the program, so a replay by the same
//! program reads the same. The file's own header says how it is written and where each line
//! comes from.
//!
//! A line that can not be read says nothing; a test reads them all.

use std::sync::LazyLock;

use model::Prefix;

use crate::ranges;

/// The file.
const TEXT: &str = include_str!("../data/shared.txt");

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(TEXT));

/// Who shared senders are, by what they say of themselves.
#[derive(Default)]
pub struct Catalogue {
    /// The month in which the file was last read through.
    pub reviewed: &'static str,
    /// How many providers there are.
    pub providers: usize,
    /// Suffixes of confirmed names, each beginning at a label.
    pub names: Vec<&'static str>,
    /// Domains of users' addresses that are no names of servers.
    pub addresses: Vec<&'static str>,
    /// Networks, in order and apart from each other.
    pub networks: Vec<Prefix>,
}

/// The catalogue that is shipped.
pub fn shipped() -> &'static Catalogue {
    &CATALOGUE
}

impl Catalogue {
    fn read(text: &'static str) -> Catalogue {
        let mut all = Catalogue::default();
        for (word, rest) in lines(text) {
            match word {
                "reviewed" => all.reviewed = rest,
                "provider" => all.providers += 1,
                "names" => all.names.extend(rest.split_ascii_whitespace()),
                "addresses" => all.addresses.extend(rest.split_ascii_whitespace()),
                "nets" => all
                    .networks
                    .extend(rest.split_ascii_whitespace().filter_map(|n| n.parse::<Prefix>().ok())),
                _ => {}
            }
        }
        all.networks = ranges::apart(all.networks);
        all
    }
}

/// The lines that say something, each parted after its first word.
fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let said = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    said.filter_map(|line| line.split_once(' ').map(|(word, rest)| (word, rest.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_catalogue_is_read() {
        let mut networks = Vec::new();
        for (word, rest) in lines(TEXT) {
            match word {
                "nets" => networks.extend(rest.split_whitespace().map(|n| n.parse::<Prefix>().unwrap())),
                "names" | "addresses" => {
                    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b);
                    assert!(
                        rest.split_whitespace().all(|n| n.contains('.') && n.bytes().all(plain)),
                        "{rest}"
                    );
                }
                "reviewed" | "provider" | "source" => assert!(!rest.is_empty()),
                other => panic!("{other}"),
            }
        }
        let shipped = shipped();
        assert_eq!(shipped.networks, ranges::apart(networks));
        assert!(shipped.reviewed.starts_with("20") && shipped.providers > 70);
    }

    #[test]
    fn an_entry_says_where_the_provider_says_it() {
        let words = || lines(TEXT).map(|(word, _)| word);
        assert_eq!(words().filter(|w| *w == "provider").count(), words().filter(|w| *w == "source").count());
    }

    #[test]
    fn documentation_and_private_networks_are_nobodys() {
        for text in
            ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "10.0.0.0/8", "2001:db8::/32", "11.0.0.0/8"]
        {
            assert!(!ranges::touch(&shipped().networks, text.parse().unwrap()), "{text}");
        }
    }
}
