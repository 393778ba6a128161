//! The reported message: who handed it to whom, and its headers to look at.

use std::net::IpAddr;

use super::claims::{domain, mailbox, text};
use super::entity::Entity;
use crate::fields::split_message;
use crate::received::Received;

/// The most octets that are kept of the headers of a reported message.
pub const HEADERS_LEN_MAX: usize = crate::fields::FIELDS_LEN_MAX;

/// The most Received fields that are read, from the top.
///
/// Our own stands among the first: above it is only what delivered the message inside the
/// house. RFC 5321 §6.3 takes a hundred for a loop.
pub const HOPS_MAX: usize = 32;

/// A reported message.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Original {
    /// Its Received fields from the top, at most [`HOPS_MAX`].
    pub hops: Vec<Hop>,
    /// Its Message-ID, as written.
    pub message_id: Option<Vec<u8>>,
    /// The domain in its From field, in lower case.
    pub from_domain: Option<Vec<u8>>,
    /// Its octets; `None` where only headers came.
    pub size: Option<u64>,
    /// Its header section as written, at most [`HEADERS_LEN_MAX`] octets.
    pub headers: Vec<u8>,
    /// It is a bounce, or another report on mail (RFC 6522).
    pub is_bounce: bool,
}

/// One Received field of a reported message.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Hop {
    /// The host that wrote it.
    pub by: Option<Vec<u8>>,
    /// The message's name in the queue of that host.
    pub id: Option<Vec<u8>>,
    /// Who handed the message to that host.
    pub from_ip: Option<IpAddr>,
    /// When, in seconds since 1970-01-01 UTC.
    pub at_secs: Option<u64>,
    /// No address of another machine stands in it: the host handed the message to itself.
    pub is_inner: bool,
}

/// One message in the queue of one of our MX hosts, as a report names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueueRef {
    /// The MX host, in lower case and as it was given to [`ours`].
    pub mx: Vec<u8>,
    /// The queue id; whether there ever was such a message is for our records to say.
    pub queue_id: Vec<u8>,
    /// Who handed it over, as the same field says: our records must agree.
    pub from_ip: Option<IpAddr>,
    /// When the MX host took it, in seconds since 1970-01-01 UTC; so must this.
    pub at_secs: Option<u64>,
}

/// Where in our own queues a reported message was, if it says so.
///
/// `mx_names` are the names that our MX hosts write behind `by`. The topmost field of
/// theirs counts and no other: what stands below is a stranger's word (REQUIREMENTS
/// ADV-2). Fields that were written when the machine handed the message to itself, as
/// content filters and list programs do, are passed over: the client stands in a field
/// below, and nobody else can write between them. What a client says in HELO can add an
/// address to the field that names him, and can not take his own away.
///
/// Whoever looks it up must find queue id, client and time in agreement; one of them alone
/// can be guessed, or read in a bounce.
pub fn ours(original: &Original, mx_names: &[impl AsRef<[u8]>]) -> Option<QueueRef> {
    let of_ours = |hop: &&Hop| hop.by.as_deref().is_some_and(|by| named(by, mx_names).is_some());
    let hop = original.hops.iter().filter(of_ours).find(|hop| !hop.is_inner)?;
    let mx = named(hop.by.as_deref()?, mx_names)?;
    Some(QueueRef {
        mx: mx.to_ascii_lowercase(),
        queue_id: hop.id.clone()?,
        from_ip: hop.from_ip,
        at_secs: hop.at_secs,
    })
}

fn named<'n>(by: &[u8], mx_names: &'n [impl AsRef<[u8]>]) -> Option<&'n [u8]> {
    let by = by.strip_suffix(b".").unwrap_or(by);
    mx_names.iter().map(AsRef::as_ref).find(|name| name.eq_ignore_ascii_case(by))
}

impl Original {
    /// Reads a message, or its headers alone.
    pub(super) fn read(raw: &[u8], whole: bool) -> Original {
        let raw = &raw[leading_lines(raw)..];
        let message = split_message(raw);
        let fields = message.fields;
        Original {
            hops: fields.all("Received").take(HOPS_MAX).map(Hop::read).collect(),
            message_id: fields.first("Message-ID").and_then(text),
            from_domain: mailbox(fields, "From").as_deref().and_then(domain),
            size: whole.then_some(raw.len() as u64),
            headers: fields.as_bytes().to_vec(),
            is_bounce: is_bounce(&Entity::read(raw)),
        }
    }
}

impl Hop {
    fn read(value: &[u8]) -> Hop {
        let read = Received::parse(value);
        Hop {
            by: read.by.and_then(|by| text(by.as_bytes())),
            id: read.id.and_then(|id| text(id.as_bytes())),
            from_ip: read.ip,
            at_secs: read.date_secs,
            is_inner: !addresses(value).any(|ip| !ip.to_canonical().is_loopback()),
        }
    }
}

/// All addresses that stand in a value, wherever: the parser knows only the one that it
/// takes for the client's.
fn addresses(value: &[u8]) -> impl Iterator<Item = IpAddr> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':');
    value.split(move |byte| !is_part(byte)).filter_map(|word| {
        let word = str::from_utf8(word).ok()?;
        let word = word.strip_prefix("IPv6:").unwrap_or(word);
        // A port may follow, as in `192.0.2.25:41822`.
        word.parse().ok().or_else(|| word.rsplit_once(':')?.0.parse().ok())
    })
}

