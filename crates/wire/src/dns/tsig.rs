//! Signatures of messages (RFC 8945), as far as they are octets.
//!
//! Here a TSIG record is taken off a message, and one is written; what goes into a hash is laid
//! out. Keys and hashes are `edge`'s.

use super::HEADER_LEN;
use super::name::DnsName;
use super::query::skip_name;
use super::{class, rtype};

/// Octets of a signed request's time, and of the server's time in a BADTIME answer (§4.2, §5.2.3).
const TIME_LEN: usize = 6;

/// Error codes in a TSIG record (§3).
pub mod tsig_error {
    /// The signature is wrong.
    pub const BADSIG: u16 = 16;
    /// Nobody here knows this key, or not with this algorithm.
    pub const BADKEY: u16 = 17;
    /// It was signed too long ago, or is not yet.
    pub const BADTIME: u16 = 18;
    /// The signature is cut shorter than we take.
    pub const BADTRUNC: u16 = 22;
}

/// One TSIG record (§4.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tsig<'a> {
    /// The key's name.
    pub key: DnsName<'a>,
    /// The algorithm's name.
    pub algorithm: DnsName<'a>,
    /// When it was signed: seconds since 1970, 48 bits.
    pub time: u64,
    /// How many seconds that may be off.
    pub fudge: u16,
    /// The signature.
    pub mac: &'a [u8],
    /// The message's number, before somebody handed it on.
    pub original_id: u16,
    /// What was wrong with what it answers.
    pub error: u16,
    /// More of that.
    pub other: &'a [u8],
}

/// A message whose signature can not be taken off: it does not parse (FORMERR).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadMessage;

impl<'a> Tsig<'a> {
    /// Takes the signature off a message: what was signed, with its number and counts as they
    /// were then, and the record; `None` without one.
    ///
    /// # Errors
    ///
    /// When the message does not parse, or has a TSIG record anywhere but at its end (§5.1).
    pub fn split(message: &'a [u8]) -> Result<Option<(Vec<u8>, Tsig<'a>)>, BadMessage> {
        let Some((at, tsig)) = find(message).ok_or(BadMessage)? else { return Ok(None) };
        let mut signed = message[..at].to_vec();
        signed[..2].copy_from_slice(&tsig.original_id.to_be_bytes());
        let count = u16::from_be_bytes([message[10], message[11]]) - 1;
        signed[10..HEADER_LEN].copy_from_slice(&count.to_be_bytes());
        Ok(Some((signed, tsig)))
    }

    fn read(head: &Head<'a>) -> Option<Tsig<'a>> {
        let (key, _) = DnsName::split(head.owner).ok()?;
        let (algorithm, rest) = DnsName::split(head.data).ok()?;
        let (time, rest) = rest.split_first_chunk::<TIME_LEN>()?;
        let ([f0, f1, l0, l1], rest) = rest.split_first_chunk::<4>()?;
        let (mac, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1])))?;
        let ([i0, i1, e0, e1, o0, o1], other) = rest.split_first_chunk::<6>()?;
        let whole = other.len() == usize::from(u16::from_be_bytes([*o0, *o1]));
        let time = time.iter().fold(0, |time, octet| time << 8 | u64::from(*octet));
        // §4.2: class ANY, and no time to live.
        (whole && head.class == class::ANY && head.ttl == 0).then_some(Tsig {
            key,
            algorithm,
            time,
            fudge: u16::from_be_bytes([*f0, *f1]),
            mac,
            original_id: u16::from_be_bytes([*i0, *i1]),
            error: u16::from_be_bytes([*e0, *e1]),
            other,
        })
    }

    /// Puts it at the end of a message, which must have a header.
    pub fn put(&self, message: &mut Vec<u8>) {
        let Some(count) = message.get(10..HEADER_LEN).and_then(|count| count.try_into().ok()) else { return };
        let count = u16::from_be_bytes(count).saturating_add(1);
        message[10..HEADER_LEN].copy_from_slice(&count.to_be_bytes());
        message.extend_from_slice(self.key.as_bytes());
        message.extend([rtype::TSIG, class::ANY].map(u16::to_be_bytes).as_flattened());
        message.extend([0; 4]);
        let algorithm = self.algorithm.as_bytes();
        message.extend(octets(algorithm.len() + 16 + self.mac.len() + self.other.len()));
        message.extend_from_slice(algorithm);
        message.extend(self.timers());
        message.extend(octets(self.mac.len()));
        message.extend_from_slice(self.mac);
        message.extend([self.original_id, self.error].map(u16::to_be_bytes).as_flattened());
        message.extend(octets(self.other.len()));
        message.extend_from_slice(self.other);
    }

    /// What of it is hashed behind the message (§4.3.3). Names in lower case.
    pub fn variables(&self) -> Vec<u8> {
        let mut all = self.key.as_bytes().to_ascii_lowercase();
        all.extend(class::ANY.to_be_bytes());
        all.extend([0; 4]);
        all.extend(self.algorithm.as_bytes().to_ascii_lowercase());
        all.extend(self.timers());
        all.extend(self.error.to_be_bytes());
        all.extend(octets(self.other.len()));
        all.extend_from_slice(self.other);
        all
    }

    /// What of it is hashed behind the second and later messages of one answer (§5.3.1).
    pub fn timers(&self) -> [u8; 8] {
        let [_, _, time @ ..] = self.time.to_be_bytes();
        let mut timers = [0; 8];
        timers[..TIME_LEN].copy_from_slice(&time);
        timers[TIME_LEN..].copy_from_slice(&self.fudge.to_be_bytes());
        timers
    }
}

