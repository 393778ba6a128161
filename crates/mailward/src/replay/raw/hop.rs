//! The hop over the border: which Received field tells of the stranger's connection.
//!
//! Fields are read from the top. Those that our own hosts wrote about each other are
//! stepped over; the first that names a foreign client is the border's. What stands below
//! was written by strangers and is never read.

use std::net::IpAddr;

use model::key::fold;
use model::letter::Field;
use model::{Client, Millis, Name, Prefix, Rdns};
use wire::received::Received;

/// Fields that are looked at: a message that was passed on more often at home is a loop.
const HOPS_MAX: usize = 20;

/// Who we are, as far as the border can be told by it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Border {
    /// Our networks and relays: clients that are not strangers.
    pub(crate) ours: Vec<Prefix>,
    /// Our names; empty where nobody said, then whoever stands on top is ours.
    pub(crate) names: Vec<Name>,
}

/// The stranger's connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Hop {
    /// When the border took the message.
    pub(crate) at: Millis,
    /// The stranger.
    pub(crate) client: Client,
    /// The border host.
    pub(crate) mx: String,
    /// The message's name in its queue.
    pub(crate) queue_id: String,
    /// `SMTP`, `ESMTP`, ….
    pub(crate) protocol: String,
    /// One recipient, from `for` or from final delivery.
    pub(crate) recipient: Option<String>,
    /// How many fields, from the top, stand above what the stranger sent.
    pub(crate) below: usize,
}

impl Border {
    /// Finds it; `None` if no field names a stranger, or its time.
    pub(crate) fn hop(&self, fields: &[Field]) -> Option<Hop> {
        let received = fields.iter().enumerate().filter(|(_, field)| field.is("Received"));
        let mut handed_on_at_home = false;
        for (place, field) in received.take(HOPS_MAX) {
            let read = Received::parse(&field.value);
            let Some(by) = read.by.as_deref() else { continue };
            if !handed_on_at_home && !self.is_home(by) {
                return None;
            }
            let stranger =
                read.ip.filter(|ip| self.is_stranger(fold(*ip)) && !is_pulled(&read, &field.value));
            if let Some(addr) = stranger {
                return self.over(&read, fold(addr), by, fields, place);
            }
            // The field below was written by the machine of ours that this one names.
            handed_on_at_home = true;
        }
        None
    }

    fn over(
        &self,
        read: &Received<'_>,
        addr: IpAddr,
        by: &str,
        fields: &[Field],
        place: usize,
    ) -> Option<Hop> {
        let value = &fields[place].value;
        let greeting = read.helo.as_deref().or(read.from.as_deref());
        Some(Hop {
            at: Millis::from_secs(read.date_secs?),
            client: Client {
                addr,
                port: 0,
                helo: greeting.map(|h| Name::new(h.as_bytes())),
                rdns: rdns(read, value),
                authenticated: false,
            },
            mx: by.to_owned(),
            queue_id: read.id.as_deref().unwrap_or_default().to_owned(),
            protocol: read.with.unwrap_or("SMTP").to_owned(),
            recipient: recipient(fields, place),
            below: place + 1,
        })
    }

    /// Whether a field was written at home: by one of our names, or, where nobody told them,
    /// by whoever stands on top.
    fn is_home(&self, by: &str) -> bool {
        let by = by.to_ascii_lowercase();
        let below = |name: &Name| {
            let rest = by.as_bytes().strip_suffix(name.as_bytes());
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with(b"."))
        };
        self.names.is_empty() || by == "localhost" || self.names.iter().any(below)
    }

    fn is_stranger(&self, addr: IpAddr) -> bool {
        let host = Prefix::host(addr);
        !is_internal(addr) && !self.ours.iter().any(|net| net.covers(host))
    }
}

/// Loopback, private and link-local addresses never are the Internet's (RFC 6890).
fn is_internal(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_multicast()
        }
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
        }
    }
}

/// Whether a machine of ours fetched the message from a mailbox of ours.
fn is_pulled(read: &Received<'_>, value: &[u8]) -> bool {
    let by_program = value.windows(10).any(|w| w.eq_ignore_ascii_case(b"(fetchmail"));
    by_program || matches!(read.with, Some("IMAP" | "POP3"))
}

/// What the border saw in DNS. Sendmail writes ‘may be forged’ where name and address do not
/// confirm each other; a field that speaks of no name at all is no evidence of its absence.
fn rdns(read: &Received<'_>, value: &[u8]) -> Rdns {
    let forged = value.windows(13).any(|w| w.eq_ignore_ascii_case(b"may be forged"));
    match read.rdns.as_deref().map(str::trim) {
        Some(name) if name.eq_ignore_ascii_case("unknown") => Rdns::Missing,
        Some(name) if name.contains('.') && forged => Rdns::Mismatch(Name::new(name.as_bytes())),
        Some(name) if name.contains('.') => Rdns::Confirmed(Name::new(name.as_bytes())),
        _ if read.helo.is_none() && read.from.is_some() => Rdns::Missing,
        _ => Rdns::Unknown,
    }
}

