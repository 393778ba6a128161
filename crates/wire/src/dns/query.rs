//! One query.

use super::edns::Edns;
use super::name::DnsName;
use super::{HEADER_LEN, rcode, rtype};

/// What kind of message it is (RFC 1035 §4.1.1).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Opcode(pub u8);

impl Opcode {
    /// A question.
    pub const QUERY: Opcode = Opcode(0);
    /// News of a zone (RFC 1996).
    pub const NOTIFY: Opcode = Opcode(4);
}

/// What an answer takes over from the header.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Header {
    /// The client's number.
    pub id: u16,
    /// Query, or something else.
    pub opcode: Opcode,
    /// RD: the client wants us to ask others. We never do.
    pub recursion_desired: bool,
    /// CD, which answers repeat (RFC 4035 §3.1.6).
    pub checking_disabled: bool,
}

/// What is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Question<'a> {
    /// About which name.
    pub name: DnsName<'a>,
    /// Which type of record.
    pub rtype: u16,
    /// Of which class.
    pub class: u16,
}

/// A message that wants an answer and can be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Query<'a> {
    /// What the answer takes over.
    pub header: Header,
    /// The question; none where only a cookie is asked for (RFC 7873 §5.4).
    pub question: Option<Question<'a>>,
    /// What the client says of itself.
    pub edns: Option<Edns<'a>>,
    /// The serial that an IXFR client has (RFC 1995 §3).
    pub has_serial: Option<u32>,
    /// It carries a TSIG record.
    pub signed: bool,
}

/// Why there is no query.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum QueryError {
    /// A response, or less than a header: nobody may be answered, or two servers could answer
    /// each other for ever.
    Silent,
    /// What the sender hears: a header alone with this code.
    Fault(Header, u16),
}

impl<'a> Query<'a> {
    /// Reads one message.
    ///
    /// Asks for at most one question (RFC 9619), one OPT record (RFC 6891 §6.1.1), a TSIG
    /// record only at the end (RFC 8945 §5.1), and nothing behind it.
    ///
    /// # Errors
    ///
    /// With the answer, if any, that the sender must get.
    pub fn parse(packet: &'a [u8]) -> Result<Query<'a>, QueryError> {
        let (head, body) = packet.split_first_chunk::<HEADER_LEN>().ok_or(QueryError::Silent)?;
        let header = header(head).ok_or(QueryError::Silent)?;
        if header.opcode != Opcode::QUERY {
            return Err(QueryError::Fault(header, rcode::NOTIMP));
        }
        let count = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        read(header, [count(4), count(6), count(8), count(10)], body)
            .ok_or(QueryError::Fault(header, rcode::FORMERR))
    }
}

/// The header of anything but a response.
fn header(head: &[u8; HEADER_LEN]) -> Option<Header> {
    let (high, low) = (head[2], head[3]);
    (high & 0x80 == 0).then_some(Header {
        id: u16::from_be_bytes([head[0], head[1]]),
        opcode: Opcode(high >> 3 & 15),
        recursion_desired: high & 1 != 0,
        checking_disabled: low & 0x10 != 0,
    })
}

fn read(header: Header, counts: [u16; 4], body: &[u8]) -> Option<Query<'_>> {
    let [questions, answers, authorities, additionals] = counts;
    if questions > 1 || answers > 0 || authorities > 1 {
        return None;
    }
    let (question, mut rest) = if questions == 1 { question(body)? } else { (None, body) };
    let is_ixfr = question.is_some_and(|question| question.rtype == rtype::IXFR);
    let mut query = Query { header, question, edns: None, has_serial: None, signed: false };
    if authorities == 1 {
        let (record, after) = Record::split(rest)?;
        query.has_serial = Some(record.serial().filter(|_| is_ixfr)?);
        rest = after;
    }
    for _ in 0..additionals {
        let (record, after) = Record::split(rest)?;
        query.additional(&record)?;
        rest = after;
    }
    let asks = query.question.is_some() || query.edns.is_some_and(|edns| edns.cookie.is_some());
    (rest.is_empty() && asks).then_some(query)
}

