//! Why a stranger's server refused mail of ours, by what it replied (RFC 5321 §4.2, RFC 3463).
//!
//! Only two causes speak against a domain (OFF-24): the address does not exist, or it takes
//! no null sender. A reply that speaks of lists, policies or spam is about us, and so is one
//! that is not understood. Words are looked for in English, in which nearly all servers reply.

/// Why mail of ours was refused, or that it was not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// It was taken.
    Accepted,
    /// There is no such address.
    AddressUnknown,
    /// No mail with a null sender is taken.
    NullSender,
    /// Anything else, or later perhaps.
    Other,
}

/// The longest reply that is looked at, in octets (RFC 5321 §4.5.3.1.5: 512 a line).
pub const REPLY_LEN_MAX: usize = 2048;

/// Words that make a refusal one about us.
const ABOUT_US: [&str; 14] = [
    "listed",
    "blocked",
    "blocklist",
    "block list",
    "blacklist",
    "black list",
    "rbl",
    "dnsbl",
    "spam",
    "5.7.",
    "policy",
    "reputation",
    "banned",
    "abuse",
];
const NULL_SENDER: [&str; 9] = [
    "null sender",
    "null envelope",
    "null reverse",
    "empty sender",
    "empty envelope",
    "blank sender",
    "<> sender",
    "sender <>",
    "not accept bounces",
];
const UNKNOWN: [&str; 9] = [
    "5.1.1",
    "user unknown",
    "unknown user",
    "no such user",
    "no such recipient",
    "unknown recipient",
    "recipient unknown",
    "no mailbox here",
    "does not exist",
];

/// The cause that a reply to RCPT, or to DATA, tells.
pub fn cause(reply: &str) -> Cause {
    let mut end = reply.len().min(REPLY_LEN_MAX);
    while !reply.is_char_boundary(end) {
        end -= 1;
    }
    let reply = reply[..end].to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| reply.contains(word));
    match reply.as_bytes().first() {
        Some(b'2') => Cause::Accepted,
        Some(b'5') if any(&ABOUT_US) => Cause::Other,
        Some(b'5') if any(&NULL_SENDER) => Cause::NullSender,
        Some(b'5') if any(&UNKNOWN) => Cause::AddressUnknown,
        _ => Cause::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(reply: &str, expect: Cause) {
        assert_eq!(cause(reply), expect, "{reply}");
    }

    #[test]
    fn what_is_about_us_speaks_against_nobody() {
        check("550 listed in X", Cause::Other);
        check("550 5.1.1 <postmaster@example.net>: your server is on a blocklist", Cause::Other);
        check("554 5.7.1 null sender not allowed by policy", Cause::Other);
        check("450 4.1.1 user unknown", Cause::Other);
        check("550 no", Cause::Other);
        check("", Cause::Other);
    }

    #[test]
    fn an_unknown_address_and_a_refused_null_sender_are_told_apart() {
        check(
            "550 5.1.1 <postmaster@example.net>: Recipient address rejected: User unknown",
            Cause::AddressUnknown,
        );
        check("550 No such user here", Cause::AddressUnknown);
        check("550 5.1.8 Null sender is not accepted", Cause::NullSender);
        check("553 we do not accept bounces", Cause::NullSender);
        check("250 2.1.5 Ok", Cause::Accepted);
    }

    #[test]
    fn a_long_reply_is_cut_between_characters() {
        check(&format!("550 {}", "ä".repeat(REPLY_LEN_MAX)), Cause::Other);
    }
}
