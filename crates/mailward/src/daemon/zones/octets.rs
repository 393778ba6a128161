//! Records of the zones' log, to octets and back.
//!
//! | first octet | record |
//! |---|---|
//! | `F` | what stands beside the lists: 32 octets; the file begins with it |
//! | `R` | a zone, its number, and rows of its state; several make one state |
//! | `S` | a zone, the numbers before and behind, the time, and changes |
//! | `M` | several records, each with its length in four octets: all count, or none |
//!
//! Numbers are little-endian; a zone is its label with one octet of length; a name is told as
//! its kind and what that needs. What does not parse is damage, and told as that.

use model::{Codes, Millis, Prefix};
use projections::records::{Change, Owner, Row};

/// One record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Record {
    Fingerprint([u8; 32]),
    Rows { label: String, serial: u32, rows: Vec<Row> },
    Step { label: String, from: u32, to: u32, at: Millis, changes: Vec<Change> },
}

impl Record {
    pub(super) fn to_octets(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Record::Fingerprint(print) => {
                out.push(b'F');
                out.extend(print);
            }
            Record::Rows { label, serial, rows } => {
                out.push(b'R');
                put_text(&mut out, label);
                out.extend(serial.to_le_bytes());
                for row in rows {
                    put_owner(&mut out, &row.owner);
                    out.extend(bits(row.codes).to_le_bytes());
                }
            }
            Record::Step { label, from, to, at, changes } => {
                out.push(b'S');
                put_text(&mut out, label);
                out.extend([*from, *to].map(u32::to_le_bytes).as_flattened());
                out.extend(at.0.to_le_bytes());
                for change in changes {
                    put_owner(&mut out, &change.owner);
                    let both = [bits(change.before), bits(change.after)];
                    out.extend(both.map(u32::to_le_bytes).as_flattened());
                }
            }
        }
        out
    }

    /// Several as one.
    pub(super) fn join(records: &[Record]) -> Vec<u8> {
        let mut out = vec![b'M'];
        for record in records {
            let octets = record.to_octets();
            // Longer ones than a log's record can be, the caller does not write.
            out.extend(u32::try_from(octets.len()).unwrap_or(u32::MAX).to_le_bytes());
            out.extend(octets);
        }
        out
    }

    /// Reads one, or all that are joined; `None` where something is damaged.
    pub(super) fn read_all(octets: &[u8]) -> Option<Vec<Record>> {
        let Some(joined) = octets.strip_prefix(b"M") else { return Some(vec![Record::read(octets)?]) };
        Rest(joined).all(|rest| {
            let len = usize::try_from(rest.number()?).ok()?;
            let (record, behind) = rest.0.split_at_checked(len)?;
            rest.0 = behind;
            Record::read(record)
        })
    }

    /// Reads one; `None` where it is damaged.
    fn read(octets: &[u8]) -> Option<Record> {
        let mut rest = Rest(octets);
        match rest.take::<1>()? {
            [b'F'] => Some(Record::Fingerprint(rest.take()?)).filter(|_| rest.0.is_empty()),
            [b'R'] => {
                let (label, serial) = (rest.text()?.to_owned(), rest.number()?);
                let rows = rest.all(|rest| Some(Row { owner: rest.owner()?, codes: rest.codes()? }))?;
                Some(Record::Rows { label, serial, rows })
            }
            [b'S'] => {
                let label = rest.text()?.to_owned();
                let (from, to) = (rest.number()?, rest.number()?);
                let at = Millis(u64::from_le_bytes(rest.take()?));
                let changes = rest.all(|rest| {
                    Some(Change { owner: rest.owner()?, before: rest.codes()?, after: rest.codes()? })
                })?;
                Some(Record::Step { label, from, to, at, changes })
            }
            _ => None,
        }
    }
}

/// Of 127.0.0.n the bit n.
fn bits(codes: Codes) -> u32 {
    codes.octets().fold(0, |bits, last| bits | 1 << last)
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    // Labels have at most 63 octets, names 253.
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

fn put_owner(out: &mut Vec<u8>, owner: &Owner) {
    match owner {
        Owner::Net(Prefix::V4(bits, len)) => {
            out.extend([b'4', *len]);
            out.extend(bits.to_le_bytes());
        }
        Owner::Net(Prefix::V6(bits, len)) => {
            out.extend([b'6', *len]);
            out.extend(bits.to_le_bytes());
        }
        Owner::Name(name) => {
            out.push(b'n');
            put_text(out, name);
        }
        Owner::Below(name) => {
            out.push(b'b');
            put_text(out, name);
        }
    }
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn number(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn codes(&mut self) -> Option<Codes> {
        let bits = self.number()?;
        Some((0..32).filter(|last| bits >> last & 1 == 1).collect())
    }

    fn text(&mut self) -> Option<&'a str> {
        let [len] = self.take()?;
        let (text, rest) = self.0.split_at_checked(len.into())?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn owner(&mut self) -> Option<Owner> {
        Some(match self.take::<1>()? {
            [b'4'] => {
                let ([len], bits) = (self.take()?, self.number()?);
                Owner::Net(checked(Prefix::V4(bits, len), 32)?)
            }
            [b'6'] => {
                let ([len], bits) = (self.take()?, u128::from_le_bytes(self.take()?));
                Owner::Net(checked(Prefix::V6(bits, len), 128)?)
            }
            [b'n'] => Owner::Name(self.text()?.into()),
            [b'b'] => Owner::Below(self.text()?.into()),
            _ => return None,
        })
    }

    /// Everything up to the end.
    fn all<T>(&mut self, one: impl Fn(&mut Rest<'a>) -> Option<T>) -> Option<Vec<T>> {
        let mut all = Vec::new();
        while !self.0.is_empty() {
            all.push(one(self)?);
        }
        Some(all)
    }
}

/// A prefix without bits beyond its length.
fn checked(prefix: Prefix, full: u8) -> Option<Prefix> {
    (prefix.bits() <= full && Prefix::new(prefix.addr(), prefix.bits()) == prefix).then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Record> {
        let owners = [
            Owner::Net("192.0.2.7".parse().unwrap()),
            Owner::Net("2001:db8::/64".parse().unwrap()),
            Owner::Name("example.com".into()),
            Owner::Below("example.com".into()),
        ];
        let rows = owners.iter().map(|owner| Row { owner: owner.clone(), codes: Codes::of(19) }).collect();
        let change =
            |owner: &Owner| Change { owner: owner.clone(), before: Codes::NONE, after: Codes::of(3) };
        let (label, at) = ("bl".to_owned(), Millis(1_795_300_807_000));
        vec![
            Record::Fingerprint([7; 32]),
            Record::Rows { label: label.clone(), serial: 9, rows },
            Record::Step { label, from: u32::MAX, to: 0, at, changes: owners.iter().map(change).collect() },
        ]
    }

    #[test]
    fn records_come_back_as_they_were_and_cut_ones_not_at_all() {
        for record in samples() {
            let octets = record.to_octets();
            assert_eq!(Record::read(&octets), Some(record.clone()));
            let cut = (0..octets.len()).filter(|len| Record::read(&octets[..*len]) == Some(record.clone()));
            assert_eq!(cut.count(), 0);
        }
        assert_eq!([Record::read(b""), Record::read(b"X")], [None, None]);
        let joined = Record::join(&samples());
        assert_eq!(Record::read_all(&joined), Some(samples()));
        assert_eq!(Record::read_all(&joined[..joined.len() - 1]), None);
        assert_eq!(Record::read_all(&samples()[0].to_octets()), Some(samples()[..1].to_vec()));
    }
}
