//! Measures every reply with the worst values before the program serves (TXT-R1).
//!
//! The worst values are a full IPv6 address, the site's own portal and mailbox, and the
//! longest reference that the numbers allow. A site that passes can not make a reply that
//! Postfix would cut or a mail program break.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use model::event::{EventId, Node};
use model::reasons::REASONS;
use model::{CaseId, Millis, Site};

use crate::link::{LINK_LEN_MAX, REFERENCE_LEN_USUAL, SECRET_LEN, case_link};
use crate::texts::{
    AT_END, BY_COUNTRY, EARLY, FEWER, LONG_LEN_MAX, NO_SUCH_NAME, OF_DOMAIN, SHORT_LEN_MAX, SLOWER, Text,
    Values, WAIT, is_reply, of_reason,
};

/// 39 octets, the longest text of an address.
const LONGEST_ADDR: IpAddr =
    IpAddr::V6(Ipv6Addr::new(0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666, 0x7777, 0x8888));
/// 33 octets, the longest reference.
const LONGEST_CASE: CaseId = CaseId(EventId { node: Node(u16::MAX), life: u16::MAX, seq: u64::MAX });

/// A text of this site that may not leave. The operator's doing: the portal's name or the
/// contact is too long, or no plain text.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum OverBudget {
    /// Case links are too long to survive the quoting of a bounce.
    Link {
        /// Their octets, with a reference of [`REFERENCE_LEN_USUAL`].
        len: usize,
    },
    /// A reply is too long in its shortest form.
    Text {
        /// Which text: a reason's word, or one such as `list-host`.
        id: &'static str,
        /// Its octets.
        len: usize,
        /// How many it may have: [`SHORT_LEN_MAX`] or [`LONG_LEN_MAX`].
        max: usize,
    },
    /// A reply does not have the form of one.
    Form {
        /// Which text.
        id: &'static str,
        /// The line, made printable.
        got: String,
    },
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OverBudget::Link { len } => write!(
                f,
                "expected case links of at most {LINK_LEN_MAX} octets, but got {len}; shorten the portal's \
                 name by {}",
                len.saturating_sub(LINK_LEN_MAX)
            ),
            OverBudget::Text { id, len, max } => {
                write!(f, "expected a reply {id:?} of at most {max} octets, but got {len}")
            }
            OverBudget::Form { id, got } => write!(
                f,
                "expected a reply {id:?} of printable ASCII with exactly one https link, but got {got:?}"
            ),
        }
    }
}

impl std::error::Error for OverBudget {}

/// Measures all texts of a site; all that is wrong comes back, links first.
///
/// A site without a portal refuses nobody, so nothing is measured.
pub fn lint(site: &Site) -> Result<(), Vec<OverBudget>> {
    if site.portal.is_empty() {
        return Ok(());
    }
    let link = site.portal.len() + "/c/".len() + REFERENCE_LEN_USUAL + "/".len() + SECRET_LEN;
    let mut wrong = Vec::new();
    if link > LINK_LEN_MAX {
        wrong.push(OverBudget::Link { len: link });
    }
    for row in REASONS {
        let (short, long) = of_reason(row);
        wrong.extend(faults(site, &Text { id: row.id, short: &short, long: &long }));
    }
    let more = [WAIT, SLOWER, FEWER, BY_COUNTRY, EARLY, NO_SUCH_NAME, OF_DOMAIN];
    wrong.extend(more.iter().chain(&AT_END).flat_map(|text| faults(site, text)));
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn faults(site: &Site, text: &Text<'_>) -> Vec<OverBudget> {
    let url = case_link(site, LONGEST_CASE);
    let values =
        Values { until: Millis(u64::MAX), ..Values::new(site, LONGEST_ADDR, &url, Some(LONGEST_CASE)) };
    let mut wrong = over(text.id, &text.short_forms(&values), SHORT_LEN_MAX);
    if wrong.is_empty() {
        wrong = over(text.id, &text.long_forms(&values), LONG_LEN_MAX);
    }
    wrong
}

/// What is wrong with the forms of one text: those that are no replies, and the shortest
/// one's length.
fn over(id: &'static str, forms: &[String], max: usize) -> Vec<OverBudget> {
    let formless = forms.iter().filter(|line| !is_reply(line));
    let form = formless.map(|l| OverBudget::Form { id, got: l.escape_default().to_string() });
    let shortest = forms.iter().map(String::len).min().filter(|len| *len > max);
    form.chain(shortest.map(|len| OverBudget::Text { id, len, max })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[track_caller]
    fn check(portal: &str, contact: &str, expect: &[&str]) {
        let site = Site { portal: portal.into(), contact: contact.into(), ..testing::site() };
        let got = lint(&site).map_or_else(|e| e.iter().map(ToString::to_string).collect(), |()| Vec::new());
        assert_eq!(got, expect);
    }

    #[test]
    fn the_worst_values_are_the_worst() {
        assert_eq!(LONGEST_ADDR.to_string().len(), 39);
        assert_eq!(LONGEST_CASE.to_string().len(), 33);
    }

    #[test]
    fn a_site_with_a_name_of_twenty_octets_passes() {
        check("https://mailward.example.org", "postmaster@example.org", &[]);
        check("http://127.0.0.1:12380", "postmaster@localhost", &[]);
        check("", "", &[]);
    }

    #[test]
    fn a_longer_name_makes_links_too_long() {
        check(
            "https://mailward2.example.org",
            "postmaster@example.org",
            &[
                "expected case links of at most 68 octets, but got 69; shorten the portal's name by 1",
                "expected a reply \"trap\" of at most 200 octets, but got 201",
            ],
        );
    }

    #[test]
    fn a_much_longer_name_makes_replies_too_long() {
        let portal = format!("https://{}.example.org", "m".repeat(60));
        let site = Site { portal, ..testing::site() };
        let wrong = lint(&site).unwrap_err();
        let texts = wrong.iter().filter(|w| matches!(w, OverBudget::Text { .. })).count();
        let fewest = REASONS.len() + 2;
        assert!(texts >= fewest, "every reason, the list host and the rate: {texts} of {fewest}");
    }

    #[test]
    fn a_site_s_words_can_not_break_the_form() {
        for (portal, contact) in [
            ("http://mw.example.org", "postmaster@example.org"),
            ("https://mw.example.org", "post%master@example.org"),
            ("https://mw.example.org", "p@\u{e9}.example"),
            ("https://mw.example.org", "a\r\nb@example.org"),
            ("https://mw.example.org", "https://b.example"),
        ] {
            let site = Site { portal: portal.into(), contact: contact.into(), ..testing::site() };
            let wrong = lint(&site).unwrap_err();
            assert!(wrong.iter().all(|w| matches!(w, OverBudget::Form { .. })), "{wrong:?}");
        }
    }
}
