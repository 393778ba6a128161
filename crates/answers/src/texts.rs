//! SMTP replies: templates filled in, held to their budget (REQUIREMENTS E.1).
//!
//! The templates are rows of `model::reasons` and the few here that belong to no reason.
//! Nothing that a client chose enters a reply, only its address (TXT-R). What a reply may
//! say more is tried first, and dropped when the line grows too long (TXT-R2): first the
//! mailbox, then polite words, never code, address or link.

use std::net::IpAddr;

use model::reasons::{REASONS, Reason, by_id};
use model::{CaseId, Millis, Site};

use crate::link::{case_link, help_link};
use crate::public::{Public, Reply};
use crate::when::When;

/// The most octets of a reply, codes included.
///
/// Postfix puts the recipient and 29 octets of its own before a policy server's text, and
/// the whole line ends at 512 (RFC 5321 §4.5.3.1.5, REQUIREMENTS B.11).
pub const REPLY_LEN_MAX: usize = 200;

/// What stands behind a text that has room for it (S49: class, link and contact).
const MAILBOX: &str = " or write to {contact}";
/// For a list host that has less than a day to wait (TXT-20), and its shorter form.
pub(crate) const LIST_HOST: [&str; 2] = [
    "451 4.7.1 [{ip}] is blocked until {until}; mail will be accepted then. Details: {url}",
    "451 4.7.1 [{ip}] is blocked until {until}. Details: {url}",
];
/// For a blocked host that writes too often to the recipients that are open to it: 451,
/// never 550 (DESIGN §8, ‘Mail to Mailward’).
pub(crate) const TOO_OFTEN: &str =
    "451 4.7.1 [{ip}] sent too much here; try again in an hour. Details: {url}";
/// When no single fact may be named.
pub(crate) const NO_FACT: &str = "it looks like a home computer";

/// What stands in a template's places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a> {
    pub(crate) ip: IpAddr,
    pub(crate) url: &'a str,
    pub(crate) until: Millis,
    pub(crate) facts: &'a str,
    pub(crate) contact: &'a str,
}

/// The refusal because of a case.
pub(crate) fn blocked(site: &Site, reason: &Reason, ip: IpAddr, url: &str) -> Public<Reply> {
    let values = Values { ip, url, until: Millis(0), facts: NO_FACT, contact: &site.contact };
    first_fitting(&lines(&[reason.smtp], &values))
}

/// The deferral of a list host until the end of its block.
pub(crate) fn list_host(site: &Site, ip: IpAddr, until: Millis, url: &str) -> Public<Reply> {
    let values = Values { ip, url, until, facts: "", contact: &site.contact };
    first_fitting(&lines(&LIST_HOST, &values))
}

/// The deferral of a blocked host that wrote too often to an open recipient.
///
/// `case` is what stands against it; without one a help page explains.
pub fn too_often(site: &Site, ip: IpAddr, case: Option<CaseId>) -> Public<Reply> {
    let url = case.map_or_else(|| help_link(site, "connection"), |case| case_link(site, case));
    let values = Values { ip, url: &url, until: Millis(0), facts: "", contact: &site.contact };
    first_fitting(&lines(&[TOO_OFTEN], &values))
}

