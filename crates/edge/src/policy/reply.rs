//! From a decision to the line that Postfix reads, and to the log.

use std::net::IpAddr;

use answers::texts::too_often;
use answers::{Answer, Tell};
use model::Answered;
use model::key::client_prefix;
use wire::policy::{Action, AnswerError, Request};
use wire::text::quoted;

use super::counters::count;
use super::desk::Moment;
use super::trouble::Trouble;

/// Writes the answer, logs it if it is more than ‘nothing against it’, and says what the
/// engine shall know of it.
pub(super) fn tell(
    answer: &Answer,
    addr: IpAddr,
    request: &Request<'_>,
    at: &Moment<'_>,
    out: &mut Vec<u8>,
) -> Answered {
    if matches!(answer.tell, Tell::Pass) && !answer.exempt && answer.would.is_none() && !answer.scored {
        Action::Dunno.write(out);
        return Answered::Passed;
    }
    let answered = tell_more(answer, addr, at, out);
    log(answer, answered, addr, request);
    answered
}

#[cold]
fn tell_more(answer: &Answer, addr: IpAddr, at: &Moment<'_>, out: &mut Vec<u8>) -> Answered {
    let too_much = answer.exempt && !within_rate(addr, at);
    let tell =
        if too_much { &Tell::Defer(too_often(&at.view.site, addr, answer.case)) } else { &answer.tell };
    match action(tell) {
        Ok(Action::Dunno) => {
            Action::Dunno.write(out);
            answer.answered()
        }
        Ok(refusal) => {
            refusal.write(out);
            count(&at.host.counters.refused);
            if too_much { Answered::Refused } else { answer.answered() }
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
        Tell::Refuse(reply) => Action::reject(reply.get().as_str()),
        Tell::Defer(reply) => Action::defer(reply.get().as_str()),
    }
}

fn within_rate(addr: IpAddr, at: &Moment<'_>) -> bool {
    let shared = &at.host.shared;
    let place = shared.means.persons.place(client_prefix(addr));
    shared.meter().take(place, at.now)
}

fn log(answer: &Answer, answered: Answered, addr: IpAddr, request: &Request<'_>) {
    let case = answer.case.or(answer.would);
    let case = case.map(tracing::field::display);
    let queue = (!request.queue_id.is_empty()).then(|| tracing::field::display(quoted(request.queue_id)));
    let action = match answered {
        Answered::Passed | Answered::WouldBlock(_) => "would refuse",
        Answered::Exempt => "passed to an open recipient",
        Answered::Blocked(_) | Answered::Refused => "refused",
    };
    tracing::info!(client = %addr, case, queue, scored = answer.scored, action, "recipient decided");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::logged;
    use model::CaseId;

    #[track_caller]
    fn check(answer: &Answer, expect: &str) {
        let (sender, recipient) = (b"person@example.net".as_slice(), b"user@example.org".as_slice());
        let addr = "192.0.2.25".parse().unwrap();
        let mut bytes = Vec::new();
        let lines = [("sender", sender), ("recipient", recipient), ("queue_id", b"4cTn5y2Z3\x1b")];
        wire::policy::encode(&lines, &mut bytes).unwrap();
        let (request, _) = wire::policy::split_request(&bytes).unwrap().unwrap();
        let line = logged(|| log(answer, answer.answered(), addr, &request));
        assert!(line.trim_end().ends_with(expect), "{line}");
        assert!(!line.contains("person") && !line.contains("user"), "{line}");
    }

    #[test]
    fn a_decision_is_one_line_without_persons() {
        let case: CaseId = "n1-5".parse().unwrap();
        let pass = Answer { tell: Tell::Pass, case: None, exempt: false, would: None, scored: false };
        check(
            &Answer { would: Some(case), ..pass.clone() },
            r#"recipient decided client=192.0.2.25 case=n1-5 queue=4cTn5y2Z3\x1b scored=false action="would refuse""#,
        );
        check(
            &Answer { case: Some(case), exempt: true, ..pass },
            r#"case=n1-5 queue=4cTn5y2Z3\x1b scored=false action="passed to an open recipient""#,
        );
    }
}
