//! What a filter tells smtpd.

use super::fields::Query;
use crate::policy::ReplyText;

/// What we want to be told. Names as in `smtpd-filters(7)`; smtpd ends itself over one that
/// it does not know, so all of them are older than version 0.5.
const REPORTS: [&str; 11] = [
    "link-connect",
    "link-disconnect",
    "link-identify",
    "link-tls",
    "link-auth",
    "tx-reset",
    "tx-begin",
    "tx-mail",
    "tx-rcpt",
    "tx-commit",
    "tx-rollback",
];

/// Appends what a filter says first, once smtpd is [ready](super::Event::Ready).
pub fn register(out: &mut Vec<u8>) {
    for report in REPORTS {
        line(&["register|report|smtp-in|", report], out);
    }
    line(&["register|filter|smtp-in|rcpt-to"], out);
    line(&["register|ready"], out);
}

/// What becomes of a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict<'a> {
    /// smtpd goes on as without us.
    Proceed,
    /// It is refused with this reply.
    Refuse(ReplyText<'a>),
}

impl<'a> Verdict<'a> {
    /// What a policy server's answer means. Only a refusal in our own form is one: anything
    /// else lets mail flow.
    pub fn of_policy(answer: &'a [u8]) -> Verdict<'a> {
        let action =
            answer.strip_prefix(b"action=").and_then(|rest| rest.split(|byte| *byte == b'\n').next());
        let text = action.and_then(|action| std::str::from_utf8(action).ok());
        match text.map(ReplyText::new) {
            Some(Ok(reply)) => Verdict::Refuse(reply),
            _ => Verdict::Proceed,
        }
    }
}

/// Appends the answer to a query.
pub fn tell(query: &Query, verdict: &Verdict<'_>, out: &mut Vec<u8>) {
    let (first, second) = query.numbers();
    let numbers = format!("filter-result|{first:016x}|{second:016x}|");
    match verdict {
        Verdict::Proceed => line(&[&numbers, "proceed"], out),
        Verdict::Refuse(reply) => line(&[&numbers, "reject|", reply.as_str()], out),
    }
}

/// Appends ‘go on as without us’.
pub fn proceed(query: &Query, out: &mut Vec<u8>) {
    tell(query, &Verdict::Proceed, out);
}

fn line(parts: &[&str], out: &mut Vec<u8>) {
    parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opensmtpd::{Event, parse};

    #[track_caller]
    fn check(version: &str, answer: &str, expect: &str) {
        let line = format!("filter|{version}|1.000000|smtp-in|rcpt-to|00ab|7|bob@example.org");
        let Ok(Event::AskRcpt { query, .. }) = parse(line.as_bytes()) else { panic!("{line}") };
        let mut out = Vec::new();
        tell(&query, &Verdict::of_policy(answer.as_bytes()), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{expect}\n"));
    }

    #[test]
    fn refusals_are_passed_on_word_for_word() {
        check(
            "0.7",
            "action=550 5.7.1 [192.0.2.25] is blocked: https://mailward.example.org/c/n1-7/4T9K\n\n",
            "filter-result|00000000000000ab|0000000000000007|reject|550 5.7.1 [192.0.2.25] is blocked: \
             https://mailward.example.org/c/n1-7/4T9K",
        );
        check(
            "0.5",
            "action=451 4.7.1 later\n\n",
            "filter-result|00000000000000ab|0000000000000007|reject|451 4.7.1 later",
        );
    }

    #[test]
    fn before_0_5_the_token_came_first() {
        check("0.4", "action=DUNNO\n\n", "filter-result|0000000000000007|00000000000000ab|proceed");
    }

    #[test]
    fn anything_else_lets_mail_flow() {
        for answer in [
            "",
            "action=DUNNO\n\n",
            "action=REJECT\n\n",
            "action=550\n\n",
            "action=250 2.0.0 x\n\n",
            "550 5.7.1 x\n\n",
            "action=550 5.7.1 a\tb\n\n",
        ] {
            check("0.6", answer, "filter-result|00000000000000ab|0000000000000007|proceed");
        }
    }

    #[test]
    fn a_reply_ends_with_its_line() {
        check(
            "0.7",
            "action=550 5.7.1 x\nfilter-result|1|2|proceed\n\n",
            "filter-result|00000000000000ab|0000000000000007|reject|550 5.7.1 x",
        );
    }

    #[test]
    fn registration_ends_with_ready() {
        let mut out = Vec::new();
        register(&mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("register|report|smtp-in|link-connect\n"), "{text}");
        assert!(text.ends_with("register|filter|smtp-in|rcpt-to\nregister|ready\n"), "{text}");
    }
}
