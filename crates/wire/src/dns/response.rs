//! One answer, written into a buffer.

use std::net::Ipv4Addr;

pub use super::query::Header;
use super::query::Query;
use super::soa::{Shared, Soa, pointer};
use super::{HEADER_LEN, UDP_LEN_MAX, class, rcode, rtype};

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
        if let Some(data) = self.record(Section::Answer, HEADER_LEN, rtype::A, ttl, 4) {
            data.copy_from_slice(&address.octets());
        }
    }

    /// A text of one string; more than 255 octets are cut.
    pub fn txt(&mut self, ttl: u32, text: &[u8]) {
        let text = &text[..text.len().min(255)];
        if let Some(data) = self.record(Section::Answer, HEADER_LEN, rtype::TXT, ttl, text.len() + 1) {
            // At most 255.
            data[0] = text.len() as u8;
            data[1..].copy_from_slice(text);
        }
    }

    /// The answer to ‘anything’ (RFC 8482 §4.2).
    pub fn minimal_any(&mut self, ttl: u32) {
        const DATA: &[u8] = b"\x07RFC8482\x00";
        if let Some(data) = self.record(Section::Answer, HEADER_LEN, rtype::HINFO, ttl, DATA.len()) {
            data.copy_from_slice(DATA);
        }
    }

    /// A name server of the zone that was asked about.
    pub fn ns(&mut self, ttl: u32, server: Shared<'_>) {
        let (own, end, end_len) = server.parts(HEADER_LEN);
        let len = own.len() + end_len;
        if let Some(data) = self.record(Section::Answer, HEADER_LEN, rtype::NS, ttl, len) {
            data[..own.len()].copy_from_slice(own);
            data[own.len()..].copy_from_slice(&end[..end_len]);
        }
    }

    /// The start of the zone whose name stands `before` octets behind the beginning of the
    /// question's, with the zone's number (RFC 1982).
    pub fn soa(&mut self, section: Section, before: usize, ttl: u32, soa: &Soa, serial: u32) {
        let zone = HEADER_LEN + before;
        if let Some(data) = self.record(section, zone, rtype::SOA, ttl, soa.data.len()) {
            soa.write(zone, serial, data);
        }
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

    /// The room for the data of one record, its head written; `None` where it does not fit.
    fn record(
        &mut self,
        section: Section,
        owner: usize,
        rtype: u16,
        ttl: u32,
        len: usize,
    ) -> Option<&mut [u8]> {
        let end = self.at + RECORD_LEN + len;
        if end > self.end {
            self.cut = true;
            return None;
        }
        let [[o0, o1], [t0, t1], [c0, c1]] = [pointer(owner), rtype.to_be_bytes(), class::IN.to_be_bytes()];
        // The longest data is two names and 20 octets.
        let ([s0, s1, s2, s3], [l0, l1]) = (ttl.to_be_bytes(), (len as u16).to_be_bytes());
        let head: [u8; RECORD_LEN] = [o0, o1, t0, t1, c0, c1, s0, s1, s2, s3, l0, l1];
        let (to, data) = self.out[self.at..end].split_at_mut(RECORD_LEN);
        to.copy_from_slice(&head);
        self.at = end;
        self.counts[section as usize + 1] += 1;
        Some(data)
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
    use super::super::DnsName;
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

    fn soa_of(primary: &[u8], contact: &[u8]) -> Soa {
        let zone = wire("bl.example");
        let name = |bytes| Shared::of(DnsName::whole(bytes).unwrap(), DnsName::whole(&zone).unwrap());
        Soa::new(name(primary), name(contact), [60, 30, 86_400, 60])
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
            response.soa(Section::Authority, 2, 60, &soa_of(&primary, &contact), 7);
        });
        assert_eq!(&got[4..12], [0, 1, 0, 0, 0, 1, 0, 0]);
        let record = &got[12 + asked("7.bl.example", 16).len()..];
        assert_eq!(&record[..4], [0xc0, 14, 0, 6]);
        // `ns` and `a`, and two pointers at `example` behind `7` and `bl`.
        assert_eq!(record[12..][..9], [2, b'n', b's', 0xc0, 17, 1, b'a', 0xc0, 17]);
        assert_eq!((usize::from(record[11]), record.len()), (9 + 20, 12 + 9 + 20));
        assert_eq!(record[12 + 9..][..8], [0, 0, 0, 7, 0, 0, 0, 60]);
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
