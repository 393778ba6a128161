//! Names on the wire (RFC 1035 §3.1).

use std::fmt;

/// The most octets of a name, the lengths of its labels and the last zero with them
/// (RFC 1035 §2.3.4).
pub const NAME_LEN_MAX: usize = 255;

/// A whole name without compression: labels with their lengths, and a zero.
#[derive(Clone, Copy, Eq)]
pub struct DnsName<'a>(&'a [u8]);

/// Why octets are no name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameError {
    /// The packet ends in it.
    CutShort,
    /// A label is longer than 63 octets, or of a kind that nobody uses (RFC 6891 §5).
    Label,
    /// A pointer where none may stand: what it would point to is not there yet.
    Pointer,
    /// It is longer than 255 octets.
    TooLong,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NameError::CutShort => "the packet ends in a name",
            NameError::Label => "expected a label of at most 63 octets",
            NameError::Pointer => "expected a name without compression",
            NameError::TooLong => "expected a name of at most 255 octets",
        })
    }
}

impl std::error::Error for NameError {}

impl<'a> DnsName<'a> {
    /// The root.
    pub const ROOT: DnsName<'static> = DnsName(&[0]);

    /// Splits a name off the front of `bytes`.
    ///
    /// # Errors
    ///
    /// When no whole name without pointers stands there.
    pub fn split(bytes: &'a [u8]) -> Result<(DnsName<'a>, &'a [u8]), NameError> {
        let mut at = 0;
        loop {
            match *bytes.get(at).ok_or(NameError::CutShort)? {
                0 => {
                    let (name, rest) = bytes.split_at(at + 1);
                    return Ok((DnsName(name), rest));
                }
                len @ 1..=63 => at += 1 + usize::from(len),
                192.. => return Err(NameError::Pointer),
                _ => return Err(NameError::Label),
            }
            if at >= NAME_LEN_MAX {
                return Err(NameError::TooLong);
            }
        }
    }

    /// Takes a stored name, such as a zone's.
    ///
    /// # Errors
    ///
    /// When the octets are not one name and nothing else.
    pub fn whole(bytes: &'a [u8]) -> Result<DnsName<'a>, NameError> {
        match DnsName::split(bytes)? {
            (name, []) => Ok(name),
            _ => Err(NameError::TooLong),
        }
    }

    /// A name that was checked before.
    pub(super) fn checked(bytes: &'a [u8]) -> DnsName<'a> {
        DnsName(bytes)
    }

    /// Its octets.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Its labels, the first one first; none of the root.
    pub fn labels(self) -> Labels<'a> {
        Labels { bytes: self.0, len: self.0.len() - 1 }
    }

    /// The name as its part in front of `zone`; `None` where the name is not in the zone.
    /// Letters of both cases are the same (RFC 4343).
    pub fn within(self, zone: DnsName<'_>) -> Option<Inside<'a>> {
        let before = self.0.len().checked_sub(zone.0.len())?;
        let (mut at, mut starts) = (0, [0; 2]);
        while at < before {
            starts = [starts[1], at];
            at += 1 + usize::from(self.0[at]);
        }
        let end = &self.0[before..];
        // Most are asked for as they are written here, and octets are compared faster than letters.
        let is_in = at == before && (end == zone.0 || end.eq_ignore_ascii_case(zone.0));
        is_in.then_some(Inside { name: self.0, before, starts })
    }
}

impl PartialEq for DnsName<'_> {
    /// Letters of both cases are the same. The length of a label is at most 63, no letter.
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl fmt::Debug for DnsName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DnsName<'_> {
    /// Labels with a dot behind each; what is not printable, and dots and backslashes in a
    /// label, escaped as in a zone file (RFC 4343 §2.1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == [0] {
            return f.write_str(".");
        }
        self.labels().try_for_each(|label| {
            label.iter().try_for_each(|byte| match byte {
                b'.' | b'\\' => write!(f, "\\{}", char::from(*byte)),
                33..=126 => write!(f, "{}", char::from(*byte)),
                _ => write!(f, "\\{byte:03}"),
            })?;
            f.write_str(".")
        })
    }
}

/// A name in a zone.
#[derive(Clone, Copy, Debug)]
pub struct Inside<'a> {
    name: &'a [u8],
    /// So many octets of it stand in front of the zone's.
    before: usize,
    /// Where the last but one and the last label in front of the zone begin; 0 without such.
    starts: [usize; 2],
}

impl<'a> Inside<'a> {
    /// All that stands in front of the zone's name.
    pub fn front(self) -> Labels<'a> {
        Labels { bytes: self.name, len: self.before }
    }

    /// The label right in front of the zone, and those in front of it.
    pub fn split_last(self) -> Option<(Labels<'a>, &'a [u8])> {
        (self.before > 0).then(|| self.split(self.starts[1], self.before))
    }

    /// The label in front of that one, and those in front of it.
    pub fn split_last_but_one(self) -> Option<(Labels<'a>, &'a [u8])> {
        (self.starts[1] > 0).then(|| self.split(self.starts[0], self.starts[1]))
    }

    fn split(self, start: usize, end: usize) -> (Labels<'a>, &'a [u8]) {
        (Labels { bytes: self.name, len: start }, &self.name[start + 1..end])
    }
}

/// Labels of a name, or of the front of one.
#[derive(Clone, Copy)]
pub struct Labels<'a> {
    /// The name from the first of them on; what follows the last is not theirs.
    bytes: &'a [u8],
    /// So many octets are theirs, with their lengths.
    len: usize,
}

impl<'a> Labels<'a> {
    /// Whether there is none.
    pub fn is_none(self) -> bool {
        self.len == 0
    }

