//! A bulk list in force, as an event tells it: its name, its file's hash, its end. What
//! stands in it is no event (DESIGN §4).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use minicbor::{Decode, Encode};

use crate::time::Millis;

/// The name that an operator gives a list: 1 to 32 of a–z, 0–9 and `-`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FeedName(Arc<str>);

/// The longest name.
const NAME_LEN_MAX: usize = 32;

impl FeedName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FeedName {
    type Err = NoFeedName;

    fn from_str(text: &str) -> Result<FeedName, NoFeedName> {
        let is_fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let is_name = (1..=NAME_LEN_MAX).contains(&text.len()) && text.bytes().all(is_fine);
        if is_name { Ok(FeedName(text.into())) } else { Err(NoFeedName) }
    }
}

impl fmt::Display for FeedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no name of a list. The writer's doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoFeedName;

impl fmt::Display for NoFeedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected a name of 1 to {NAME_LEN_MAX} of a–z, 0–9 and -")
    }
}

impl std::error::Error for NoFeedName {}

impl<C> Encode<C> for FeedName {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for FeedName {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<FeedName, minicbor::decode::Error> {
        d.str()?.parse().map_err(minicbor::decode::Error::custom)
    }
}

/// Whose list it is.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, PartialEq)]
#[cbor(index_only)]
pub enum FeedKind {
    /// The operator's own: it may be published.
    #[n(0)]
    Curated,
    /// That of others: code 17, and never published (STD-83).
    #[n(1)]
    External,
}

impl fmt::Display for FeedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FeedKind::Curated => "curated",
            FeedKind::External => "external",
        })
    }
}

impl FromStr for FeedKind {
    type Err = NoFeedKind;

    fn from_str(text: &str) -> Result<FeedKind, NoFeedKind> {
        let kinds = [FeedKind::Curated, FeedKind::External];
        kinds.into_iter().find(|kind| kind.to_string() == text).ok_or(NoFeedKind)
    }
}

/// A text that is no kind of list. The writer's doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoFeedKind;

impl fmt::Display for NoFeedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected curated or external")
    }
}

impl std::error::Error for NoFeedKind {}

/// A list came into force, in place of an earlier one of its name.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub struct FeedAdopted {
    /// Its name.
    #[n(0)]
    pub name: FeedName,
    /// Whose it is.
    #[n(1)]
    pub kind: FeedKind,
    /// SHA-256 of its file, by which the data directory knows it.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub hash: [u8; 32],
    /// The code of entries that have none of their own, as the last octet of 127.0.0.n.
    #[n(3)]
    pub code: u8,
    /// When it is no longer in force, unless it is adopted again.
    #[n(4)]
    pub until: Millis,
    /// How many entries its lines named.
    #[n(5)]
    pub entries: u64,
}

/// What became of a list.
#[derive(Clone, Debug, Decode, Encode, Eq, PartialEq)]
pub enum FeedNews {
    /// It came into force.
    #[n(0)]
    Adopted(#[n(0)] FeedAdopted),
    /// It was removed by hand.
    #[n(1)]
    Dropped(#[n(0)] FeedName),
}

impl FeedNews {
    /// Which list.
    pub fn name(&self) -> &FeedName {
        match self {
            FeedNews::Adopted(adopted) => &adopted.name,
            FeedNews::Dropped(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::cbor;

    #[test]
    fn a_name_is_short_and_plain() {
        assert_eq!("drop-v4".parse::<FeedName>().unwrap().to_string(), "drop-v4");
        for text in ["", "Drop", "a b", "../x", "a_b", &"x".repeat(33)] {
            assert_eq!(text.parse::<FeedName>(), Err(NoFeedName), "{text}");
        }
        assert!(minicbor::decode::<FeedName>(&cbor(&"../x")).is_err());
    }

    #[test]
    fn an_adopted_list_survives_its_bytes_which_are_pinned() {
        let adopted = FeedAdopted {
            name: "drop".parse().unwrap(),
            kind: FeedKind::External,
            hash: [6; 32],
            code: 17,
            until: Millis(9),
            entries: 1000,
        };
        let bytes = cbor(&adopted);
        assert_eq!(minicbor::decode::<FeedAdopted>(&bytes).unwrap(), adopted);
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, format!("866464726f70015820{}11091903e8", "06".repeat(32)));
    }

    #[test]
    fn a_kind_is_what_it_prints() {
        assert_eq!("external".parse(), Ok(FeedKind::External));
        assert_eq!("curated".parse(), Ok(FeedKind::Curated));
        assert_eq!("mine".parse::<FeedKind>(), Err(NoFeedKind));
    }
}
