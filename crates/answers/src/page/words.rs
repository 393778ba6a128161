//! Sentences of the pages: polite, exact, and accusing nobody (S80, S104, S105).

use std::net::Ipv4Addr;

use model::case::{BlockKind, Opened};
use model::event::RuleStamp;
use model::reasons::{Reason, by_number};
use model::{Evidence, Key, Offence, Prefix, Secs, Sensor, Site};
use projections::view::KEPT_AFTER_END;
use projections::{CaseView, View};

use super::State;
use crate::texts;
use crate::when::When;

/// The site's name, or its portal's host while it has none.
pub(crate) fn site_name(site: &Site) -> String {
    let host = site.portal.split("://").last().unwrap_or("");
    let name = if site.name.is_empty() { host } else { &site.name };
    if name.is_empty() { "this site".to_owned() } else { name.to_owned() }
}

/// “Your mail server 192.0.2.25 is blocked at Example Networks”.
pub(crate) fn headline(site: &Site, key: &Key, kind: BlockKind, state: State) -> String {
    let (what, site) = (of_reader(key), site_name(site));
    let upper = |text: &str| {
        let mut chars = text.chars();
        chars.next().map_or_else(String::new, |c| c.to_uppercase().collect::<String>() + chars.as_str())
    };
    match (state, kind) {
        (State::Shadow, _) => format!("{} is not blocked at {site}", upper(&what)),
        (State::Lifted, _) => format!("The block of {what} at {site} was lifted"),
        (State::Ended, _) => format!("{} is no longer blocked at {site}", upper(&what)),
        (_, BlockKind::Rbl) => format!("{} is blocked at {site}", upper(&what)),
        (_, BlockKind::NullRoute) => format!("{} can not reach {site}", upper(&what)),
    }
}

/// The first sentence: why the reader is here (S76).
pub(crate) fn because(key: &Key, kind: BlockKind, state: State, reason: &Reason) -> String {
    let why = reason.because;
    match (state, kind) {
        (State::Shadow, _) => {
            format!(
                "A rule that is on trial would block it because {why}. Its mail is accepted all the same."
            )
        }
        (State::Lifted | State::Ended, _) => {
            format!("It was blocked because {why}. That is over; its mail is accepted again.")
        }
        (_, BlockKind::Rbl) if reason.offence == Offence::Backscatter => {
            format!("Bounces from {} are refused here because {why}. Other mail is welcome.", of_it(key))
        }
        (_, BlockKind::Rbl) => {
            format!("Mail from {} is refused here because {why}.", of_it(key))
        }
        (_, BlockKind::NullRoute) => {
            format!("Connections from {} to our mail servers are dropped because {why}.", of_it(key))
        }
    }
}

fn of_reader(key: &Key) -> String {
    match key {
        Key::Net(prefix) if prefix.is_host() => format!("your mail server {prefix}"),
        Key::Net(prefix @ Prefix::V6(_, 64)) => format!("your mail server's network {prefix}"),
        Key::Net(prefix) => format!("the network {prefix}"),
        Key::Domain(domain) => format!("mail of {}", domain.as_str()),
        Key::DomainAt(domain, prefix) => format!("mail of {} from {prefix}", domain.as_str()),
    }
}

fn of_it(key: &Key) -> &'static str {
    match key {
        Key::Net(prefix) if prefix.is_host() => "it",
        Key::Net(_) => "this network",
        Key::Domain(_) | Key::DomainAt(..) => "this domain",
    }
}

/// `OFF-1, version 1, policy 00000000feedfeed`: what an operator needs to find the rule.
pub(crate) fn rule(stamp: &RuleStamp) -> String {
    format!("{}, version {}, policy {:016x}", stamp.offence.id(), stamp.engine, stamp.policy)
}

/// The help page that fits a reason.
pub(crate) fn help_topic(reason: &Reason) -> &'static str {
    match reason.offence {
        Offence::SpamVolume | Offence::Trap => "spam",
        Offence::Reports => "reports",
        Offence::Virus => "virus",
        Offence::Attachment => "files",
        Offence::ForgedSender => "spf",
        Offence::Backscatter => "backscatter",
        Offence::Helo => "helo",
        Offence::ReverseDns | Offence::Dynamic => "connection",
        _ => "blocked",
    }
}

/// What is kept of a session and for how long (REQUIREMENTS B.15).
pub(crate) fn retention() -> String {
    format!(
        "Of the sessions behind a block we keep time, address, port, HELO name, reverse DNS name, number of \
         recipients and the filter's judgement; sender and recipients only as keyed hashes. Where we see the \
         headers of such a message, we keep them, too: as they came for {} days and for the operator alone, \
         then only in the form shown here. No text of any message is kept. Such a record is deleted after \
         {} days; this page closes {} days after the block has ended. If it holds data about you that are \
         wrong or should go, write to the address above.",
        model::exhibit::FULL_KEPT.0 / Secs::DAY.0,
        model::evidence::KEPT.0 / Secs::DAY.0,
        KEPT_AFTER_END.0 / Secs::DAY.0
    )
}

/// A text for somebody who only sent a mail, to pass on (S82, S49); empty when there is
/// nothing to ask for.
pub(crate) fn forward(
    view: &View,
    case: &CaseView,
    evidence: &[Evidence],
    state: State,
    link: &str,
) -> String {
    let Some(opened) = case.case.opened.as_ref().filter(|_| state.is_in_force()) else {
        return String::new();
    };
    let (site, reason) = (&view.site, by_number(opened.reason));
    let what = match opened.kind {
        BlockKind::Rbl => format!("mail {} to {} has been refused", of_sender(&case.key), site_name(site)),
        BlockKind::NullRoute => format!("our server {} has not reached {}", case.key, site_name(site)),
    };
    let error = error(site, case, opened, evidence);
    format!(
        "Hello,\n\
         {what} since {since}. They say that {because}. The block ends by itself at {until}.\n\
         {error}\
         What to check, and how to write to them, stands here:\n  {link}\n\
         Could you please look into it?\n",
        since = When::minute(opened.from),
        because = reason.because,
        until = When::minute_up(case.case.until()),
    )
}

fn of_sender(key: &Key) -> String {
    match key {
        Key::Net(_) => format!("from our server {key}"),
        Key::Domain(domain) | Key::DomainAt(domain, _) => format!("of our domain {domain}"),
    }
}

/// The exact error that a sender gets; nothing where packets are dropped, or where the
/// client's one address is not known.
fn error(site: &Site, case: &CaseView, opened: &Opened, evidence: &[Evidence]) -> String {
    if matches!(case.key, Key::Domain(_)) {
        let reply = texts::of_domain(site, Ipv4Addr::UNSPECIFIED.into(), case.id);
        return format!("The error is:\n  {}\n", reply.get().short());
    }
    let of_key = case.key.prefix().filter(|p| p.is_host()).map(Prefix::addr);
    let client = of_key.or(evidence.first().map(|e| e.client.addr));
    match client.filter(|_| opened.kind == BlockKind::Rbl) {
        Some(ip) => {
            let tell = if texts::defers(opened) { texts::deferred } else { texts::blocked };
            let reply = tell(site, by_number(opened.reason), ip, case.id);
            let seen_by_milter = evidence.iter().any(|e| e.sensor == Sensor::Milter);
            let line = if seen_by_milter { reply.get().long() } else { reply.get().short() };
            format!("The error is:\n  {line}\n")
        }
        None => String::new(),
    }
}
