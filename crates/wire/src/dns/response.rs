//! One answer, written into a buffer.

use std::net::Ipv4Addr;

use super::name::DnsName;
pub use super::query::Header;
use super::query::Query;
use super::{HEADER_LEN, UDP_LEN_MAX, class, rcode, rtype};

/// A pointer to an offset (RFC 1035 §4.1.4).
const POINTER: u16 = 0xc000;
/// Octets of a record but for its data, with a pointer as its owner.
const RECORD_LEN: usize = 12;
/// Octets of an OPT record without options.
const OPT_LEN: usize = 11;
/// Option codes (RFC 7873, RFC 8914).
const COOKIE: u16 = 10;
const EXTENDED_ERROR: u16 = 15;

/// Where a record stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Section {
    /// What was asked for.
    Answer,
    /// Why there is none (RFC 2308).
    Authority,
}

/// A name of which the end may be that of the zone's, and need not be written again
/// (RFC 1035 §4.1.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shared<'a> {
    own: &'a [u8],
    /// So many octets into the zone's name its end begins.
    end: Option<u16>,
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

    /// The same of a name that was compared before: its first `own` octets are its own, the end
    /// is that of the zone behind the first `end`.
    pub fn kept(name: DnsName<'a>, own: usize, end: Option<u16>) -> Shared<'a> {
        Shared { own: &name.as_bytes()[..own.min(name.as_bytes().len())], end }
    }

    /// How many octets are the name's own, and where in the zone's name its end begins.
    pub fn lens(&self) -> (usize, Option<u16>) {
        (self.own.len(), self.end)
    }

    /// As it is written where the zone's name stands at `zone` in the message.
    fn parts(&self, zone: usize) -> (&'a [u8], [u8; 2], usize) {
        // A name's offset is less than 12 + 255.
        let pointer = self.end.map_or(0, |end| POINTER | (zone as u16 + end)).to_be_bytes();
        (self.own, pointer, if self.end.is_some() { 2 } else { 0 })
    }
}

/// Where the labels of a name begin.
fn starts(name: DnsName<'_>) -> impl Iterator<Item = usize> {
    let bytes = name.as_bytes();
    std::iter::successors(Some(0), |at| Some(at + 1 + usize::from(bytes[*at])))
        .take_while(|at| bytes[*at] != 0)
}

/// The start of a zone (RFC 1035 §3.3.13).
#[derive(Clone, Copy, Debug)]
pub struct Soa<'a> {
    /// The primary server.
    pub primary: Shared<'a>,
    /// The mailbox of whom to ask, its `@` a dot.
    pub contact: Shared<'a>,
    /// The zone's number (RFC 1982).
    pub serial: u32,
    /// Seconds between two looks of a secondary.
    pub refresh: u32,
    /// Seconds until it looks again after a failure.
    pub retry: u32,
    /// Seconds after which it forgets a zone that it can not renew.
    pub expire: u32,
    /// Seconds for which ‘there is none’ may be remembered.
    pub minimum: u32,
}

/// What an answer says of us and of the client, where the client asked with EDNS.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answered<'a> {
    /// The client's and our cookie, one behind the other.
    pub cookie: Option<&'a [u8]>,
    /// Why, more closely than the code says (RFC 8914).
    pub extended_error: Option<u16>,
}

/// An answer that is being written. What does not fit is left out and TC set.
#[derive(Debug)]
pub struct Response<'b> {
    out: &'b mut [u8],
    /// Octets written.
    at: usize,
    /// Room is kept behind this for OPT.
    end: usize,
    header: Header,
    counts: [u16; 4],
    /// A record did not fit.
    cut: bool,
    dnssec_ok: Option<bool>,
}

