//! Why a key can be blocked: all that we say about a reason stands in its one row.
//!
//! The number is stored in events and stays for ever; texts may be improved. `answers`
//! fills the placeholders `{ip}` `{url}` `{until}` and measures every row against its
//! budget (REQUIREMENTS E.1) before the program serves.

use std::net::Ipv4Addr;

use crate::finding::Offence;

/// How a block for this reason ends before its time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SelfUnblock {
    /// By severity, after D.4.
    BySeverity,
    /// Only an operator can.
    Operator,
    /// When a check of the server passes.
    LiveCheck,
}

/// One reason.
#[derive(Debug)]
pub struct Reason {
    /// The number in events. Never reused.
    pub number: u8,
    /// The word in output and links.
    pub id: &'static str,
    /// The offence behind it.
    pub offence: Offence,
    /// The code in our DNS zone (REQUIREMENTS A.3).
    pub dns: Ipv4Addr,
    /// What the client reads: code, enhanced code, text, at most 200 octets filled in.
    pub smtp: &'static str,
    /// The end of the sentence “Your mail server … is blocked because …”.
    pub because: &'static str,
    /// What one counted event is called in the arithmetic, plural.
    pub counted: &'static str,
    /// What the owner should check.
    pub remedy: &'static str,
    /// How it ends early.
    pub self_unblock: SelfUnblock,
}

const fn code(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

/// Every reason there is.
pub const REASONS: &[Reason] = &[
    Reason {
        number: 1,
        id: "operator",
        offence: Offence::Operator,
        dns: code(2),
        smtp: "550 5.7.1 [{ip}] is blocked by decision of the operator. Contact: {url}",
        because: "the operator of this site decided so",
        counted: "entries by the operator",
        remedy: "Please write to us; a person decides.",
        self_unblock: SelfUnblock::Operator,
    },
    Reason {
        number: 2,
        id: "spam-volume",
        offence: Offence::SpamVolume,
        dns: code(3),
        smtp: "550 5.7.1 [{ip}] blocked: spam received from it. Why and how to unblock: {url}",
        because: "we received spam from it",
        counted: "unwanted messages",
        remedy: "The usual causes are a stolen password of one mail account, a web form or web site that was \
                 broken into, or an infected computer behind the same address. Look in the mail log for \
                 messages that you did not expect, change the password of the account they used, and empty \
                 the mail queue of them.",
        self_unblock: SelfUnblock::BySeverity,
    },
    Reason {
        number: 3,
        id: "trap",
        offence: Offence::Trap,
        dns: code(7),
        smtp: "550 5.7.1 [{ip}] blocked: mail to addresses that never asked for any. See {url}",
        because: "it sent mail to addresses that never asked for any",
        counted: "messages to addresses that never asked for any, weighted",
        remedy: "Mail only to people who asked for it. If you run mailing lists, look for imported or bought \
                 addresses and for old lists whose members never confirmed.",
        self_unblock: SelfUnblock::BySeverity,
    },
    Reason {
        number: 4,
        id: "helo",
        offence: Offence::Helo,
        dns: code(19),
        smtp: "550 5.7.1 [{ip}] blocked: it greets us with our own name. How to repair: {url}",
        because: "it introduces itself with a name that is ours",
        counted: "sessions that used our name",
        remedy: "Set the host name that your mail server sends in HELO or EHLO to its own full name in DNS. \
                 If you did not set up a mail server at this address, look for infected computers.",
        self_unblock: SelfUnblock::LiveCheck,
    },
    Reason {
        number: 5,
        id: "connection",
        offence: Offence::ReverseDns,
        dns: code(19),
        smtp: "550 5.7.1 [{ip}] refused: {facts}. How to repair: {url}",
        because: "its connection has several marks of an end user's computer",
        counted: "facts of the connection",
        remedy: "Give the server a reverse DNS name that points back to its address, and greet with that \
                 name in HELO or EHLO. From a home or office connection, send through your provider's \
                 outgoing mail server.",
        self_unblock: SelfUnblock::LiveCheck,
    },
];

/// The reason with this stored number; an unknown one reads as the operator's.
pub fn by_number(number: u8) -> &'static Reason {
    REASONS.iter().find(|r| r.number == number).unwrap_or(&REASONS[0])
}

/// The reason for a block after `offence`, if that offence can block.
pub fn of_offence(offence: Offence) -> Option<&'static Reason> {
    REASONS.iter().find(|r| r.offence == offence)
}

/// The reason called `id`.
pub fn by_id(id: &str) -> Option<&'static Reason> {
    REASONS.iter().find(|r| r.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_and_words_are_distinct_and_codes_are_ours() {
        let numbers: BTreeSet<_> = REASONS.iter().map(|r| r.number).collect();
        let words: BTreeSet<_> = REASONS.iter().map(|r| r.id).collect();
        assert_eq!((numbers.len(), words.len()), (REASONS.len(), REASONS.len()));
        assert!(REASONS.iter().all(|r| (2..=19).contains(&r.dns.octets()[3])));
    }
}
