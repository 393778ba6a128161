//! What a decision at RCPT becomes, whichever server tells it: the last word, the log line,
//! and what the engine shall know.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use answers::texts::too_often;
use answers::{Answer, ConnectionScore, MailPath, Tell};
use model::{Answered, Client, Key, Millis, Site};
use projections::View;
use wire::text::quoted;

use crate::greetings::Greetings;
use crate::policy::Scorer;

/// Whether nothing speaks against it and nothing is worth a line.
pub(crate) fn is_silent(answer: &Answer) -> bool {
    let holds_nothing = answer.would.is_none() && !answer.scored && !answer.early;
    matches!(answer.tell, Tell::Pass) && !answer.exempt && holds_nothing
}

/// What the client hears, once the rate of open recipients is looked at, and what the
/// engine is told. `within_rate` is asked only where the rate matters.
pub(crate) fn settle<'a>(
    answer: &'a Answer,
    addr: IpAddr,
    site: &Site,
    within_rate: impl FnOnce() -> bool,
) -> (Cow<'a, Tell>, Answered) {
    if answer.exempt && !within_rate() {
        let tell = Tell::Defer(too_often(site, addr, answer.case));
        return (Cow::Owned(tell), Answered::Refused);
    }
    (Cow::Borrowed(&answer.tell), answer.answered())
}

/// What a client's connection weighs, for an answer.
#[derive(Default)]
pub(crate) struct Weighed {
    /// Where the score may refuse.
    pub(crate) score: Option<ConnectionScore>,
    /// Where greylisting would ask it to come back.
    pub(crate) pool: Option<Key>,
}

/// Weighs a connection; `path` is asked only where somebody scores.
pub(crate) fn weighed(
    scorer: Option<&Arc<dyn Scorer>>,
    client: &Client,
    path: impl FnOnce() -> MailPath,
    view: &View,
    now: Millis,
) -> Weighed {
    let Some(scorer) = scorer else { return Weighed::default() };
    let score = scorer.score(client, path(), view, now);
    Weighed { pool: scorer.pool(client, &score, view, now), score: scorer.refuses().then_some(score) }
}

/// Meets a stranger's greeting, where DNS is asked for such: whether its name is known not to
/// exist. A key with good mail is not asked about.
pub(crate) fn met(greetings: Option<&Arc<Greetings>>, client: &Client, view: &View, now: Millis) -> bool {
    let asked = greetings.filter(|_| !client.authenticated && !view.has_credit(client.addr));
    asked.is_some_and(|greetings| greetings.meet(client, now))
}

/// One line for one decision; no person stands in it.
pub(crate) fn log(answer: &Answer, answered: Answered, addr: IpAddr, queue_id: &[u8]) {
    let case = answer.case.or(answer.would);
    let case = case.map(tracing::field::display);
    let queue = (!queue_id.is_empty()).then(|| tracing::field::display(quoted(queue_id)));
    let action = match answered {
        Answered::Passed | Answered::WouldBlock(_) => "would refuse",
        Answered::Exempt => "passed to an open recipient",
        Answered::Blocked(_) | Answered::Refused => "refused",
        Answered::Deferred => "deferred",
    };
    let early = answer.early.then_some(true);
    tracing::info!(client = %addr, case, queue, early, scored = answer.scored, action, "recipient decided");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::logged;
    use model::CaseId;

    #[track_caller]
    fn check(answer: &Answer, expect: &str) {
        let addr = "192.0.2.25".parse().unwrap();
        let line = logged(|| log(answer, answer.answered(), addr, b"4cTn5y2Z3\x1b"));
        assert!(line.trim_end().ends_with(expect), "{line}");
    }

    #[test]
    fn off_18_early_talk_that_would_be_refused_is_worth_a_line() {
        let answer = Answer { early: true, ..Answer::PASS };
        assert!(!is_silent(&answer) && is_silent(&Answer::PASS));
        check(&answer, r#"queue=4cTn5y2Z3\x1b early=true scored=false action="would refuse""#);
    }

    #[test]
    fn a_decision_is_one_line() {
        let case: CaseId = "n1-5".parse().unwrap();
        check(
            &Answer { would: Some(case), ..Answer::PASS },
            r#"recipient decided client=192.0.2.25 case=n1-5 queue=4cTn5y2Z3\x1b scored=false action="would refuse""#,
        );
        check(
            &Answer { case: Some(case), exempt: true, ..Answer::PASS },
            r#"case=n1-5 queue=4cTn5y2Z3\x1b scored=false action="passed to an open recipient""#,
        );
    }
}