impl<'b> Response<'b> {
    /// Begins an answer to a query, of at most `len_max` octets; the question is repeated as it
    /// came, letter by letter. `reserved` octets are kept for options.
    ///
    /// A buffer shorter than `len_max` bounds it, too. One that does not even hold the question
    /// gives an answer without it.
    pub fn to(query: &Query<'_>, out: &'b mut [u8], len_max: usize, reserved: usize) -> Response<'b> {
        let len = len_max.min(out.len());
        let kept = if query.edns.is_some() { OPT_LEN + reserved } else { 0 };
        let mut response = Response {
            end: len.saturating_sub(kept),
            out,
            at: HEADER_LEN,
            header: query.header,
            counts: [0; 4],
            cut: false,
            dnssec_ok: query.edns.map(|edns| edns.dnssec_ok),
        };
        if let Some(question) = query.question {
            let tail = [question.rtype, question.class].map(u16::to_be_bytes);
            let fits = response.write(&[question.name.as_bytes(), tail.as_flattened()]);
            response.counts[0] = u16::from(fits);
            if !fits {
                // Records would point at it.
                (response.end, response.cut) = (response.at, true);
            }
        }
        response
    }

    /// Begins an answer to what can not be read: a header alone.
    pub fn to_fault(header: Header, out: &'b mut [u8]) -> Response<'b> {
        let end = out.len();
        Response { out, at: HEADER_LEN, end, header, counts: [0; 4], cut: false, dnssec_ok: None }
    }

    /// An address: in a block list, a code.
    pub fn a(&mut self, ttl: u32, address: Ipv4Addr) {
        self.record(Section::Answer, HEADER_LEN, rtype::A, ttl, &[&address.octets()]);
    }

    /// A text of one string; more than 255 octets are cut.
    pub fn txt(&mut self, ttl: u32, text: &[u8]) {
        let text = &text[..text.len().min(255)];
        // At most 255.
        self.record(Section::Answer, HEADER_LEN, rtype::TXT, ttl, &[&[text.len() as u8], text]);
    }

    /// The answer to ‘anything’ (RFC 8482 §4.2).
    pub fn minimal_any(&mut self, ttl: u32) {
        self.record(Section::Answer, HEADER_LEN, rtype::HINFO, ttl, &[b"\x07RFC8482\x00"]);
    }

    /// A name server of the zone that was asked about.
    pub fn ns(&mut self, ttl: u32, server: Shared<'_>) {
        let (own, pointer, len) = server.parts(HEADER_LEN);
        self.record(Section::Answer, HEADER_LEN, rtype::NS, ttl, &[own, &pointer[..len]]);
    }

    /// The start of the zone whose name stands `before` octets behind the beginning of the
    /// question's.
    pub fn soa(&mut self, section: Section, before: usize, ttl: u32, soa: &Soa<'_>) {
        let numbers = [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum];
        let numbers = numbers.map(u32::to_be_bytes);
        let (primary, primary_end, primary_len) = soa.primary.parts(HEADER_LEN + before);
        let (contact, contact_end, contact_len) = soa.contact.parts(HEADER_LEN + before);
        let names = [primary, &primary_end[..primary_len], contact, &contact_end[..contact_len]];
        let [a, b, c, d] = names;
        self.record(section, HEADER_LEN + before, rtype::SOA, ttl, &[a, b, c, d, numbers.as_flattened()]);
    }

    /// Whether anything did not fit.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Leaves out all records and sets TC: the client asks again by TCP.
    pub fn cut_short(&mut self, query: &Query<'_>) {
        let question = query.question.filter(|_| self.counts[0] == 1);
        self.at = HEADER_LEN + question.map_or(0, |question| question.name.as_bytes().len() + 4);
        (self.counts[1], self.counts[2], self.cut) = (0, 0, true);
    }

    /// Ends it with a code; says how many octets it has, 0 where the buffer holds no header.
    ///
    /// A code that needs EDNS becomes the nearest one without where the client has none.
    pub fn finish(mut self, code: u16, answered: &Answered<'_>) -> usize {
        if self.out.len() < HEADER_LEN {
            return 0;
        }
        match self.dnssec_ok {
            Some(dnssec_ok) => self.opt(code, dnssec_ok, answered),
            None if code > 15 => return self.finish(rcode::FORMERR, answered),
            None => {}
        }
        let Header { id, opcode, recursion_desired, checking_disabled } = self.header;
        let is_answer = matches!(code, rcode::NOERROR | rcode::NXDOMAIN);
        let high = 0x80 | opcode.0 << 3 | u8::from(is_answer) << 2 | u8::from(self.cut) << 1;
        let low = u8::from(checking_disabled) << 4 | (code & 15) as u8;
        let flags = [high | u8::from(recursion_desired), low];
        let counts = self.counts.map(u16::to_be_bytes);
        self.out[..2].copy_from_slice(&id.to_be_bytes());
        self.out[2..4].copy_from_slice(&flags);
        self.out[4..HEADER_LEN].copy_from_slice(counts.as_flattened());
        self.at
    }

    fn opt(&mut self, code: u16, dnssec_ok: bool, answered: &Answered<'_>) {
        let cookie = answered.cookie.unwrap_or_default();
        let cookie_head = option(COOKIE, cookie.len());
        let error = answered.extended_error.unwrap_or_default().to_be_bytes();
        let error_head = option(EXTENDED_ERROR, error.len());
        let options: [&[u8]; 4] = match (answered.cookie, answered.extended_error) {
            (None, None) => [&[]; 4],
            (Some(_), None) => [&cookie_head, cookie, &[], &[]],
            (None, Some(_)) => [&[], &[], &error_head, &error],
            (Some(_), Some(_)) => [&cookie_head, cookie, &error_head, &error],
        };
        let len = options.iter().map(|part| part.len()).sum::<usize>() as u16;
        let fixed = [rtype::OPT, UDP_LEN_MAX as u16].map(u16::to_be_bytes);
        // Codes have twelve bits.
        let ttl = [(code >> 4) as u8, 0, u8::from(dnssec_ok) << 7, 0];
        let [o0, o1, o2, o3] = options;
        self.end = self.out.len();
        let written = self.write(&[&[0], fixed.as_flattened(), &ttl, &len.to_be_bytes(), o0, o1, o2, o3]);
        self.counts[3] = written.into();
    }

    fn record(&mut self, section: Section, owner: usize, rtype: u16, ttl: u32, data: &[&[u8]]) {
        let len: usize = data.iter().map(|part| part.len()).sum();
        // A name's offset is less than 12 + 255, and the longest data two names and 20.
        let numbers = [POINTER | owner as u16, rtype, class::IN].map(u16::to_be_bytes);
        let before = self.at;
        let head = [numbers.as_flattened(), &ttl.to_be_bytes(), &(len as u16).to_be_bytes()];
        if self.at + RECORD_LEN + len <= self.end && self.write(&head) && self.write(data) {
            self.counts[section as usize + 1] += 1;
        } else {
            (self.at, self.cut) = (before, true);
        }
    }

    /// Writes all parts, or none.
    fn write(&mut self, parts: &[&[u8]]) -> bool {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let fits = self.at + len <= self.end;
        for part in parts.iter().filter(|_| fits) {
            self.out[self.at..self.at + part.len()].copy_from_slice(part);
            self.at += part.len();
        }
        fits
    }
}