/// The refusal by the connection score, with its two heaviest facts if both fit.
pub(crate) fn connection(
    site: &Site,
    ip: IpAddr,
    heaviest: [Option<&'static str>; 2],
    url: &str,
) -> Public<Reply> {
    let both = heaviest.iter().flatten().copied().collect::<Vec<_>>().join(" and ");
    let facts = [both.as_str(), heaviest[0].unwrap_or(""), NO_FACT];
    let row = by_id("connection").unwrap_or(&REASONS[0]);
    let lines = facts.iter().filter(|f| !f.is_empty()).flat_map(|facts| {
        lines(&[row.smtp], &Values { ip, url, until: Millis(0), facts, contact: &site.contact })
    });
    first_fitting(&lines.collect::<Vec<_>>())
}

/// All forms of a text, the fullest first: with the mailbox, without it, in fewer words.
pub(crate) fn lines(templates: &[&str], values: &Values<'_>) -> Vec<String> {
    let plain = templates.iter().map(|t| fill(t, values));
    let with_mailbox = templates.first().filter(|_| !values.contact.is_empty());
    let fullest = with_mailbox.map(|t| fill(&format!("{t}{MAILBOX}"), values));
    fullest.into_iter().chain(plain).collect()
}

/// The first line that may be sent. [`crate::lint`] has made sure that one may; if it was
/// not asked, the shortest goes out, because a long reason is better than none.
fn first_fitting(lines: &[String]) -> Public<Reply> {
    let fits = |l: &&String| l.len() <= REPLY_LEN_MAX && is_reply(l);
    let line = lines.iter().find(fits).or(lines.last());
    Public::new(Reply::new(line.cloned().unwrap_or_default()))
}

/// Puts values into a template; a place that nobody knows stays as it is.
fn fill(template: &str, values: &Values<'_>) -> String {
    let mut line = String::with_capacity(REPLY_LEN_MAX);
    let mut rest = template;
    while let Some((text, place)) = rest.split_once('{') {
        let (name, after) = place.split_once('}').unwrap_or((place, ""));
        line += text;
        line += &value(name, values);
        rest = after;
    }
    line + rest
}

fn value(name: &str, values: &Values<'_>) -> String {
    match name {
        "ip" => values.ip.to_string(),
        "url" => values.url.to_owned(),
        "until" => When::minute_up(values.until).to_string(),
        "facts" => values.facts.to_owned(),
        "contact" => values.contact.to_owned(),
        unknown => format!("{{{unknown}}}"),
    }
}

/// Whether a line has the form of a reply (REQUIREMENTS, Annex 3): basic code, enhanced
/// code of the same class, printable ASCII, exactly one link, no percent sign (TXT-R4).
pub(crate) fn is_reply(line: &str) -> bool {
    let mut words = line.splitn(3, ' ');
    let (code, enhanced, text) = (words.next(), words.next(), words.next().unwrap_or(""));
    let class = code.filter(|c| is_code(c)).and_then(|c| c.bytes().next());
    let same_class = enhanced.filter(|e| is_enhanced(e)).and_then(|e| e.bytes().next()) == class;
    let printable = line.bytes().all(|b| (b' '..=b'~').contains(&b) && !matches!(b, b'%' | b'{' | b'}'));
    class.is_some() && same_class && !text.is_empty() && printable && links(line) == 1
}

fn is_code(code: &str) -> bool {
    let bytes = code.as_bytes();
    bytes.len() == 3 && matches!(bytes[0], b'2' | b'4' | b'5') && bytes.iter().all(u8::is_ascii_digit)
}

/// RFC 3463 §2: class `.` subject `.` detail.
fn is_enhanced(code: &str) -> bool {
    let parts: Vec<&str> = code.split('.').collect();
    let number = |p: &&str| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit());
    parts.len() == 3 && matches!(parts[0], "2" | "4" | "5") && parts.iter().all(number)
}

