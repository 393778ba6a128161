//! Names and persons as sensors report them.
//!
//! A host name from a peer is bytes, cut to a limit and folded to lower case. A person
//! (sender or recipient address) enters as a keyed hash only: no address stands in the
//! journal, in the engine or in an event.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use minicbor::{Decode, Encode};

/// The most bytes that are kept of a host name or HELO argument.
///
/// A domain name has at most 255 octets (RFC 1035 §2.3.4); a HELO line may hold more,
/// and what stands beyond is of no use to any rule.
pub const NAME_LEN_MAX: usize = 255;

/// A host name or HELO argument as the peer gave it: bytes, ASCII letters in lower case,
/// without a trailing dot, at most [`NAME_LEN_MAX`] long.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name(Arc<[u8]>);

impl Name {
    /// Takes a name from the wire; never fails.
    pub fn new(bytes: &[u8]) -> Name {
        let cut = &bytes[..bytes.len().min(NAME_LEN_MAX)];
        let bare = cut.strip_suffix(b".").unwrap_or(cut);
        Name(bare.iter().map(u8::to_ascii_lowercase).collect())
    }

    /// The bytes, lower-cased.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// So that a table of names can be asked with bytes.
impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Name {
    /// Printable ASCII as it is, everything else escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl<C> Encode<C> for Name {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Name {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(Name::new(d.bytes()?))
    }
}

/// A keyed hash of a person's address (or of a pair of them), made at the edge with the
/// site's key.
///
/// Enough to count distinct people and to recognise a trap; of no use to anybody who
/// does not hold the key.
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(transparent)]
pub struct PersonHash(#[n(0)] pub u64);

/// A keyed hash of a mail domain, made at the edge like [`PersonHash`].
#[derive(Clone, Copy, Debug, Decode, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(transparent)]
pub struct DomainHash(#[n(0)] pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_folded_and_cut() {
        assert_eq!(Name::new(b"Mail.Example.ORG.").as_bytes(), b"mail.example.org");
        assert_eq!(Name::new(&[b'a'; 600]).as_bytes().len(), NAME_LEN_MAX);
        assert_eq!(Name::new(b"a\r\nb\xff").to_string(), "a\\r\\nb\\xff");
    }
}