/// The head of an option; ours are short.
fn option(code: u16, len: usize) -> [u8; 4] {
    let ([c0, c1], [l0, l1]) = (code.to_be_bytes(), (len as u16).to_be_bytes());
    [c0, c1, l0, l1]
}

#[cfg(test)]
mod tests {
    use super::super::name::tests::wire;
    use super::super::query::tests::{asked, packet};
    use super::*;

    const OPT: [u8; 11] = [0, 0, 41, 16, 0, 0, 0, 128, 0, 0, 0];

    /// Answers a question for `name` of type TXT.
    fn answer(name: &str, edns: bool, fill: impl FnOnce(&mut Response<'_>, &Query<'_>)) -> Vec<u8> {
        let opt: &[u8] = if edns { &OPT } else { &[] };
        let bytes = packet(0x0100, [1, 0, 0, edns.into()], &[&asked(name, rtype::TXT)[..], opt].concat());
        let query = Query::parse(&bytes).unwrap();
        let mut out = [0; 600];
        let mut response = Response::to(&query, &mut out, 512, 0);
        fill(&mut response, &query);
        let len = response.finish(rcode::NOERROR, &Answered::default());
        out[..len].to_vec()
    }

    fn soa_of<'a>(primary: &'a [u8], contact: &'a [u8]) -> Soa<'a> {
        let zone = wire("bl.example");
        let name = |bytes| Shared::of(DnsName::whole(bytes).unwrap(), DnsName::whole(&zone).unwrap());
        let (primary, contact) = (name(primary), name(contact));
        Soa { primary, contact, serial: 7, refresh: 60, retry: 30, expire: 86_400, minimum: 60 }
    }

