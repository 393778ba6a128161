//! From a decision to the line that Postfix reads.

use std::net::IpAddr;

use answers::{Answer, Tell};
use model::Answered;
use wire::policy::{Action, AnswerError, Request};

use super::counters::count;
use super::desk::Moment;
use super::trouble::Trouble;
use crate::decided::{is_silent, log, settle};

/// Writes the answer, logs it if it is more than ‘nothing against it’, and says what the
/// engine shall know of it.
pub(super) fn tell(
    answer: &Answer,
    addr: IpAddr,
    request: &Request<'_>,
    at: &Moment<'_>,
    out: &mut Vec<u8>,
) -> Answered {
    if is_silent(answer) {
        Action::Dunno.write(out);
        return Answered::Passed;
    }
    let answered = tell_more(answer, addr, at, out);
    log(answer, answered, addr, request.queue_id);
    answered
}

#[cold]
fn tell_more(answer: &Answer, addr: IpAddr, at: &Moment<'_>, out: &mut Vec<u8>) -> Answered {
    let shared = &at.host.shared;
    let (tell, answered) =
        settle(answer, addr, &at.view.site, || shared.meter().takes(&shared.means.persons, addr, at.now));
    match action(&tell) {
        Ok(Action::Dunno) => {
            Action::Dunno.write(out);
            answered
        }
        Ok(refusal) => {
            refusal.write(out);
            count(&at.host.counters.refused);
            answered
        }
        Err(_) => {
            // The error quotes the text, and the text holds the secret of a link.
            at.host.trouble(Trouble::OurText, &"`mailward doctor` measures all texts");
            Action::Dunno.write(out);
            Answered::Passed
        }
    }
}

fn action(tell: &Tell) -> Result<Action<'_>, AnswerError> {
    match tell {
        Tell::Pass => Ok(Action::Dunno),
        Tell::Refuse(reply) => Action::reject(reply.get().short()),
        Tell::Defer(reply) => Action::defer(reply.get().short()),
    }
}
