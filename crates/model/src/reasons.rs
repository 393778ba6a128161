//! Why a key can be blocked: all that we say about a reason stands in its one row.
//!
//! The number is stored in events and stays for ever; texts may be improved. `answers`
//! fills the placeholders `{ip}` `{url}` `{facts}` and measures every row against its two
//! budgets (REQUIREMENTS E.1) before the program serves.

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
    /// What the client reads where room is short (a policy server's answer): code,
    /// enhanced code, text, at most 200 octets filled in.
    pub smtp: &'static str,
    /// The same where there is room (a milter's answer): at most 480 octets filled in.
    pub smtp_long: &'static str,
    /// The end of the sentence “Your mail server … is blocked because …”.
    pub because: &'static str,
    /// What one counted event is called in the arithmetic, plural.
    pub counted: &'static str,
    /// What the owner should check.
    pub remedy: &'static str,
    /// How one gets here and away again, in one sentence (S112).
    pub listed: &'static str,
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
        smtp_long: "550 5.7.1 [{ip}] is blocked by decision of the operator. Contact: {url}",
        because: "the operator of this site decided so",
        counted: "entries by the operator",
        remedy: "Please write to us; a person decides.",
        listed: "A person of this site puts an address here, and it leaves at the end that was set or when a person takes it out.",
        self_unblock: SelfUnblock::Operator,
    },
    Reason {
        number: 2,
        id: "spam-volume",
        offence: Offence::SpamVolume,
        dns: code(3),
        smtp: "550 5.7.1 [{ip}] blocked: spam received from it. Why and how to unblock: {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked here: spam was received from it. Evidence, expiry, removal: {url}",
        because: "we received spam from it",
        counted: "unwanted messages",
        remedy: "The usual causes are a stolen password of one mail account, a web form or web site that was \
                 broken into, or an infected computer behind the same address. Look in the mail log for \
                 messages that you did not expect, change the password of the account they used, and empty \
                 the mail queue of them.",
        listed: "A server gets here by messages that our filter judged to be spam, and leaves by itself after a time in proportion to them, or by the link in the reply.",
        self_unblock: SelfUnblock::BySeverity,
    },
    Reason {
        number: 3,
        id: "trap",
        offence: Offence::Trap,
        dns: code(7),
        smtp: "550 5.7.1 [{ip}] blocked: mail to addresses that never asked for any. See {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked here: it sent mail to addresses that never asked for any. \
                    Details and removal: {url}",
        because: "it sent mail to addresses that never asked for any",
        counted: "messages to addresses that never asked for any, weighted",
        remedy: "Mail only to people who asked for it. If you run mailing lists, look for imported or bought \
                 addresses and for old lists whose members never confirmed.",
        listed: "A server gets here by mail to addresses that never asked for any, and leaves by itself after a time in proportion to it, or by the link in the reply.",
        self_unblock: SelfUnblock::BySeverity,
    },
    Reason {
        number: 4,
        id: "helo",
        offence: Offence::Helo,
        dns: code(19),
        smtp: "550 5.7.1 [{ip}] blocked: it greets us with our own name. How to repair: {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked here: it greets us with our own name in HELO. How to repair: {url}",
        because: "it introduces itself with a name that is ours",
        counted: "sessions that used our name",
        remedy: "Set the host name that your mail server sends in HELO or EHLO to its own full name in DNS. \
                 If you did not set up a mail server at this address, look for infected computers.",
        listed: "A server gets here when it greets us with our own name, and leaves by itself after a day, or when it greets with its own.",
        self_unblock: SelfUnblock::LiveCheck,
    },
    Reason {
        number: 34,
        id: "helo-name",
        offence: Offence::Helo,
        dns: code(19),
        smtp: "550 5.7.1 [{ip}] refused: its HELO name is not in DNS. How to repair: {url}",
        smtp_long: "550 5.7.1 [{ip}] is refused: the name that it gives in HELO does not exist in DNS, today and a \
                    day before. How to repair: {url}",
        because: "it introduces itself with a name that does not exist in DNS",
        counted: "sessions with a name that does not exist",
        remedy: "Set the host name that your mail server sends in HELO or EHLO to its own full name, and see \
                 that DNS has an address for it. It is looked up again within the hour.",
        listed: "Nobody stays here: a message is put off while the HELO name of its server does not exist in DNS, refused when that lasts for a day, and passes within an hour of the name's being there.",
        self_unblock: SelfUnblock::LiveCheck,
    },
    Reason {
        number: 5,
        id: "connection",
        offence: Offence::ReverseDns,
        dns: code(19),
        smtp: "550 5.7.1 [{ip}] refused: {facts}. How to repair: {url}",
        smtp_long: "550 5.7.1 [{ip}] is refused here: {facts}. How to repair: {url}",
        because: "its connection has several marks of an end user's computer",
        counted: "facts of the connection",
        remedy: "Give the server a reverse DNS name that points back to its address, and greet with that \
                 name in HELO or EHLO. From a home or office connection, send through your provider's \
                 outgoing mail server.",
        listed: "Nobody stays here: each message is judged by how its server connects, and passes when the reverse DNS name and the greeting are repaired, or after good mail from it.",
        self_unblock: SelfUnblock::LiveCheck,
    },
    Reason {
        number: 6,
        id: "reports",
        offence: Offence::Reports,
        dns: code(16),
        smtp: "550 5.7.1 [{ip}] blocked: users report its mail as spam. How to unblock: {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked here: several of our users reported mail from it as spam. \
                    Evidence, expiry, removal: {url}",
        because: "several of our users reported mail from it as spam",
        counted: "reports by our users, weighted",
        remedy: "The usual causes are a stolen password of one mail account, a web form that was broken into, \
                 or mail to people who did not ask for it or can not get off a list. Look in the mail log for \
                 messages that you did not expect. If you run mailing lists, let every subscriber confirm, \
                 and let everybody unsubscribe with one click.",
        listed: "A server gets here when several users report its mail as junk, and leaves by itself after a time in proportion to the reports, or by the link in the reply.",
        self_unblock: SelfUnblock::BySeverity,
    },
    Reason {
        number: 7,
        id: "virus",
        offence: Offence::Virus,
        dns: code(14),
        smtp: "550 5.7.1 [{ip}] blocked: malware received from it. How to unblock: {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked here: it sent messages that carry malware. A computer or an \
                    account behind it may be abused. Evidence, expiry, removal: {url}",
        because: "it sent messages that carry malware",
        counted: "messages with malware, weighted",
        remedy: "A computer behind this address is probably infected, or somebody sends through a mail account \
                 whose password was stolen. Find out from the times below which computer or account it was, \
                 take it off the network, clean or reinstall it, and change the passwords that were used on \
                 it. Let the mail server scan what it sends.",
        listed: "A server gets here by infected messages, and leaves by itself after a time in proportion to them, or by the link in the reply.",
        self_unblock: SelfUnblock::BySeverity,
    },
    Reason {
        number: 8,
        id: "attachment",
        offence: Offence::Attachment,
        dns: code(14),
        smtp: "550 5.7.1 [{ip}] blocked: it mails programs or scripts. How to unblock: {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked here: it sent many messages with programs as attachments, as \
                    malware does. Evidence, expiry, removal: {url}",
        because: "it sent several messages with programs or scripts as attachments, as malware does",
        counted: "messages with dangerous attachments, weighted",
        remedy: "If nobody meant to send programs, a computer behind this address is probably infected, or a \
                 mail account's password was stolen: look in the mail log for the messages below. If somebody \
                 did mean to, let him put the files where they can be fetched, and send the link.",
        listed: "A server gets here by several messages with attachments that carry programs, and leaves by itself after a time in proportion to them, or by the link in the reply.",
        self_unblock: SelfUnblock::BySeverity,
    },
    Reason {
        number: 9,
        id: "forged-sender",
        offence: Offence::ForgedSender,
        dns: code(3),
        smtp: "550 5.7.1 [{ip}] blocked: it forges senders. Why and how to unblock: {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked here: it sent mail in the name of many domains whose SPF \
                    records do not permit it. Evidence, expiry, removal: {url}",
        because: "it sent mail in the name of many domains that do not permit it (SPF)",
        counted: "messages with a sender that SPF forbids",
        remedy: "If the server forwards mail of others, let it rewrite the envelope sender (SRS) and leave \
                 DKIM signatures whole, and tell us, so that we can enter it as a forwarder. If it does not, \
                 look for a stolen account, a script in a web site or an infected computer that invents \
                 senders.",
        listed: "A server gets here by mail in the names of many domains that do not let it, and leaves by itself after a time in proportion to it, or by the link in the reply.",
        self_unblock: SelfUnblock::BySeverity,
    },
    Reason {
        number: 10,
        id: "backscatter",
        offence: Offence::Backscatter,
        dns: code(15),
        smtp: "550 5.7.1 [{ip}] bounces to forged senders; other mail is welcome. See {url}",
        smtp_long: "550 5.7.1 [{ip}] sends bounces or auto-replies to forged senders; such mail is refused, \
                    other mail is welcome. Please refuse during SMTP instead of sending bounces. Details: \
                    {url}",
        because: "it sends bounces or automatic answers to people who never wrote to it",
        counted: "bounces and automatic answers to people who wrote nothing",
        remedy: "Let the server refuse unwanted mail and unknown recipients while the sender is still \
                 connected, instead of taking it and sending a bounce afterwards: spam has forged senders, \
                 and the bounces go to them. Turn off virus notices to senders and call-outs, and let \
                 automatic answers go only to mail that was addressed to the user and is no spam.",
        listed: "A server gets here by bounces to people who wrote nothing, counts for bounces alone, and leaves by itself seven days after the last of them.",
        self_unblock: SelfUnblock::BySeverity,
    },
    Reason {
        number: 11,
        id: "dictionary",
        offence: Offence::Dictionary,
        dns: code(13),
        smtp: "550 5.7.1 [{ip}] tried many recipients that do not exist. Details: {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked here: it tried many recipients that do not exist. Evidence, \
                    expiry, how to reach us: {url}",
        because: "it tried many recipients that do not exist",
        counted: "different recipients that do not exist",
        remedy: "If this server sends to a list, the list is old or was bought: take addresses off it that \
                 were refused with 5.1.1. If it forwards or answers mail, let it refuse unknown recipients \
                 itself. If nobody meant to send, look for a stolen password of one mail account or for an \
                 infected computer. Then write to us; a person lifts the block.",
        listed: "A server gets here by naming many recipients that do not exist, and leaves by itself after a time in proportion to them, or when a person takes it out.",
        self_unblock: SelfUnblock::Operator,
    },
    Reason {
        number: 12,
        id: "flood",
        offence: Offence::Flood,
        dns: code(13),
        smtp: "550 5.7.1 [{ip}] opened too many connections without sending mail. See {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked here: it opened very many connections and sent nearly no mail \
                    on them. Evidence, expiry, how to reach us: {url}",
        because: "it opened very many connections to our mail servers and sent nearly no mail on them",
        counted: "reports of too many connections",
        remedy: "Look for a program that connects and does not send: a probe, a queue that is in a loop, an \
                 infected computer. Let the mail server open no more than ten connections to one destination \
                 at the same time. The block ends by itself; if it comes back, please write to us.",
        listed: "A client gets here by many connections that bring no mail, and leaves by itself after 15 minutes, and later each time it comes back within a day, up to a day.",
        self_unblock: SelfUnblock::Operator,
    },
    Reason {
        number: 13,
        id: "early-talker",
        offence: Offence::EarlyTalker,
        dns: code(4),
        smtp: "550 5.7.1 [{ip}] blocked: it speaks before our greeting. How to unblock: {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked here: it spoke before our greeting in several sessions, as bots \
                    do. Evidence, expiry, removal: {url}",
        because: "it spoke before our greeting in several sessions, as no mail server does",
        counted: "sessions that spoke too early",
        remedy: "A mail server waits for the greeting before it speaks (RFC 5321, section 3.1). If you did not \
                 set up a mail server at this address, look for infected computers. If you did, update its \
                 software, and look for a firewall or proxy that answers in place of the far side.",
        listed: "A client gets here when it speaks before our greeting in several sessions of a day, and leaves by itself six hours after the last of them.",
        self_unblock: SelfUnblock::BySeverity,
    },
    Reason {
        number: 14,
        id: "protocol",
        offence: Offence::Protocol,
        dns: code(4),
        smtp: "550 5.7.1 [{ip}] blocked: it breaks SMTP as bots do. How to unblock: {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked here: its sessions broke the rules of SMTP in several ways, as \
                    those of bots do. Evidence, expiry, removal: {url}",
        because: "its sessions break the rules of SMTP in several ways, as those of bots do",
        counted: "faults against the protocol",
        remedy: "If you did not set up a mail server at this address, look for infected computers. If you did, \
                 update its software: it should wait for each reply, end lines with CR LF, and close with QUIT \
                 (RFC 5321). Firewalls that inspect SMTP break it, too; turn that off.",
        listed: "A client gets here when it breaks the rules of SMTP in several ways within a day, and leaves by itself six hours after the last of them.",
        self_unblock: SelfUnblock::BySeverity,
    },
    Reason {
        number: 15,
        id: "bot",
        offence: Offence::Bot,
        dns: code(4),
        smtp: "550 5.7.1 [{ip}] blocked: it acts like an infected PC. How to unblock: {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked here: it behaves like an infected computer, not like a mail \
                    server. Evidence, expiry, removal: {url}",
        because: "it behaves like an infected computer: it greets with other people's names, or with none",
        counted: "signs of a bot",
        remedy: "A computer behind this address is probably infected: look for the one that connects to port 25 \
                 of many servers, take it off the network and clean or reinstall it. Let the firewall allow \
                 port 25 outward to the mail server alone. If this is a mail server, let it greet with its own \
                 full name in DNS, and let that name and the address confirm each other.",
        listed: "A computer gets here by marks of a program that sends spam without its owner, and leaves by itself three days after the last of them.",
        self_unblock: SelfUnblock::BySeverity,
    },
    Reason {
        number: 16,
        id: "hash-flood",
        offence: Offence::HashFlood,
        dns: code(3),
        smtp: "550 5.7.1 [{ip}] blocked: spam, again or known to us. How to unblock: {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked here: it sent spam more than once, or a text that many servers \
                    send as spam, and we know little good mail of it. Evidence, expiry, removal: {url}",
        because: "it sent us spam more than once, or a text that many servers send as spam, and we know little \
                  good mail of it",
        counted: "unwanted messages",
        remedy: "The usual causes are a stolen password of one mail account, a web form or web site that was \
                 broken into, or an infected computer behind the same address. Look in the mail log for \
                 messages that you did not expect, change the password of the account they used, and empty \
                 the mail queue of them. If the mail was wanted, tell us: servers whose good mail we know \
                 are not blocked for this.",
        listed: "A server gets here by a text that many networks send as spam, or by spam again within a day and no good mail, and leaves by itself after a time in proportion to it, not before the shortest one has passed since the last.",
        self_unblock: SelfUnblock::BySeverity,
    },
    Reason {
        number: 36,
        id: "dynamic",
        offence: Offence::Dynamic,
        dns: code(10),
        smtp: "550 5.7.1 [{ip}] is an end user's line: send through your provider. See {url}",
        smtp_long: "550 5.7.1 [{ip}] has the name of an end user's line; such addresses do not send mail \
                    themselves. Please use your provider's outgoing server, with a login. Details: {url}",
        because: "its name is that of an end user's line",
        counted: "facts of the connection",
        remedy: "Send through the outgoing mail server of your provider or your company, with user name and \
                 password (port 587 or 465): that works from any address, this one too. If you run a mail \
                 server at this address, ask your provider for a reverse DNS name of your own that points \
                 back to it, and greet with that name in HELO or EHLO.",
        listed: "An address gets here by a name that its provider made for a subscriber's line, and leaves when it has a name of its own, or after good mail from it.",
        self_unblock: SelfUnblock::LiveCheck,
    },
    Reason {
        number: 31,
        id: "greytrap",
        offence: Offence::Greytrap,
        dns: code(8),
        smtp: "450 4.7.1 [{ip}] wrote to trap addresses; retry 24 h after the last. See {url}",
        smtp_long: "450 4.7.1 [{ip}] wrote to trap addresses, or to such that do not exist here, while it was \
                    unknown; retry works after 24 hours without a further hit. Details: {url}",
        because: "it wrote to addresses that never asked for mail or do not exist here, before we knew it",
        counted: "messages to addresses that never asked for any or do not exist here",
        remedy: "Nothing is lost: your server keeps the mail and tries again, and we take it when a day has \
                 passed without a further such message. Look for an infected computer or a stolen account \
                 that sends to guessed or collected addresses, and take addresses out of lists that do not \
                 exist.",
        listed: "A server gets here when it writes to an address that nobody uses before it is known here, and leaves by itself a day after the last such message.",
        self_unblock: SelfUnblock::Operator,
    },
    Reason {
        number: 32,
        id: "greylist",
        offence: Offence::Greytrap,
        dns: code(8),
        smtp: "451 4.7.1 Greylisted, please try again in {facts}. See {url}",
        smtp_long: "451 4.7.1 Greylisted: [{ip}] is not known here yet. Please try again in {facts}; mail \
                    servers do so by themselves. See {url}",
        because: "it is not known here yet",
        counted: "first attempts",
        remedy: "A mail server tries again by itself, and is known from then on. If mail does not arrive, let \
                 the server keep what is deferred (4xx) in its queue.",
        listed: "A server that is not known here is asked to come back in some minutes, and is known from then on.",
        self_unblock: SelfUnblock::LiveCheck,
    },
    Reason {
        number: 20,
        id: "geo",
        offence: Offence::Geo,
        dns: code(11),
        smtp: "550 5.7.1 [{ip}] refused: a policy by country, not an accusation. See {url}",
        smtp_long: "550 5.7.1 [{ip}] is refused here by a policy by country; it is not an accusation, and one \
                    good sender can be let in. How: {url}",
        because: "this site takes no mail from its country; that is a policy by country, not an accusation",
        counted: "connections from its country",
        remedy: "You have done nothing wrong that we know of. Write to the contact below: a person can let \
                 your server in, and a recipient here can ask to get mail from every country.",
        listed: "A server is here by the country of its address, as long as the operator has that policy, and is excepted after good mail from it.",
        self_unblock: SelfUnblock::Operator,
    },
    Reason {
        number: 21,
        id: "net",
        offence: Offence::PrefixEscalation,
        dns: code(9),
        smtp: "550 5.7.1 [{ip}] blocked: its network has several blocked servers. See {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked with its network: several servers of that network were blocked \
                    lately. One good server can be taken out: {url}",
        because: "several servers of its network were blocked lately",
        counted: "blocked servers of the network",
        remedy: "The block ends by itself when fewer servers of the network are blocked: whoever runs the \
                 network should look after them. If your server has done nothing, write to the contact \
                 below, and a person takes this one server out of the block of its network.",
        listed: "A network gets here when several of its servers are blocked, follows them, and leaves when fewer of them are.",
        self_unblock: SelfUnblock::Operator,
    },
    Reason {
        number: 22,
        id: "asn",
        offence: Offence::AsnEscalation,
        dns: code(12),
        smtp: "550 5.7.1 [{ip}] refused: {facts}. How to repair: {url}",
        smtp_long: "550 5.7.1 [{ip}] is refused here: {facts}. How to repair: {url}",
        because: "many servers of its provider were blocked lately, and other facts speak against it, too",
        counted: "blocked servers of the provider",
        remedy: "This alone never refuses mail. Repair what else is named, and ask your provider to look \
                 after the servers that send spam.",
        listed: "A provider gets here when many of its servers are blocked for its size, and leaves when fewer of them are.",
        self_unblock: SelfUnblock::LiveCheck,
    },
    Reason {
        number: 23,
        id: "curated",
        offence: Offence::Operator,
        dns: code(2),
        smtp: "550 5.7.1 [{ip}] is blocked by decision of the operator. Contact: {url}",
        smtp_long: "550 5.7.1 [{ip}] is blocked by decision of the operator, who keeps a record of the reasons. \
                    Contact: {url}",
        because: "the operator of this site decided so, and keeps a record of the reasons",
        counted: "entries by the operator",
        remedy: "Please write to us, best from the network's own abuse or role address; a person decides.",
        listed: "A person of this site puts an address or a network here with a record of the evidence, and it leaves when the record's review is over without a new decision, or when a person takes it out.",
        self_unblock: SelfUnblock::Operator,
    },
    Reason {
        number: 26,
        id: "domain-conduct",
        offence: Offence::DomainConduct,
        dns: code(19),
        smtp: "550 5.7.1 [{ip}] refused: {facts}. How to repair: {url}",
        smtp_long: "550 5.7.1 [{ip}] is refused here: {facts}. How to repair: {url}",
        because: "the sender's domain can not be answered, and other facts speak against the message, too",
        counted: "notices of ours that the domain refused",
        remedy: "Let the domain's MX records name servers that can be reached, take mail with a null sender \
                 (bounces), and have somebody read postmaster and abuse of the domain. This alone never \
                 refuses mail; it is forgotten 30 days after the last time, or when a notice gets through.",
        listed: "A domain gets here when it takes no bounces or has no postmaster or abuse mailbox, several times on several days, and leaves by itself 30 days after the last time, or when a notice gets through.",
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

/// The number of the reason of blocks by hand that have a record.
pub const CURATED: u8 = 23;

/// The reason called `id`.
pub fn by_id(id: &str) -> Option<&'static Reason> {
    REASONS.iter().find(|r| r.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Secs;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_and_words_are_distinct_and_codes_are_ours() {
        let numbers: BTreeSet<_> = REASONS.iter().map(|r| r.number).collect();
        let words: BTreeSet<_> = REASONS.iter().map(|r| r.id).collect();
        assert_eq!((numbers.len(), words.len()), (REASONS.len(), REASONS.len()));
        assert!(REASONS.iter().all(|r| (2..=19).contains(&r.dns.octets()[3])));
    }

    #[test]
    fn s112_one_sentence_says_how_one_gets_on_a_list_and_off_it() {
        for reason in REASONS {
            let text = reason.listed;
            assert!(text.ends_with('.') && text.matches('.').count() == 1, "{}: {text}", reason.id);
            let span = match crate::Lasts::of(reason.offence) {
                crate::Lasts::ByUnits | crate::Lasts::ByUnitsSliding => "in proportion",
                crate::Lasts::Fixed(Secs::DAY) | crate::Lasts::Sliding(Secs::DAY) => "day",
                crate::Lasts::Sliding(Secs(21_600)) => "six hours",
                crate::Lasts::Sliding(Secs(259_200)) => "three days",
                crate::Lasts::Sliding(Secs(604_800)) => "seven days",
                crate::Lasts::Ladder { .. } => "15 minutes",
                crate::Lasts::ByRule => "",
                other => panic!("{}: no words for {other:?}", reason.id),
            };
            // Greylisting is no list, and has the offence of greytrapping.
            assert!(text.contains(span) || reason.id == "greylist", "{}: {span}", reason.id);
        }
    }
}