    #[test]
    fn the_question_comes_back_letter_by_letter_and_the_record_points_at_it() {
        let got = answer("7.Bl.Example", false, |response, _| response.txt(300, b"why"));
        let mut expect = packet(0x8500, [1, 1, 0, 0], &asked("7.Bl.Example", rtype::TXT));
        expect.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 1, 44, 0, 4, 3, b'w', b'h', b'y']);
        assert_eq!(got, expect);
    }

    #[test]
    fn a_negative_answer_points_at_the_zone_inside_the_question() {
        let (primary, contact) = (wire("ns.example"), wire("a.example"));
        let got = answer("7.bl.example", false, |response, _| {
            response.soa(Section::Authority, 2, 60, &soa_of(&primary, &contact));
        });
        assert_eq!(&got[4..12], [0, 1, 0, 0, 0, 1, 0, 0]);
        let record = &got[12 + asked("7.bl.example", 16).len()..];
        assert_eq!(&record[..4], [0xc0, 14, 0, 6]);
        // `ns` and `a`, and two pointers at `example` behind `7` and `bl`.
        assert_eq!(record[12..][..9], [2, b'n', b's', 0xc0, 17, 1, b'a', 0xc0, 17]);
        assert_eq!((usize::from(record[11]), record.len()), (9 + 20, 12 + 9 + 20));
    }

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

    #[test]
    fn what_does_not_fit_is_left_out_whole_and_said() {
        let long = answer("7.bl.example", true, |response, _| {
            (0..9).for_each(|_| response.txt(300, &[b'a'; 100]));
            assert!(response.is_cut());
        });
        assert_eq!(long[2] & 2, 2, "TC");
        // Of nine texts of 113 octets four fit into 512, beside the OPT record.
        assert_eq!(&long[4..12], [0, 1, 0, 4, 0, 0, 0, 1]);
        assert!(long.len() <= 512);
        let cut = answer("7.bl.example", true, |response, query| {
            response.txt(300, b"why");
            response.cut_short(query);
        });
        assert_eq!((&cut[4..12], cut[2] & 2), (&[0, 1, 0, 0, 0, 0, 0, 1][..], 2));
        assert_eq!(cut.len(), 12 + asked("7.bl.example", 16).len() + 11);
    }

    #[test]
    fn a_code_of_edns_needs_edns_and_options_stand_in_it() {
        let opt: &[u8] = &OPT;
        let bytes = packet(0, [1, 0, 0, 1], &[&asked("a.example", 1)[..], opt].concat());
        let query = Query::parse(&bytes).unwrap();
        let mut out = [0; 512];
        let answered = Answered { cookie: Some(&[9; 24]), extended_error: Some(18) };
        let len = Response::to(&query, &mut out, 512, 34).finish(rcode::BADVERS, &answered);
        let tail = &out[len - 45..len];
        assert_eq!(tail[..11], [0, 0, 41, 4, 208, 1, 0, 128, 0, 0, 34]);
        assert_eq!(tail[11..15], [0, 10, 0, 24]);
        assert_eq!(tail[39..], [0, 15, 0, 2, 0, 18]);
        assert_eq!((out[2] & 4, out[3] & 15), (0, 0), "no authority, and the low bits of 16");
        let bare = packet(0, [1, 0, 0, 0], &asked("a.example", 1));
        let len =
            Response::to(&Query::parse(&bare).unwrap(), &mut out, 512, 0).finish(rcode::BADVERS, &answered);
        assert_eq!((out[3] & 15, &out[10..12], len), (1, &[0, 0][..], bare.len()));
    }

    #[test]
    fn a_small_buffer_holds_what_it_can() {
        let bytes = packet(0, [1, 0, 0, 0], &asked("a.example", 1));
        let query = Query::parse(&bytes).unwrap();
        for len in 0..bytes.len() {
            let mut out = vec![0; len];
            let mut response = Response::to(&query, &mut out, 512, 0);
            response.a(60, Ipv4Addr::new(127, 0, 0, 2));
            let written = response.finish(rcode::NOERROR, &Answered::default());
            assert_eq!(written, if len < HEADER_LEN { 0 } else { HEADER_LEN }, "{len}");
            assert!(len < HEADER_LEN || out[2] & 2 == 2, "{len}");
        }
    }
}
