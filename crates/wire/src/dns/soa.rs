//! The start of a zone (RFC 1035 §3.3.13), and names that end as the zone's does.

use super::name::DnsName;

/// A pointer to an offset (RFC 1035 §4.1.4).
const POINTER: u16 = 0xc000;

/// A name of which the end may be that of the zone's, and need not be written again
/// (RFC 1035 §4.1.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shared<'a> {
    pub(super) own: &'a [u8],
    /// So many octets into the zone's name its end begins.
    pub(super) end: Option<u16>,
}

impl<'a> Shared<'a> {
    /// Finds the longest common end of a name and a zone's.
    pub fn of(name: DnsName<'a>, zone: DnsName<'_>) -> Shared<'a> {
        let whole = name.as_bytes();
        let mut at = 0;
        while whole[at] != 0 {
            let ends = |from: &usize| zone.as_bytes()[*from..].eq_ignore_ascii_case(&whole[at..]);
            if let Some(from) = starts(zone).find(ends) {
                return Shared { own: &whole[..at], end: u16::try_from(from).ok() };
            }
            at += 1 + usize::from(whole[at]);
        }
        Shared { own: whole, end: None }
    }

    /// As it is written where the zone's name stands at `zone` in the message.
    pub(super) fn parts(&self, zone: usize) -> (&'a [u8], [u8; 2], usize) {
        let end = self.end.map_or([0; 2], |end| pointer(zone + usize::from(end)));
        (self.own, end, if self.end.is_some() { 2 } else { 0 })
    }
}

/// Where the labels of a name begin.
fn starts(name: DnsName<'_>) -> impl Iterator<Item = usize> {
    let bytes = name.as_bytes();
    std::iter::successors(Some(0), |at| Some(at + 1 + usize::from(bytes[*at])))
        .take_while(|at| bytes[*at] != 0)
}

/// The start of a zone (RFC 1035 §3.3.13), all but its number; written into every negative
/// answer, and so made ready once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Soa {
    /// The data of the record. Of a name that ends as the zone's does the last two octets say
    /// how far into the zone's name that is.
    pub(super) data: Box<[u8]>,
    /// Where those octets stand.
    ends: [Option<usize>; 2],
}

/// Octets of the numbers at the end of a start's data; the first four are the zone's number.
const SOA_NUMBERS_LEN: usize = 20;

impl Soa {
    /// The start of a zone.
    ///
    /// `primary` is its primary server, `contact` the mailbox of whom to ask, its `@` a dot.
    /// `times`, in seconds: how long a secondary waits between two looks, how long after a
    /// failure, when it forgets a zone that it can not renew, and for how long ‘there is none’
    /// may be remembered.
    pub fn new(primary: Shared<'_>, contact: Shared<'_>, times: [u32; 4]) -> Soa {
        let (mut data, mut ends) = (Vec::new(), [None; 2]);
        for (name, at) in [primary, contact].into_iter().zip(&mut ends) {
            data.extend(name.own);
            *at = name.end.map(|_| data.len());
            data.extend(name.end.into_iter().flat_map(u16::to_be_bytes));
        }
        data.extend([0; 4]);
        data.extend(times.map(u32::to_be_bytes).as_flattened());
        Soa { data: data.into(), ends }
    }

    /// Writes the data of a zone of this number whose name stands at `zone` in the message.
    pub(super) fn write(&self, zone: usize, serial: u32, to: &mut [u8]) {
        to.copy_from_slice(&self.data);
        for at in self.ends.into_iter().flatten() {
            let end = u16::from_be_bytes([to[at], to[at + 1]]);
            to[at..at + 2].copy_from_slice(&pointer(zone + usize::from(end)));
        }
        let number = to.len() - SOA_NUMBERS_LEN;
        to[number..number + 4].copy_from_slice(&serial.to_be_bytes());
    }
}

/// A pointer to what stands so far into the message: less than 12 + 255 octets.
pub(super) fn pointer(to: usize) -> [u8; 2] {
    (POINTER | to as u16).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::name::tests::wire;
    use super::*;

    #[test]
    fn names_share_the_longest_end_in_any_case() {
        #[track_caller]
        fn check(name: &str, own: &str, end: Option<u16>) {
            let (name, zone) = (wire(name), wire("bl.Example.org"));
            let shared = Shared::of(DnsName::whole(&name).unwrap(), DnsName::whole(&zone).unwrap());
            let own = if end.is_some() { &wire(own)[..wire(own).len() - 1] } else { &wire(own)[..] };
            assert_eq!(shared, Shared { own, end });
        }
        check("ns1.bl.example.org", "ns1", Some(0));
        check("ns1.example.ORG", "ns1", Some(3));
        check("ns1.xexample.org", "ns1.xexample", Some(11));
        check("bl.example.org", "", Some(0));
        check("ns1.example.net", "ns1.example.net", None);
        check("", "", None);
    }
}