/// Whether a message is one of the reports of RFC 6522 that are made of mail that went
/// wrong: delivery status (RFC 3464) or disposition (RFC 8098).
pub(super) fn is_bounce(message: &Entity<'_>) -> bool {
    let word = message.parameter("report-type").unwrap_or_default();
    let of_bounces = ["delivery-status", "disposition-notification"];
    message.is("multipart", "report") && of_bounces.iter().any(|kind| word.eq_ignore_ascii_case(kind))
}

/// Empty lines in front, which some programs put before an attached message.
fn leading_lines(raw: &[u8]) -> usize {
    raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, expect: Option<&str>) {
        let names = ["mx1.example.org", "MX2.example.org"];
        let found = ours(&Original::read(raw.as_bytes(), true), &names);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let from = |ip: Option<IpAddr>| ip.map_or("-".into(), |ip| ip.to_string());
        let got = found.map(|f| format!("{} {} {}", text(&f.mx), text(&f.queue_id), from(f.from_ip)));
        assert_eq!(got.as_deref(), expect);
    }

    #[test]
    fn our_topmost_field_counts() {
        check(
            "Received: from mx1.example.org by imap.example.org with LMTP id 9\r\nReceived: from x (x \
             [192.0.2.25])\r\n\tby mx2.example.org. (Postfix) with ESMTPS id 4T9K; Sat, 21 Nov 2026 21:39:34 \
             +0000\r\nReceived: from y ([198.51.100.7]) by MX1.example.org with SMTP id FORGED\r\n\r\n",
            Some("mx2.example.org 4T9K 192.0.2.25"),
        );
    }

    #[test]
    fn what_a_content_filter_handed_back_is_passed_over() {
        check(
            "Received: from localhost (localhost [127.0.0.1]) by mx1.example.org (Postfix) with ESMTP id \
             INNER\nReceived: from mx1.example.org ([127.0.0.1]) by localhost (amavisd-new)\nReceived: from x \
             (x [192.0.2.25]) by mx1.example.org (Postfix) with ESMTP id OUTER\nReceived: from z \
             ([198.51.100.7]) by mx1.example.org with ESMTP id FORGED\n\n",
            Some("mx1.example.org OUTER 192.0.2.25"),
        );
    }

    #[test]
    fn what_a_program_of_ours_handed_in_is_passed_over() {
        check(
            "Received: by mx1.example.org (Postfix, from userid 38) id C\nReceived: (from list@localhost) by \
             mx1.example.org (8.18.1/8.18.1/Submit) id B\nReceived: from x (x [IPv6:2001:db8::25]) by \
             mx1.example.org with ESMTP id A\n\n",
            Some("mx1.example.org A 2001:db8::25"),
        );
    }

    #[test]
    fn a_client_can_not_pass_for_ourselves() {
        let below = "Received: from x ([198.51.100.7]) by mx1.example.org with ESMTP id FORGED\n\n";
        for helo in
            ["[127.0.0.1]", "127.0.0.1", "localhost", "[IPv6:::1]", "a[127.0.0.1][", "::ffff:127.0.0.1"]
        {
            let top = format!(
                "Received: from {helo} (unknown [192.0.2.25]) by mx1.example.org (Postfix) with ESMTP id TRUE\n"
            );
            check(&format!("{top}{below}"), Some("mx1.example.org TRUE 192.0.2.25"));
        }
        let exim = "Received: from [192.0.2.25] (port=41822 helo=[127.0.0.1])\n\tby mx1.example.org with esmtp id TRUE\n";
        check(&format!("{exim}{below}"), Some("mx1.example.org TRUE 192.0.2.25"));
    }

    #[test]
    fn a_message_that_never_was_here_names_no_queue() {
        check("Received: from x ([192.0.2.25]) by mx1.example.net with ESMTP id A\n\n", None);
        check(
            "Received: from x ([192.0.2.25]) by mx1.example.org; Sat, 21 Nov 2026 21:39:34 +0000\n\n",
            None,
        );
        check("Subject: by mx1.example.org id A\n\n", None);
        check("", None);
    }

    #[test]
    fn a_field_far_down_is_not_read() {
        let above = "Received: by relay.example.net id B\n".repeat(HOPS_MAX);
        check(&format!("{above}Received: from x ([192.0.2.25]) by mx1.example.org id A\n\n"), None);
    }

    #[test]
    fn headers_and_size_are_the_messages_own() {
        let raw = b"\r\nFrom: \"A, B\" <Someone@Mail.Example.NET>\r\nMessage-ID: <1@example.net>\r\n\r\nbody";
        let original = Original::read(raw, true);
        assert_eq!(original.from_domain.as_deref(), Some(&b"mail.example.net"[..]));
        assert_eq!(original.message_id.as_deref(), Some(&b"<1@example.net>"[..]));
        assert_eq!((original.size, original.headers.len()), (Some(raw.len() as u64 - 2), raw.len() - 8));
        assert_eq!(Original::read(raw, false).size, None);
    }
}
