//! What was met before, so that the same again counts nothing: refused pairs of sender and
//! recipient, recipients that do not exist.
//!
//! A few are kept exactly. From there on a fixed number of bits (a Bloom filter) tells
//! them apart, so that one key can not fill the memory: it never takes a repeat for
//! something new, and the more there are, the more new ones it takes for repeats.

use minicbor::bytes::ByteArray;
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use model::{Millis, Secs};

/// Members that are kept exactly, as REQUIREMENTS C.0 has it for all distinct counts.
const EXACT_MAX: usize = 64;
/// Bytes of the filter: a thousand members are told apart with 5 % loss. A thousand refused
/// attempts reach the most that they can add in a day, and a thousand unknown recipients
/// cost four days.
const FILTER_LEN: usize = 1024;

/// Members of the current span, and of the one before. The owner gives the span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Repeats(Option<Box<Spans>>);

/// Both spans; made with the first member.
#[derive(Clone, Debug, Decode, Default, Encode, PartialEq)]
struct Spans {
    #[n(0)]
    current: Set,
    #[n(1)]
    earlier: Set,
    #[n(2)]
    since: Millis,
}

#[derive(Clone, Debug, Decode, Encode, PartialEq)]
enum Set {
    #[n(0)]
    Exact(#[n(0)] Vec<u32>),
    #[n(1)]
    Filter(#[n(0)] Box<ByteArray<FILTER_LEN>>),
}

impl Default for Set {
    fn default() -> Self {
        Set::Exact(Vec::new())
    }
}

impl Repeats {
    /// Notes a member, which is a keyed hash; says whether it was not met in the last `span`.
    pub fn is_new(&mut self, member: u64, span: Secs, now: Millis) -> bool {
        let spans = self.0.get_or_insert_default();
        spans.turn(span, now);
        let fragment = member as u32;
        // Met again, it stays a repeat for another span.
        spans.current.insert(fragment) && !spans.earlier.contains(fragment)
    }
}

impl<C> Encode<C> for Repeats {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), EncodeError<W::Error>> {
        match &self.0 {
            Some(spans) => spans.encode(e, ctx),
            None => Spans::default().encode(e, ctx),
        }
    }
}

impl<'b, C> Decode<'b, C> for Repeats {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Repeats, DecodeError> {
        let spans = Spans::decode(d, ctx)?;
        Ok(Repeats((spans != Spans::default()).then(|| Box::new(spans))))
    }
}

impl Spans {
    /// Begins another span when this one is over.
    fn turn(&mut self, span: Secs, now: Millis) {
        let gone = now.since(self.since);
        if gone >= span {
            let last = std::mem::take(&mut self.current);
            self.earlier = if gone < span.times(2) { last } else { Set::default() };
            self.since = now;
        }
    }
}

impl Set {
    fn insert(&mut self, member: u32) -> bool {
        match self {
            Set::Exact(members) => {
                let Err(place) = members.binary_search(&member) else { return false };
                members.insert(place, member);
                if members.len() > EXACT_MAX {
                    *self = filter(members);
                }
                true
            }
            Set::Filter(bits) => {
                let mut new = false;
                for (byte, bit) in places(member) {
                    new |= bits[byte] & bit == 0;
                    bits[byte] |= bit;
                }
                new
            }
        }
    }

    fn contains(&self, member: u32) -> bool {
        match self {
            Set::Exact(members) => members.binary_search(&member).is_ok(),
            Set::Filter(bits) => places(member).into_iter().all(|(byte, bit)| bits[byte] & bit != 0),
        }
    }
}

fn filter(members: &[u32]) -> Set {
    let mut set = Set::Filter(Box::new(ByteArray::from([0; FILTER_LEN])));
    for member in members {
        set.insert(*member);
    }
    set
}

/// The two bits of a member; it is a keyed hash, so its own bits serve.
fn places(member: u32) -> [(usize, u8); 2] {
    [member, member >> 16].map(|half| (half as usize % FILTER_LEN, 1 << (half >> 10 & 7)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis::from_secs(1_000_000_000);

    /// Spreads small numbers as a keyed hash would.
    fn hash(n: u64) -> u64 {
        n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 13
    }

    const SPAN: Secs = Secs(5 * 86_400);

    fn new_among(members: std::ops::Range<u64>, of: &mut Repeats) -> usize {
        members.filter(|n| of.is_new(hash(*n), SPAN, START)).count()
    }

    #[test]
    fn a_repeat_is_never_new_however_many_members_there_are() {
        let mut members = Repeats::default();
        assert_eq!(new_among(0..64, &mut members), 64);
        assert_eq!(new_among(0..64, &mut members), 0);
        assert!(new_among(64..1000, &mut members) > 850, "few are lost up to a thousand");
        assert_eq!(new_among(0..1000, &mut members), 0);
        new_among(1000..100_000, &mut members);
        assert_eq!(new_among(0..100_000, &mut members), 0);
    }

    #[test]
    fn a_member_is_a_repeat_for_a_span_after_it_was_last_met() {
        let mut members = Repeats::default();
        let mut at = |day: u64, member: u64| members.is_new(member, SPAN, START.plus(Secs(day * 86_400)));
        assert!(at(0, 7));
        assert!((1..12).all(|day| !at(day, 7)));
        assert!(at(30, 7));
        assert!(at(41, 8));
        assert!(at(50, 7));
    }

    #[test]
    fn both_forms_survive_their_bytes() {
        for count in [0, 64, 500] {
            let mut members = Repeats::default();
            new_among(0..count, &mut members);
            let bytes = minicbor::to_vec(&members).unwrap();
            assert_eq!(minicbor::decode::<Repeats>(&bytes).unwrap(), members);
        }
    }
}
