//! One recipient: the answer to it, and what it shows.

use std::net::IpAddr;

use answers::texts::too_many;
use answers::{Answer, MailPath, Tell, sender_fits};
use model::{Answered, Attempt, Client, Fact, Rejected, Rejection};
use wire::milter::{Reply, ReplyText};

use super::counters::count;
use super::desk::Moment;
use super::ending::refusal;
use crate::decided::{is_silent, log, met, settle, weighed};
use crate::manners::Lately;
use crate::persons::Persons;

/// A client, the path that it named, and since when it is here.
pub(super) struct Asked<'a> {
    pub(super) client: &'a Client,
    pub(super) began: model::Millis,
    pub(super) sender: &'a [u8],
    pub(super) recipient: &'a [u8],
    pub(super) queue_id: &'a [u8],
    /// How the client behaved in this session, and lately.
    pub(super) lately: Lately,
    /// The client has too many connections.
    pub(super) crowded: bool,
}

/// What a client heard.
#[derive(Clone, Copy)]
pub(super) struct Heard {
    pub(super) answered: Answered,
    /// By which greylisting knows the attempt again.
    pub(super) ticket: Option<u64>,
}

/// Answers a stranger's recipient; the reply is written, and what the engine shall know
/// comes back.
pub(super) fn answer(asked: &Asked<'_>, at: &Moment<'_>, out: &mut Vec<u8>) -> (Answer, Heard) {
    let Asked { client, began, sender, recipient, .. } = *asked;
    let shared = &at.host.shared;
    let Lately { faults, early } = asked.lately;
    let absent = met(shared.config.greetings.as_ref(), client, at.view, at.now);
    let path =
        || MailPath::of(client, sender, shared.means.persons.person(recipient)).with(faults).named(absent);
    let weighed = weighed(shared.config.scorer.as_ref(), client, path, at.view, at.now);
    let session = answers::Session {
        helo: client.helo.as_ref().map(model::Name::as_bytes),
        sender: Some(sender),
        recipient: Some(recipient),
        to: shared.means.persons.person(recipient),
        early,
        absent,
        score: weighed.score,
        pool: weighed.pool,
        ..answers::Session::new(client.addr, began)
    };
    let answer = answers::answer(&session, at.view, at.now);
    let crowded = asked.crowded && matches!(answer.tell, Tell::Pass) && !answer.exempt;
    if crowded && answers::may_defer(at.view, &session) {
        return turned_away(answer, client.addr, asked.queue_id, at, out);
    }
    let waiting = &shared.config.waiting;
    let (answer, ticket) = waiting.admit(answer, &session, at.view, &shared.means.persons, at.now);
    let answered = tell(&answer, client.addr, asked.queue_id, at, out);
    (answer, Heard { answered, ticket })
}

/// 421, which has the MTA close the session (TXT-14). The engine hears of a refusal without a
/// case, which it does not count.
fn turned_away(
    answer: Answer,
    addr: IpAddr,
    queue_id: &[u8],
    at: &Moment<'_>,
    out: &mut Vec<u8>,
) -> (Answer, Heard) {
    let tell = Tell::Defer(too_many(&at.view.site, addr));
    let told = text(&tell, at);
    let answered = if told.is_some() { Answered::Refused } else { Answered::Passed };
    match told {
        Some(text) => {
            count(&at.host.counters.refused);
            count(&at.host.counters.turned);
            Reply::Text(&text).write(out);
        }
        None => Reply::Continue.write(out),
    }
    log(&answer, answered, addr, queue_id);
    (answer, Heard { answered, ticket: None })
}

fn tell(answer: &Answer, addr: IpAddr, queue_id: &[u8], at: &Moment<'_>, out: &mut Vec<u8>) -> Answered {
    if is_silent(answer) {
        Reply::Continue.write(out);
        return Answered::Passed;
    }
    let shared = &at.host.shared;
    let within = || shared.meter().takes(&shared.means.persons, addr, at.now);
    let (tell, answered) = settle(answer, addr, &at.view.site, within);
    let answered = match text(&tell, at) {
        None => {
            Reply::Continue.write(out);
            if matches!(*tell, Tell::Pass) { answered } else { Answered::Passed }
        }
        Some(text) => {
            count(&at.host.counters.refused);
            Reply::Text(&text).write(out);
            answered
        }
    };
    log(answer, answered, addr, queue_id);
    answered
}

fn text(tell: &Tell, at: &Moment<'_>) -> Option<ReplyText> {
    match tell {
        Tell::Pass => None,
        Tell::Refuse(reply) => refusal(reply, true, at.host),
        Tell::Defer(reply) => refusal(reply, false, at.host),
    }
}

/// What an attempt shows.
pub(super) fn attempt(
    client: &Client,
    sender: &[u8],
    recipient: &[u8],
    heard: Heard,
    persons: &Persons,
) -> Fact {
    Fact::Attempt(Attempt {
        client: client.clone(),
        sender: persons.person(sender),
        recipient: persons.person(recipient),
        recipients: 1,
        answered: heard.answered,
        sender_fits: sender_fits(client.helo.as_ref(), sender),
        ticket: heard.ticket,
    })
}

/// What a recipient shows that the MTA itself refused, with its code and its words.
pub(super) fn rejected(asked: &Asked<'_>, code: &[u8], words: &[u8], persons: &Persons) -> Fact {
    Fact::Rejected(Rejected {
        client: asked.client.clone(),
        sender: persons.person(asked.sender),
        recipient: persons.person(asked.recipient),
        domain: persons.domain_of(asked.recipient),
        why: rejection(code, words),
    })
}

/// What MTAs say to a relay probe: Postfix ‘Relay access denied’, Sendmail ‘Relaying
/// denied’. Our own refusals speak of relays, too, and come back so where the policy server
/// gave them to the MTA.
const RELAY_WORDS: [&[u8]; 3] = [b"relay access denied", b"relaying denied", b"relay not permitted"];

fn rejection(code: &[u8], words: &[u8]) -> Rejection {
    let says = |part: &&[u8]| words.windows(part.len()).any(|w| w.eq_ignore_ascii_case(part));
    match code {
        b"5.1.1" => Rejection::UnknownUser,
        b"5.7.1" | b"4.7.1" if RELAY_WORDS.iter().any(says) => Rejection::Relaying,
        _ => Rejection::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_an_mta_refused_is_told_by_code_and_words() {
        for (code, words, expect) in [
            ("5.1.1", "User unknown in relay recipient table", Rejection::UnknownUser),
            ("5.7.1", "Relay access denied", Rejection::Relaying),
            ("4.7.1", "<x@example.net>: Relay access denied", Rejection::Relaying),
            ("5.7.1", "Relaying denied. Proper authentication required.", Rejection::Relaying),
            ("5.7.1", "[192.0.2.25] blocked: it relays mail for strangers (open relay).", Rejection::Other),
            ("5.2.2", "Mailbox full", Rejection::Other),
            ("", "", Rejection::Other),
        ] {
            assert_eq!(rejection(code.as_bytes(), words.as_bytes()), expect, "{code} {words}");
        }
    }
}