/// How many links a line holds; one that is neither https nor of this machine counts double.
fn links(line: &str) -> usize {
    let count = |scheme| line.matches(scheme).count();
    let plain = count("http://");
    count("https://") + plain + plain.saturating_sub(count("http://127.0.0.1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use model::reasons::by_number;

    const LINK: &str = "https://mw.example.org/c/n1-48211/30BHN7V51NGEQ8A3FRXG4D5Z1T";

    #[track_caller]
    fn check(reply: &Public<Reply>, expect: &str) {
        assert_eq!(reply.get().as_str(), expect);
        assert!(is_reply(expect) && expect.len() <= REPLY_LEN_MAX, "{} octets: {expect}", expect.len());
    }

    fn v4() -> IpAddr {
        "192.0.2.25".parse().unwrap()
    }

    /// 39 octets, the longest text of an address.
    fn v6() -> IpAddr {
        "2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap()
    }

    #[test]
    fn a_reply_names_class_link_and_contact() {
        check(
            &blocked(&testing::site(), by_number(2), v4(), LINK),
            "550 5.7.1 [192.0.2.25] blocked: spam received from it. Why and how to unblock: \
             https://mw.example.org/c/n1-48211/30BHN7V51NGEQ8A3FRXG4D5Z1T or write to postmaster@example.org",
        );
    }

    #[test]
    fn the_mailbox_goes_before_address_or_link() {
        check(
            &blocked(&testing::site(), by_number(2), v6(), LINK),
            "550 5.7.1 [2001:db8:1111:2222:3333:4444:5555:6666] blocked: spam received from it. \
             Why and how to unblock: https://mw.example.org/c/n1-48211/30BHN7V51NGEQ8A3FRXG4D5Z1T",
        );
    }

    #[test]
    fn a_list_host_hears_when_to_come_again() {
        let site = Site { contact: String::new(), ..testing::site() };
        check(
            &list_host(&site, v4(), testing::NOW, LINK),
            "451 4.7.1 [192.0.2.25] is blocked until 2026-11-21 22:41 UTC; mail will be accepted then. \
             Details: https://mw.example.org/c/n1-48211/30BHN7V51NGEQ8A3FRXG4D5Z1T",
        );
    }

    #[test]
    fn the_score_names_its_facts_while_they_fit() {
        let (site, help) = (testing::site(), "https://mw.example.org/h/connection");
        let both = [Some("the HELO name has no domain"), Some("the address has no reverse DNS name")];
        check(
            &connection(&site, v4(), both, help),
            "550 5.7.1 [192.0.2.25] refused: the HELO name has no domain and the address has no reverse DNS \
             name. How to repair: https://mw.example.org/h/connection or write to postmaster@example.org",
        );
        let long = [
            Some("the HELO name is an address without brackets"),
            Some("its reverse DNS name does not point back to the address of the client"),
        ];
        check(
            &connection(&site, v6(), long, help),
            "550 5.7.1 [2001:db8:1111:2222:3333:4444:5555:6666] refused: the HELO name is an address without \
             brackets. How to repair: https://mw.example.org/h/connection or write to postmaster@example.org",
        );
        check(
            &connection(&site, v4(), [None, None], help),
            "550 5.7.1 [192.0.2.25] refused: it looks like a home computer. \
             How to repair: https://mw.example.org/h/connection or write to postmaster@example.org",
        );
    }

    #[test]
    fn the_form_of_a_reply_is_that_of_the_annex() {
        for (line, fine) in [
            ("550 5.7.1 see https://a.example", true),
            ("421 4.7.28 see http://127.0.0.1:12380/h/rate", true),
            ("550 4.7.1 see https://a.example", false),
            ("350 3.7.1 see https://a.example", false),
            ("55 5.7.1 see https://a.example", false),
            ("550 5.7 see https://a.example", false),
            ("550 5.7.1000 see https://a.example", false),
            ("550 5.7.1 see http://a.example", false),
            ("550 5.7.1 see nothing", false),
            ("550 5.7.1 https://a.example https://b.example", false),
            ("550 5.7.1 100% https://a.example", false),
            ("550 5.7.1 {what} https://a.example", false),
            ("550 5.7.1 é https://a.example", false),
            ("550 5.7.1 a\r\n https://a.example", false),
            ("550 5.7.1 ", false),
            ("", false),
        ] {
            assert_eq!(is_reply(line), fine, "{line}");
        }
    }

    #[test]
    fn no_text_says_that_reputation_is_bad() {
        // S49: a bounce that says only this is what we must never write.
        for row in REASONS {
            let all = [row.smtp, row.because, row.remedy, row.counted].join(" ");
            assert!(!all.to_lowercase().contains("reputation"), "{}", row.id);
        }
    }
}