    /// How many octets they take, with their lengths.
    pub fn octets(self) -> usize {
        self.len
    }

    /// Four octets from `at` on, where a label begins, wherever that ends: who reads short labels
    /// needs no look at each octet. Zeros stand behind the name.
    pub(super) fn four(self, at: usize) -> [u8; 4] {
        let rest = self.bytes.get(at..).unwrap_or_default();
        rest.first_chunk().copied().unwrap_or_else(|| {
            let mut four = [0; 4];
            four.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            four
        })
    }

    /// The first label and the others.
    pub fn split_first(self) -> Option<(&'a [u8], Labels<'a>)> {
        if self.is_none() {
            return None;
        }
        let (len, rest) = self.bytes.split_first()?;
        // A name was checked when it was made, so the label is there.
        let (label, bytes) = rest.split_at_checked(usize::from(*len))?;
        Some((label, Labels { bytes, len: self.len.saturating_sub(label.len() + 1) }))
    }
}

impl PartialEq for Labels<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes[..self.len] == other.bytes[..other.len]
    }
}

impl Eq for Labels<'_> {}

impl fmt::Debug for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.map(|label| label.escape_ascii().to_string())).finish()
    }
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (label, rest) = self.split_first()?;
        *self = rest;
        Some(label)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The wire form of a name in the usual form, without escapes.
    pub(crate) fn wire(text: &str) -> Vec<u8> {
        let labels = text.split('.').filter(|label| !label.is_empty());
        let mut bytes: Vec<u8> = labels
            .flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat())
            .collect();
        bytes.push(0);
        bytes
    }

    #[test]
    fn a_name_is_split_off_where_it_ends() {
        let bytes = [wire("a.Bl.example"), vec![7, 7]].concat();
        let (name, rest) = DnsName::split(&bytes).unwrap();
        assert_eq!((name.to_string().as_str(), rest), ("a.Bl.example.", &[7, 7][..]));
        assert_eq!(name.labels().collect::<Vec<_>>(), [&b"a"[..], b"Bl", b"example"]);
        assert_eq!(DnsName::split(&[0, 1]).unwrap().0.to_string(), ".");
    }

    #[test]
    fn octets_that_are_no_name_are_told() {
        #[track_caller]
        fn check(bytes: &[u8], expect: NameError) {
            assert_eq!(DnsName::split(bytes).map(|_| ()), Err(expect), "{bytes:?}");
        }
        check(b"", NameError::CutShort);
        check(b"\x03ab", NameError::CutShort);
        check(b"\x01a", NameError::CutShort);
        check(b"\xc0\x0c", NameError::Pointer);
        check(b"\x01a\xc0\x00", NameError::Pointer);
        check(b"\x40", NameError::Label);
        check(b"\x80", NameError::Label);
        let long = [&[1, b'a'].repeat(127)[..], &[0]].concat();
        assert_eq!(long.len(), NAME_LEN_MAX);
        assert!(DnsName::split(&long).is_ok());
        check(&[&[1, b'a'].repeat(128)[..], &[0]].concat(), NameError::TooLong);
        assert_eq!(DnsName::whole(b"\x01a\0\0"), Err(NameError::TooLong));
    }

    #[test]
    fn a_name_in_a_zone_is_told_by_whole_labels_in_any_case() {
        let zone = wire("bl.Example");
        #[track_caller]
        fn check(name: &str, zone: &[u8], expect: Option<&[&str]>) {
            let bytes = wire(name);
            let within = DnsName::whole(&bytes).unwrap().within(DnsName(zone));
            let labels = within
                .map(|inside| inside.front().map(|l| std::str::from_utf8(l).unwrap()).collect::<Vec<_>>());
            assert_eq!(labels.as_deref(), expect, "{name}");
        }
        check("7.113.BL.exAMPLE", &zone, Some(&["7", "113"]));
        check("bl.example", &zone, Some(&[]));
        check("xbl.example", &zone, None);
        check("example", &zone, None);
        // The octets of the zone stand there, but in the middle of a label.
        check("a\x02bl\x07example", &zone, None);
        check("", &zone, None);
        check("a.b", &[0], Some(&["a", "b"]));
    }

    #[test]
    fn labels_are_taken_off_from_behind() {
        let bytes = wire("7.113.bl.example");
        let zone = wire("example");
        let inside = DnsName(&bytes).within(DnsName(&zone)).unwrap();
        let (front, last) = inside.split_last().unwrap();
        assert_eq!(
            (front.collect::<Vec<_>>(), last, front.octets()),
            (vec![&b"7"[..], b"113"], &b"bl"[..], 6)
        );
        let (front, last) = inside.split_last_but_one().unwrap();
        assert_eq!((front.collect::<Vec<_>>(), last), (vec![&b"7"[..]], &b"113"[..]));
    }

    #[test]
    fn there_may_be_no_label_or_one_to_take_off() {
        let (one, none) = (wire("bl.example"), wire("example"));
        let zone = DnsName(&none);
        let inside = DnsName(&one).within(zone).unwrap();
        let (front, last) = inside.split_last().unwrap();
        assert_eq!((front.is_none(), last, inside.split_last_but_one()), (true, &b"bl"[..], None));
        let inside = zone.within(zone).unwrap();
        assert!(inside.front().is_none() && inside.split_last().is_none());
        assert_eq!(inside.split_last_but_one(), None);
    }

    #[test]
    fn a_printed_name_holds_nothing_that_a_terminal_obeys() {
        let name = DnsName::whole(b"\x04a.\x1b\xff\0").unwrap();
        assert_eq!(name.to_string(), "a\\.\\027\\255.");
    }
}
