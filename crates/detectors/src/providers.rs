//! Mailbox providers and mail services by the suffix of their confirmed names.
//!
//! Their addresses carry everybody's mail; blocking one would hurt strangers, so no
//! automatic path makes them a key (DESIGN §8, ‘shared’). Published ranges come with the
//! operator's catalogue; this is what a name alone tells. Compiled by hand from the
//! providers' own documentation of their sending hosts.

use std::net::IpAddr;

use model::Name;

use crate::dynamic::{is_access_token, octets_in, words};

/// When the list was last read through.
pub const REVIEWED: &str = "2026-11";

/// Suffixes of reverse DNS names, each beginning at a label.
const SUFFIXES: &[&str] = &[
    // mailbox providers
    "google.com",
    "googlemail.com",
    "1e100.net",
    "outlook.com",
    "hotmail.com",
    "yahoo.com",
    "yahoodns.net",
    "aol.com",
    "icloud.com",
    "apple.com",
    "mail.me.com",
    "gmx.net",
    "gmx.com",
    "web.de",
    "kundenserver.de",
    "t-online.de",
    "mail.ru",
    "yandex.net",
    "yandex.ru",
    "qq.com",
    "163.com",
    "126.com",
    "zoho.com",
    "zoho.eu",
    "protonmail.ch",
    "proton.me",
    "fastmail.com",
    "messagingengine.com",
    "mailbox.org",
    "posteo.de",
    "laposte.net",
    "orange.fr",
    "free.fr",
    "libero.it",
    "aruba.it",
    "seznam.cz",
    "wp.pl",
    "onet.pl",
    "o2.pl",
    "naver.com",
    "daum.net",
    "rediffmail.com",
    "uol.com.br",
    "terra.com.br",
    "tutanota.de",
    "comcast.net",
    "xfinity.com",
    "cox.net",
    "charter.net",
    "verizon.net",
    "att.net",
    "btinternet.com",
    "virginmedia.com",
    "sky.com",
    "bigpond.com",
    "optusnet.com.au",
    "telstra.com",
    // mail services that many customers share
    "amazonses.com",
    "sendgrid.net",
    "mailgun.net",
    "mailgun.org",
    "mandrillapp.com",
    "mcsv.net",
    "mcdlv.net",
    "rsgsv.net",
    "sparkpostmail.com",
    "postmarkapp.com",
    "mtasv.net",
    "sendinblue.com",
    "brevo.com",
    "mailjet.com",
    "mailchimp.com",
    "constantcontact.com",
    "exacttarget.com",
    "salesforce.com",
    "pphosted.com",
    "mimecast.com",
    "messagelabs.com",
    "barracudanetworks.com",
    "zendesk.com",
    "hubspotemail.net",
    "elasticemail.com",
    "smtp2go.com",
    "emailsrvr.com",
    "secureserver.net",
    "mail-out.ovh.net",
    "registrar-servers.com",
    "mxroute.com",
    "mailspamprotection.com",
    "antispamcloud.com",
    "zohomail.com",
    "cmail19.com",
    "cmail20.com",
    "createsend.com",
    "klaviyomail.com",
    "sailthru.com",
    "sp-mta.net",
];

/// Labels of a provider's access lines and rented servers.
const LINES: &[&[u8]] = &[b"hsd1", b"client", b"vps", b"res", b"ip"];
/// A host label with so many digits is counted through: a line, not a mail server.
const DIGITS: usize = 8;
/// So many octets of the client's address in its name make it a line; two may stand in the
/// name of a mail server that is one of hundreds.
const OCTETS: usize = 3;

/// Whether a confirmed name belongs to a shared sender; `own` are the operator's further suffixes.
///
/// Without the client's address some access lines are taken for mail servers.
pub fn is_shared(name: &Name, own: &[Name]) -> bool {
    is_listed(name, None, own)
}

/// Whether a client with this confirmed name is a shared sender.
pub fn is_shared_sender(name: &Name, client: IpAddr, own: &[Name]) -> bool {
    is_listed(name, Some(client), own)
}

fn is_listed(name: &Name, client: Option<IpAddr>, own: &[Name]) -> bool {
    let name = name.as_bytes();
    let host = SUFFIXES.iter().find_map(|suffix| host_under(name, suffix.as_bytes()));
    own.iter().any(|suffix| host_under(name, suffix.as_bytes()).is_some())
        || host.is_some_and(|host| is_mail_server(host) || !is_line(host, client))
}

/// Whether a word in the name says that it sends mail.
fn is_mail_server(host: &[u8]) -> bool {
    let has = |token: &[u8], part: &[u8]| token.windows(part.len()).any(|w| w == part);
    words(host).any(|token| {
        [&b"mail"[..], b"smtp", b"mta"].iter().any(|part| has(token, part))
            || token.starts_with(b"out")
            || token.ends_with(b"out")
            || token == b"mx"
    })
}

fn is_line(host: &[u8], client: Option<IpAddr>) -> bool {
    let labels = || host.split(|b| *b == b'.');
    let digits = labels().next().unwrap_or_default().iter().filter(|b| b.is_ascii_digit()).count();
    digits >= DIGITS
        || labels().any(|label| LINES.contains(&label))
        || words(host).any(is_access_token)
        || client.is_some_and(|client| octets_in(host, client) >= OCTETS)
}

/// What stands before a suffix that begins at a label.
fn host_under<'a>(name: &'a [u8], suffix: &[u8]) -> Option<&'a [u8]> {
    let rest = name.strip_suffix(suffix)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_suffix(b".") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expect: bool) {
        assert_eq!(
            is_shared(&Name::new(name.as_bytes()), &[Name::new(b"pool.example.org")]),
            expect,
            "{name}"
        );
    }

    #[test]
    fn a_suffix_begins_at_a_label() {
        check("mail-yb1-f171.google.com", true);
        check("mail-am6eur05on2089.outbound.protection.outlook.com", true);
        check("o1.ptr2625.sendgrid.net", true);
        check("notgoogle.com", false);
        check("mail.google.com.example", false);
        check("out3.pool.example.org", true);
    }

    #[track_caller]
    fn check_at(name: &str, client: &str, expect: bool) {
        let name = Name::new(name.as_bytes());
        assert_eq!(is_shared_sender(&name, client.parse().unwrap(), &[]), expect, "{name}");
    }

    #[test]
    fn a_providers_access_lines_are_not_shared_senders() {
        check("c-203-0-113-7.hsd1.wa.comcast.net", false);
        check("203-0-113-7.client.bigpond.com", false);
        check("pool-8-9-4-5.washdc.fios.verizon.net", false);
        check("resqmta-po-01v.sys.comcast.net", true);
        check("ns3012345.ovh.net", false);
        check("5.mo582.mail-out.ovh.net", true);
    }

    #[test]
    fn a_name_made_from_the_address_is_a_line_unless_it_says_mail() {
        check_at("ip98-51-100-7.ph.ph.cox.net", "98.51.100.7", false);
        check_at("wsip-98-51-100-7.ri.ri.cox.net", "98.51.100.7", false);
        check_at("static-98-51-100-7.south.verizon.net", "98.51.100.7", false);
        check_at("mta-98-51-100-7.sparkpostmail.com", "98.51.100.7", true);
        // Two octets are no line: one of hundreds of senders is called so.
        check_at("m100-7.mailgun.net", "98.51.100.7", true);
        check_at("a100-7.smtp-out.amazonses.com", "98.51.100.7", true);
        check_at("mail-yb1-f171.google.com", "192.0.2.171", true);
        check_at("sonic302-20.consmr.mail.ne1.yahoo.com", "192.0.2.20", true);
    }
}
