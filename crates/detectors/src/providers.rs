//! Mailbox providers and mail services by the suffix of their confirmed names.
//!
//! Their addresses carry everybody's mail; blocking one would hurt strangers, so no
//! automatic path makes them a key (DESIGN §8, ‘shared’). Published ranges come with the
//! operator's catalogue; this is what a name alone tells. Compiled by hand from the
//! providers' own documentation of their sending hosts.

use model::Name;

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
    "ovh.net",
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

/// Names under a provider's suffix that are an access line or a rented server, not its mail.
const NOT_THEIRS: &[&str] = &[
    "hsd1.",
    "client.",
    "vps.",
    "dyn.",
    "dsl.",
    "cable.",
    "res.",
    "bc.googleusercontent.com",
    "ip.secureserver.net",
    "vps.ovh.net",
];

/// Whether a confirmed name belongs to a shared sender; `own` are the operator's further suffixes.
pub fn is_shared(name: &Name, own: &[Name]) -> bool {
    let name = name.as_bytes();
    let listed = SUFFIXES.iter().any(|s| under(name, s.as_bytes()));
    (listed && !is_access_line(name)) || own.iter().any(|s| under(name, s.as_bytes()))
}

fn is_access_line(name: &[u8]) -> bool {
    let has = |part: &&str| name.windows(part.len()).any(|w| w == part.as_bytes());
    let digits = name.iter().take_while(|b| **b != b'.').filter(|b| b.is_ascii_digit()).count();
    NOT_THEIRS.iter().any(has) || (digits >= 8 && !has(&"smtp") && !has(&"mail") && !has(&"out"))
}

fn under(name: &[u8], suffix: &[u8]) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with(b"."))
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

    #[test]
    fn a_providers_access_lines_are_not_shared_senders() {
        check("c-203-0-113-7.hsd1.wa.comcast.net", false);
        check("203-0-113-7.client.bigpond.com", false);
        check("resqmta-po-01v.sys.comcast.net", true);
    }
}
