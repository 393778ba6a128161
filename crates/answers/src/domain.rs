//! What holds against the domain of an envelope sender.
//!
//! A person may block a domain, wherever it sends from; it holds on the domain and on all
//! below it. The null sender has no domain, and bounces pass. While no domain is blocked, no
//! sender is looked at; else it takes a look for each label, and allocates nothing until one
//! is found.
//!
//! A sender in Unicode (RFC 6531) is not turned into A-labels here: a key is ASCII, and
//! domains of such senders are found by those that send them as A-labels.

use model::{Millis, Mode};
use projections::{Threat, View};

use crate::session::Session;

/// Octets of the longest domain name in text (RFC 1035 §2.3.4).
const DOMAIN_LEN_MAX: usize = 253;

/// The domain of a sender, in lower case.
pub(crate) struct SenderDomain {
    bytes: [u8; DOMAIN_LEN_MAX],
    len: usize,
}

impl SenderDomain {
    /// Of an envelope sender as it came; `None` where there is none that could be blocked.
    pub(crate) fn of(sender: &[u8]) -> Option<SenderDomain> {
        let at = sender.iter().rposition(|byte| *byte == b'@')?;
        let name = sender[at + 1..].strip_suffix(b".").unwrap_or(&sender[at + 1..]);
        let mut domain = SenderDomain { bytes: [0; DOMAIN_LEN_MAX], len: name.len() };
        domain.bytes.get_mut(..name.len())?.copy_from_slice(name);
        domain.bytes.make_ascii_lowercase();
        name.is_ascii().then_some(domain)
    }

    pub(crate) fn as_str(&self) -> &str {
        // Only ASCII is taken.
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

/// Whether the sender's domain may be blocked in either mode: what everybody is asked.
#[inline]
pub(crate) fn is_marked(view: &View, sender: Option<&[u8]>, now: Millis) -> bool {
    view.listed.has_domains() && looks_marked(view, sender, now)
}

#[cold]
fn looks_marked(view: &View, sender: Option<&[u8]>, now: Millis) -> bool {
    let domain = sender.and_then(SenderDomain::of);
    domain.is_some_and(|domain| view.listed.marks_domain(domain.as_str(), now.minute()))
}

/// The hardest case against the sender's domain, or one above it, that took effect before the
/// session began.
pub(crate) fn against(session: &Session<'_>, view: &View, mode: Mode, now: Millis) -> Option<Threat> {
    if !view.listed.has_domains() {
        return None;
    }
    let domain = SenderDomain::of(session.sender?)?;
    let threats = view.domains_around(domain.as_str()).into_iter().filter_map(|key| {
        let known = view.cases.key(&key)?;
        let cases = known.cases.iter().filter_map(|id| Some((*id, &view.case(*id)?.case)));
        let earlier = cases.filter(|(_, case)| case.opened.as_ref().is_some_and(|o| o.from < session.began));
        Some(Threat { force: model::case::force(earlier, mode, now, known.lifted_up_to)?, key })
    });
    threats.max_by_key(|threat| threat.force)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::check;
    use crate::testing::{self, Block, NOW};
    use crate::texts::is_reply;
    use crate::{Tell, answer};
    use model::Secs;

    fn session(sender: &'static str) -> Session<'static> {
        let addr = "192.0.2.26".parse().unwrap();
        let (sender, recipient) = (Some(sender.as_bytes()), Some(&b"user@example.org"[..]));
        Session { sender, recipient, ..Session::new(addr, NOW) }
    }

    /// An operator's entry, an hour old.
    fn entry(key: &'static str) -> Block {
        Block::of(key).with(|opened| opened.reason = 1)
    }

    #[test]
    fn mail_of_a_blocked_domain_and_of_names_below_it_is_refused() {
        let view = testing::view(&[entry("spam.example")]);
        for (sender, expect) in [
            ("x@spam.example", "550 blocked n1-1"),
            ("X@Spam.EXAMPLE.", "550 blocked n1-1"),
            ("\"a@b\"@news.spam.example", "550 blocked n1-1"),
            ("x@workspam.example", "pass passed"),
            ("x@example", "pass passed"),
            ("x@", "pass passed"),
            ("spam.example", "pass passed"),
            ("x@\u{fc}.spam.example", "pass passed"),
            // Bounces pass: nobody blocks the null sender.
            ("", "pass passed"),
        ] {
            check(&session(sender), &view, expect);
        }
        let long: &'static str = format!("x@{}.spam.example", "a.".repeat(200)).leak();
        check(&session(long), &view, "pass passed");
        check(&Session { sender: None, ..session("") }, &view, "pass passed");
    }

    #[test]
    fn the_order_of_decisions_is_that_of_other_cases() {
        let view = testing::view(&[entry("spam.example")]);
        let of = || session("x@spam.example");
        check(&Session { recipient: Some(b"postmaster@example.org"), ..of() }, &view, "pass exempt");
        check(&Session { authenticated: true, ..of() }, &view, "pass passed");
        check(&Session { ours: true, ..of() }, &view, "pass passed");
        check(&Session { addr: "198.51.100.7".parse().unwrap(), ..of() }, &view, "pass passed");
        let earlier = NOW.minus(Secs::HOUR).minus(Secs(1));
        check(&Session { began: earlier, ..of() }, &view, "pass passed");
        check(&of(), &testing::learning(&[entry("spam.example")]), "pass would n1-1");
    }

    #[test]
    fn a_shadow_case_is_told_and_one_that_is_over_or_lifted_is_not() {
        check(
            &session("x@spam.example"),
            &testing::view(&[Block { mode: Mode::Shadow, ..entry("spam.example") }]),
            "pass would n1-1",
        );
        let over = entry("spam.example").with(|opened| opened.until = NOW);
        check(&session("x@spam.example"), &testing::view(&[over]), "pass passed");
        let lifted = Some(model::case::Lifted { at: NOW.minus(Secs(1)), error: false });
        let lifted = Block { lifted, ..entry("spam.example") };
        check(&session("x@spam.example"), &testing::view(&[lifted]), "pass passed");
    }

    #[test]
    fn a_refusal_for_a_domain_comes_before_a_deferral_of_its_client() {
        let greytrapped = Block::of("192.0.2.26").with(|opened| opened.reason = 31);
        let view = testing::view(&[greytrapped, entry("spam.example")]);
        check(&session("x@spam.example"), &view, "550 blocked n1-2");
        check(&session("x@other.example"), &view, "450 blocked n1-1");
    }

    #[test]
    fn the_reply_says_that_it_is_the_domain_and_has_the_case_s_link() {
        let view = testing::view(&[entry("spam.example")]);
        let Tell::Refuse(reply) = answer(&session("x@spam.example"), &view, NOW).tell else { panic!() };
        let short = reply.get().short();
        let expect =
            "550 5.7.1 Mail of this sender's domain is blocked here. Contact: https://mw.example.org/c/n1-1/";
        assert!(short.starts_with(expect), "{short}");
        assert!(is_reply(short) && is_reply(reply.get().long()));
        assert!(!short.contains("spam.example"), "nothing of the peer's is in a reply (TXT-R)");
    }
}