fn question(body: &[u8]) -> Option<(Option<Question<'_>>, &[u8])> {
    let (name, rest) = DnsName::split(body).ok()?;
    let ([t0, t1, c0, c1], rest) = rest.split_first_chunk::<4>()?;
    let (rtype, class) = (u16::from_be_bytes([*t0, *t1]), u16::from_be_bytes([*c0, *c1]));
    Some((Some(Question { name, rtype, class }), rest))
}

impl<'a> Query<'a> {
    /// Takes in one record behind the question; `None` where it may not stand there.
    fn additional(&mut self, record: &Record<'a>) -> Option<()> {
        if self.signed {
            return None;
        }
        match record.rtype {
            rtype::OPT if self.edns.is_some() || !record.of_root => None,
            rtype::OPT => {
                self.edns = Some(Edns::read(record.class, record.ttl, record.data).ok()?);
                Some(())
            }
            rtype::TSIG => {
                self.signed = true;
                Some(())
            }
            _ => Some(()),
        }
    }
}

/// One record behind the question.
struct Record<'a> {
    of_root: bool,
    rtype: u16,
    class: u16,
    ttl: u32,
    data: &'a [u8],
}

impl<'a> Record<'a> {
    fn split(bytes: &'a [u8]) -> Option<(Record<'a>, &'a [u8])> {
        let rest = skip_name(bytes)?;
        let (head, rest) = rest.split_first_chunk::<10>()?;
        let [t0, t1, c0, c1, ttl @ .., l0, l1] = *head;
        let (data, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
        let record = Record {
            of_root: bytes.first() == Some(&0),
            rtype: u16::from_be_bytes([t0, t1]),
            class: u16::from_be_bytes([c0, c1]),
            ttl: u32::from_be_bytes(ttl),
            data,
        };
        Some((record, rest))
    }

    /// The serial of a SOA record: behind its two names stand five numbers, and nothing else.
    fn serial(&self) -> Option<u32> {
        let rest = skip_name(skip_name(self.data)?)?;
        let numbers: &[u8; 20] = rest.try_into().ok().filter(|_| self.rtype == rtype::SOA)?;
        numbers.first_chunk::<4>().map(|serial| u32::from_be_bytes(*serial))
    }
}

/// What stands behind a name, whose end may be a pointer. Nothing is followed, so nothing can
/// go in circles.
pub(super) fn skip_name(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes;
    loop {
        let (len, after) = rest.split_first()?;
        match len {
            0 => return Some(after),
            1..=63 => rest = after.get(usize::from(*len)..)?,
            192.. => return after.get(1..),
            _ => return None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::name::tests::wire;
    use super::*;

    /// A query with these counts and this body.
    pub(crate) fn packet(flags: u16, counts: [u16; 4], body: &[u8]) -> Vec<u8> {
        let counts: Vec<u8> = counts.iter().flat_map(|count| count.to_be_bytes()).collect();
        [&[0x12, 0x34][..], &flags.to_be_bytes(), &counts, body].concat()
    }

    pub(crate) fn asked(name: &str, rtype: u16) -> Vec<u8> {
        [wire(name), rtype.to_be_bytes().to_vec(), vec![0, 1]].concat()
    }

    fn opt(data: &[u8]) -> Vec<u8> {
        let len = u16::try_from(data.len()).unwrap().to_be_bytes();
        [&[0, 0, 41, 4, 208, 0, 0, 0, 0][..], &len, data].concat()
    }

    fn soa() -> Vec<u8> {
        let data = [&[0xc0, 0x0c, 0xc0, 0x0c][..], &[0, 0, 0, 9], &[0; 16]].concat();
        let len = u16::try_from(data.len()).unwrap().to_be_bytes();
        [&[0xc0, 0x0c, 0, 6, 0, 1, 0, 0, 0, 0][..], &len, &data].concat()
    }

    const TSIG: [u8; 11] = [0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0];

    #[track_caller]
    fn refused(packet: &[u8], expect: u16) {
        match Query::parse(packet) {
            Err(QueryError::Fault(header, code)) => assert_eq!((header.id, code), (0x1234, expect)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_question_is_read_with_what_the_client_says_of_itself() {
        let cookie = [&[0, 10, 0, 8][..], &[5; 8]].concat();
        let bytes =
            packet(0x0110, [1, 0, 0, 2], &[asked("7.bl.example", 16), opt(&cookie), TSIG.to_vec()].concat());
        let query = Query::parse(&bytes).unwrap();
        assert_eq!((query.header.id, query.header.recursion_desired), (0x1234, true));
        assert!(query.header.checking_disabled && query.signed);
        let question = query.question.unwrap();
        assert_eq!(
            (question.name.to_string().as_str(), question.rtype, question.class),
            ("7.bl.example.", 16, 1)
        );
        let edns = query.edns.unwrap();
        assert_eq!((edns.payload, edns.cookie), (1232, Some(&[5; 8][..])));
    }

    #[test]
    fn nobody_answers_a_response_or_half_a_header() {
        let response = packet(0x8180, [1, 0, 0, 0], &asked("a.example", 1));
        for bytes in [&response[..], &response[..11], &[]] {
            assert_eq!(Query::parse(bytes), Err(QueryError::Silent));
        }
    }

    #[test]
    fn other_messages_than_queries_are_not_implemented() {
        for opcode in 1..16 {
            refused(&packet(opcode << 11, [1, 0, 0, 0], &asked("a.example", 6)), rcode::NOTIMP);
        }
    }

    #[test]
    fn there_is_one_question_or_a_cookie_is_asked_for() {
        let one = asked("a.example", 1);
        refused(&packet(0, [2, 0, 0, 0], &[one.clone(), one.clone()].concat()), rcode::FORMERR);
        refused(&packet(0, [0, 0, 0, 0], &[]), rcode::FORMERR);
        refused(&packet(0, [0, 0, 0, 1], &opt(&[])), rcode::FORMERR);
        let bytes = packet(0, [0, 0, 0, 1], &opt(&[&[0, 10, 0, 8][..], &[5; 8]].concat()));
        assert_eq!(Query::parse(&bytes).unwrap().question, None);
    }

    #[test]
    fn an_ixfr_client_says_which_serial_it_has() {
        let bytes = packet(0, [1, 0, 1, 0], &[asked("bl.example", rtype::IXFR), soa()].concat());
        assert_eq!(Query::parse(&bytes).unwrap().has_serial, Some(9));
        refused(&packet(0, [1, 0, 1, 0], &[asked("bl.example", rtype::A), soa()].concat()), rcode::FORMERR);
    }

    #[test]
    fn what_the_header_does_not_count_is_a_fault() {
        let one = asked("a.example", 1);
        for (counts, body) in [
            ([1, 0, 0, 0], [one.clone(), vec![0]].concat()),
            ([1, 0, 0, 1], one.clone()),
            ([1, 1, 0, 0], [one.clone(), soa()].concat()),
            ([1, 0, 2, 0], [one.clone(), soa(), soa()].concat()),
            ([1, 0, 0, 2], [one.clone(), opt(&[]), opt(&[])].concat()),
            ([1, 0, 0, 2], [one.clone(), TSIG.to_vec(), opt(&[])].concat()),
            ([1, 0, 0, 1], [one.clone(), vec![1, b'a'], opt(&[])].concat()),
            ([1, 0, 0, 0], vec![0xc0, 0x0c, 0, 1, 0, 1]),
            ([1, 0, 0, 0], one[..one.len() - 1].to_vec()),
        ] {
            refused(&packet(0, counts, &body), rcode::FORMERR);
        }
    }
}
