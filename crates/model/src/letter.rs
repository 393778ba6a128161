//! One whole message as a sensor took it in: bytes, unredacted.
//!
//! A letter lives from the end of its data until it was judged. Judges read it, an
//! [`Exhibit`](crate::exhibit::Exhibit) is cut from it, and it is never stored.

use std::fmt::Write as _;

use crate::name::Name;
use crate::observation::{Client, Rdns};
use crate::time::Millis;

/// The most octets that are held of the header section, names and folding included.
///
/// RFC 5321 sets no limit and Postfix cuts at 100 KiB (`header_size_limit` for one field);
/// REQUIREMENTS ADV-11 asks for 64 KiB.
pub const FIELDS_LEN_MAX: usize = 64 * 1024;
/// The most recipients that are held by name; more are counted.
///
/// RFC 5321 §4.5.3.1.8 asks for 100; Postfix takes 1000.
pub const RECIPIENTS_MAX: usize = 1000;

/// One message of one SMTP session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Letter {
    /// When the first of its recipients was named.
    pub began: Millis,
    /// When its end was seen.
    pub at: Millis,
    /// Which message of which session, as in [`Observation::session`](crate::Observation).
    pub session: u64,
    /// Who connected, or who handed it to a declared upstream MX.
    pub client: Client,
    /// The declared upstream MX that handed it on, if one did.
    pub through: Option<Client>,
    /// The MX host that took it.
    pub mx: Name,
    /// Its name in the MX host's queue; empty where unknown.
    pub queue_id: Vec<u8>,
    /// What `with` says in a Received field (RFC 3848): `SMTP`, `ESMTP`, `ESMTPS`, ….
    pub protocol: Vec<u8>,
    /// Version and cipher of TLS.
    pub tls: Option<Tls>,
    /// The envelope sender without `<>`; empty is the null sender.
    pub sender: Vec<u8>,
    /// The recipients that were taken, without `<>`.
    pub recipients: Vec<Vec<u8>>,
    /// Recipients beyond [`RECIPIENTS_MAX`].
    pub recipients_more: u32,
    /// The header fields in order, up to [`FIELDS_LEN_MAX`] together.
    pub fields: Vec<Field>,
    /// No field was left out.
    pub fields_whole: bool,
    /// The body with CRLF line ends, as far as it is held.
    pub body: Vec<u8>,
    /// How long the body is, held or not.
    pub body_len: u64,
    /// SHA-256 of all of the body; `None` where it was not read to its end.
    pub body_hash: Option<[u8; 32]>,
}

/// How a connection is encrypted, as the MTA names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tls {
    /// Such as `TLSv1.3`.
    pub version: Vec<u8>,
    /// Such as `TLS_AES_256_GCM_SHA384`.
    pub cipher: Vec<u8>,
}

/// One header field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Field {
    /// Its name, as written.
    pub name: Vec<u8>,
    /// Everything behind the colon but the last line end: leading space and folding as
    /// written, line ends CRLF.
    pub value: Vec<u8>,
}

impl Field {
    /// Whether this is the field `name`, in any case (RFC 5322 §1.2.2).
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

impl Letter {
    /// The fields called `name`, topmost first.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |field| field.is(name)).map(|field| field.value.as_slice())
    }