/// A length in front of what it is of; nothing here is longer than 65 535 octets.
fn octets(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes()
}

/// The parts of one record.
struct Head<'a> {
    owner: &'a [u8],
    rtype: u16,
    class: u16,
    ttl: u32,
    data: &'a [u8],
}

/// The last record, where it is a TSIG, and where it begins. The outer `None`: it does not parse.
fn find(message: &[u8]) -> Option<Option<(usize, Tsig<'_>)>> {
    let (header, mut rest) = message.split_first_chunk::<HEADER_LEN>()?;
    let count = |at: usize| usize::from(u16::from_be_bytes([header[at], header[at + 1]]));
    for _ in 0..count(4) {
        rest = skip_name(rest)?.get(4..)?;
    }
    let (records, additional) = (count(6) + count(8), count(10));
    let mut found = None;
    for nth in 0..records + additional {
        let at = message.len() - rest.len();
        let (head, after) = split(rest)?;
        if head.rtype == rtype::TSIG {
            let is_last = nth + 1 == records + additional && additional > 0 && after.is_empty();
            found = Some((at, Tsig::read(&head).filter(|_| is_last)?));
        }
        rest = after;
    }
    Some(found)
}

fn split(bytes: &[u8]) -> Option<(Head<'_>, &[u8])> {
    let rest = skip_name(bytes)?;
    let (head, rest) = rest.split_first_chunk::<10>()?;
    let [t0, t1, c0, c1, ttl @ .., l0, l1] = *head;
    let (data, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
    let (rtype, class) = (u16::from_be_bytes([t0, t1]), u16::from_be_bytes([c0, c1]));
    Some((Head { owner: bytes, rtype, class, ttl: u32::from_be_bytes(ttl), data }, rest))
}

#[cfg(test)]
mod tests {
    use super::super::name::tests::wire;
    use super::super::query::tests::{asked, packet};
    use super::*;

    fn signed(message: &[u8], change: impl FnOnce(&mut Tsig<'_>)) -> Vec<u8> {
        let (key, algorithm) = (wire("Key.example"), wire("hmac-sha256"));
        let mut tsig = Tsig {
            key: DnsName::whole(&key).unwrap(),
            algorithm: DnsName::whole(&algorithm).unwrap(),
            time: 0x0102_0304_0506,
            fudge: 300,
            mac: &[9; 32],
            original_id: 0x4321,
            error: 0,
            other: &[],
        };
        change(&mut tsig);
        let mut message = message.to_vec();
        tsig.put(&mut message);
        message
    }

    fn plain() -> Vec<u8> {
        packet(0, [1, 0, 0, 0], &asked("bl.example", rtype::SOA))
    }

    #[test]
    fn a_signature_comes_off_as_it_was_put_on() {
        let bytes = signed(&plain(), |tsig| tsig.other = &[1, 2]);
        let (before, tsig) = Tsig::split(&bytes).unwrap().unwrap();
        // RFC 8945 §5.2: the number is that of the message as it was signed.
        assert_eq!((&before[..2], &before[2..]), (&[0x43, 0x21][..], &plain()[2..]));
        assert_eq!(
            (tsig.time, tsig.fudge, tsig.mac, tsig.other),
            (0x0102_0304_0506, 300, &[9; 32][..], &[1, 2][..])
        );
        assert_eq!(tsig.timers(), [1, 2, 3, 4, 5, 6, 1, 44]);
        assert!(tsig.variables().starts_with(&wire("key.example")), "lower case");
        assert_eq!(Tsig::split(&plain()), Ok(None));
    }

    #[test]
    fn no_cut_or_changed_message_is_taken_for_a_signed_one() {
        let bytes = signed(&plain(), |_| {});
        for len in 0..bytes.len() {
            assert_eq!(Tsig::split(&bytes[..len]), Err(BadMessage), "{len}");
        }
        let check = |bytes: &[u8]| assert_eq!(Tsig::split(bytes), Err(BadMessage));
        check(&[&bytes[..], &[0]].concat());
        // A second one behind it (§5.1), one among the answers, and one of another class.
        check(&signed(&bytes, |_| {}));
        let mut moved = bytes.clone();
        (moved[7], moved[11]) = (1, 0);
        check(&moved);
        let class = plain().len() + wire("key.example").len() + 3;
        let mut other = bytes.clone();
        other[class] = 1;
        check(&other);
    }
}