/// The recipient: from the field's own `for` (RFC 5321 §4.4), else from final delivery.
fn recipient(fields: &[Field], place: usize) -> Option<String> {
    let text = String::from_utf8_lossy(&fields[place].value).into_owned();
    let after =
        text.split_once(" for ").or_else(|| text.split_once("\tfor ")).map(|(_, rest)| rest.trim_start());
    let word = after.and_then(|rest| rest.split([' ', ';', '\t', '\r']).next());
    let named = word.map(|w| w.trim_matches(['<', '>']).to_owned()).filter(|w| w.contains('@'));
    named.or_else(|| {
        let delivered = fields.iter().find(|f| f.is("Delivered-To") || f.is("X-Original-To"))?;
        Some(String::from_utf8_lossy(&delivered.value).trim().to_owned()).filter(|w| w.contains('@'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(values: &[&str]) -> Vec<Field> {
        let field = |v: &&str| Field { name: b"Received".to_vec(), value: format!(" {v}").into_bytes() };
        values.iter().map(field).collect()
    }

    #[track_caller]
    fn check(border: &Border, values: &[&str], expect: Option<(&str, &str, usize)>) {
        let hop = border.hop(&received(values));
        let got = hop.map(|h| (h.client.addr.to_string(), h.client.helo.map(|n| n.to_string()), h.below));
        let expect = expect.map(|(addr, helo, below)| (addr.to_owned(), Some(helo.to_owned()), below));
        assert_eq!(got, expect);
    }

    const BORDER: &str = "from mail.example.com (mail.example.com [203.0.113.9]) by mx.example.org (Postfix) with ESMTP \
                          id 4T9K for <a@example.org>; Sat, 21 Nov 2026 21:39:34 +0000";
    const INSIDE: &str = "from mx.example.org (mx.example.org [10.1.2.3]) by store.example.org (Postfix) with ESMTP id \
                          77; Sat, 21 Nov 2026 21:39:35 +0000";
    const FORGED: &str =
        "from bank.example.net ([192.0.2.1]) by mx.example.org; Sat, 21 Nov 2026 21:00:00 +0000";

    #[test]
    fn the_first_stranger_from_the_top_is_the_client() {
        let border = Border::default();
        let expect = Some(("203.0.113.9", "mail.example.com", 1));
        check(&border, &[BORDER], expect);
        check(&border, &[BORDER, FORGED], expect);
        check(&border, &[INSIDE, BORDER], Some(("203.0.113.9", "mail.example.com", 2)));
    }

    #[test]
    fn a_mailbox_that_was_fetched_is_ours() {
        let fetched = "from pop.example.org [203.0.113.110] by localhost with POP3 (fetchmail-5.9.0) for a@localhost \
                       (single-drop); Sat, 21 Nov 2026 21:50:00 +0000";
        check(&Border::default(), &[fetched, BORDER], Some(("203.0.113.9", "mail.example.com", 2)));
    }

    #[test]
    fn our_own_networks_are_stepped_over() {
        let ours = vec!["203.0.113.0/24".parse().unwrap()];
        let border = Border { ours, names: vec![Name::new(b"example.org")] };
        check(&border, &[BORDER, FORGED], Some(("192.0.2.1", "bank.example.net", 2)));
        check(&border, &[BORDER], None);
    }

    #[test]
    fn what_others_wrote_is_not_read() {
        let border = Border { ours: Vec::new(), names: vec![Name::new(b"example.net")] };
        check(&border, &[BORDER], None);
    }

    #[test]
    fn the_border_s_words_are_kept() {
        let hop = Border::default().hop(&received(&[BORDER])).unwrap();
        assert_eq!(
            (hop.mx.as_str(), hop.queue_id.as_str(), hop.protocol.as_str()),
            ("mx.example.org", "4T9K", "ESMTP")
        );
        assert_eq!(hop.recipient.as_deref(), Some("a@example.org"));
        assert_eq!(hop.at, Millis::from_secs(1_795_297_174));
    }

    #[test]
    fn reverse_dns_is_what_the_field_says_of_it() {
        let of = |value: &str| {
            let value = format!(" {value} by mx.example.org; Sat, 21 Nov 2026 21:39:34 +0000");
            rdns(&Received::parse(value.as_bytes()), value.as_bytes())
        };
        assert_eq!(of("from a (unknown [203.0.113.9])"), Rdns::Missing);
        assert_eq!(of("from a ([203.0.113.9])"), Rdns::Missing);
        assert_eq!(of("from a (b.example.net [203.0.113.9])"), Rdns::Confirmed(Name::new(b"b.example.net")));
        assert_eq!(
            of("from a (b.example.net [203.0.113.9] (may be forged))"),
            Rdns::Mismatch(Name::new(b"b.example.net"))
        );
    }
}