    /// The topmost field called `name`.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().find(|field| field.is(name)).map(|field| field.value.as_slice())
    }

    /// Whether the body is held to its end.
    pub fn is_whole(&self) -> bool {
        self.body_len == self.body.len() as u64
    }

    /// Octets of header section and body together.
    pub fn size(&self) -> u64 {
        let fields: usize = self.fields.iter().map(|f| f.name.len() + f.value.len() + 3).sum();
        self.body_len + 2 + fields as u64
    }

    /// The message as it came: header fields, an empty line, the body as far as it is held.
    pub fn raw(&self) -> Vec<u8> {
        let mut raw = Vec::with_capacity(self.body.len() + FIELDS_LEN_MAX.min(4096));
        for field in &self.fields {
            raw.extend_from_slice(&field.name);
            raw.push(b':');
            raw.extend_from_slice(&field.value);
            raw.extend_from_slice(b"\r\n");
        }
        raw.extend_from_slice(b"\r\n");
        raw.extend_from_slice(&self.body);
        raw
    }

    /// The Received field that our MTA puts on top (RFC 5321 §4.4), in Postfix's words and
    /// without `for`: name and value as [`Field`] holds them.
    pub fn received(&self) -> Field {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let helo = self.client.helo.as_ref().map_or_else(|| "unknown".into(), |h| text(h.as_bytes()));
        let rdns = match &self.client.rdns {
            Rdns::Confirmed(name) => text(name.as_bytes()),
            _ => "unknown".into(),
        };
        let v6 = if self.client.addr.is_ipv6() { "IPv6:" } else { "" };
        let mut value = format!(" from {helo} ({rdns} [{v6}{}])", self.client.addr);
        if let Some(tls) = &self.tls {
            let (version, cipher) = (text(&tls.version), text(&tls.cipher));
            let _ = write!(value, "\r\n\t(using {version} with cipher {cipher})");
        }
        let protocol = if self.protocol.is_empty() { "SMTP".into() } else { text(&self.protocol) };
        let (mx, id) = (text(self.mx.as_bytes()), text(&self.queue_id));
        let _ = write!(value, "\r\n\tby {mx} with {protocol} id {id};\r\n\t{}", rfc5322(self.at));
        Field { name: b"Received".to_vec(), value: value.into_bytes() }
    }
}

/// `Sat, 21 Nov 2026 21:39:34 +0000` (RFC 5322 §3.3).
pub fn rfc5322(at: Millis) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let secs = at.0 / 1000;
    let (days, of_day) = (secs / 86_400, secs % 86_400);
    let (year, month, day) = civil(days);
    let weekday = DAYS[(days % 7) as usize];
    let name = MONTHS[(month - 1) as usize];
    let (h, m, s) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{weekday}, {day:02} {name} {year} {h:02}:{m:02}:{s:02} +0000")
}

/// Year, month 1–12 and day 1–31 of a day since 1970-01-01, in the Gregorian calendar.
///
/// Counted in eras of 400 years that begin on the 1st of March, so that the leap day is a
/// year's last.
fn civil(days: u64) -> (u64, u64, u64) {
    let since_era_0 = days + 719_468;
    let (era, of_era) = (since_era_0 / 146_097, since_era_0 % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_after_rfc_5322() {
        for (secs, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (1_795_297_174, "Sat, 21 Nov 2026 21:39:34 +0000"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 +0000"),
        ] {
            assert_eq!(rfc5322(Millis::from_secs(secs)), text);
        }
    }

    #[test]
    fn our_received_field_names_what_the_connection_showed() {
        let client = Client {
            addr: "2001:db8::25".parse().unwrap(),
            port: 41822,
            helo: Some(Name::new(b"mail.example.org\r\nX: y")),
            rdns: Rdns::Missing,
            authenticated: false,
        };
        let letter = Letter {
            began: Millis(0),
            at: Millis::from_secs(1_795_297_174),
            session: 1,
            client,
            through: None,
            mx: Name::new(b"mx.example.net"),
            queue_id: b"4T9K".to_vec(),
            protocol: b"ESMTPS".to_vec(),
            tls: Some(Tls { version: b"TLSv1.3".to_vec(), cipher: b"TLS_AES_256_GCM_SHA384".to_vec() }),
            sender: Vec::new(),
            recipients: Vec::new(),
            recipients_more: 0,
            fields: vec![Field { name: b"Subject".to_vec(), value: b" hello".to_vec() }],
            fields_whole: true,
            body: b"x\r\n".to_vec(),
            body_len: 3,
            body_hash: None,
        };
        assert_eq!(
            String::from_utf8(letter.received().value).unwrap(),
            " from mail.example.org\\r\\nx: y (unknown [IPv6:2001:db8::25])\r\n\t(using TLSv1.3 with cipher \
             TLS_AES_256_GCM_SHA384)\r\n\tby mx.example.net with ESMTPS id 4T9K;\r\n\tSat, 21 Nov 2026 \
             21:39:34 +0000"
        );
        assert_eq!(letter.raw(), b"Subject: hello\r\n\r\nx\r\n");
        assert_eq!(letter.size(), letter.raw().len() as u64);
        assert_eq!((letter.first("SUBJECT"), letter.first("to")), (Some(&b" hello"[..]), None));
    }
}
