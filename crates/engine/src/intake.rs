//! What an observation means for which key, once it is joined with what is known of its
//! message, of what we took, and of what our own people sent.

use detectors::Act;
use model::content::Shape;
use model::{Command, Fact, Input, Judgement, Millis, Observation, Order, PersonHash, Prefix, Secs};

use crate::Engine;
use crate::mail::Mail;
use crate::sessions::Around;
use crate::shard::{Sight, Work};

/// Observations from further in the future are clamped to now (C.0).
const AHEAD_MAX: Secs = Secs(300);

impl Engine {
    /// What an input means for which key; `None` for what is not about one key.
    pub(crate) fn route(&mut self, input: &Input) -> Option<(Prefix, Work)> {
        match input {
            Input::Observed(seen) => {
                self.counters.observations += 1;
                let mut joined = self.join(seen);
                if let Fact::Sent(sent) = &seen.fact {
                    self.wrote_to(sent);
                }
                if let Some((key, Work::Seen(sight))) = &mut joined {
                    self.watch_traps(*key, sight);
                    self.look_back(sight);
                    self.look_beside(*key, sight);
                    self.carried(*key, sight, self.council.now());
                }
                joined
            }
            Input::Command(Command { order: Order::Credit(prefix, at, people), .. }) => {
                Some((*prefix, Work::Credit(*at, people.clone())))
            }
            _ => None,
        }
    }

    /// Joins an observation with what is known of its message.
    fn join(&mut self, seen: &Observation) -> Option<(Prefix, Work)> {
        let now = self.council.now();
        let at = clamped(seen.at, now);
        let (policy, mail, counters) = (&*self.policy, &mut self.mail, &mut self.counters);
        let mut around = Around { at, now, policy, mail, counters };
        let joined = match &seen.fact {
            Fact::Attempt(_) | Fact::Message(_) | Fact::Verdict(_) => {
                return self.sessions.join(seen, &mut around);
            }
            Fact::Rejected(rejected) => Mail::rejected(seen, rejected, &mut around),
            Fact::Conduct(conduct) => Mail::conduct(seen, conduct, &around),
            Fact::Connected(connected) => Mail::connected(seen, connected, &around),
            Fact::Reported(report) => Mail::reported(report, &self.sessions, &mut around),
            // They are about names, not about a key.
            Fact::Notice(_) | Fact::Resolved(_) => None,
            Fact::Sent(sent) => {
                around.mail.outbound.sent(sent, at);
                if let Some(PersonHash(who)) = sent.sender {
                    around.mail.mailboxes.used(who as u32, at);
                }
                None
            }
        };
        joined.map(|(key, sight)| (key, Work::Seen(sight)))
    }

    /// Asks the record of our own people's mail.
    fn look_back(&self, sight: &mut Sight) {
        let outbound = &self.mail.outbound;
        match &mut sight.act {
            Act::Ended(ended) => {
                let asked = |who| outbound.unasked(who, ended.content.sender_domain, sight.at);
                ended.unasked = ended.recipient.is_some_and(asked);
            }
            Act::Judged { judgement: Judgement::Ham, recipient: Some(who), .. } => {
                let wrote = |domain| outbound.wrote(*who, domain, sight.at);
                sight.is_reply = sight.sender_domain.is_some_and(wrote);
            }
            _ => {}
        }
    }

    /// Asks what other keys sent of the same text, and remembers what this one sent.
    fn look_beside(&mut self, key: Prefix, sight: &mut Sight) {
        let Act::Judged { judgement, shape, .. } = &sight.act else { return };
        let Some(text) = sight.text.filter(|_| !shape.any(Shape::TO_ABUSE_DESK)) else { return };
        sight.beside.text_networks = self.mail.texts.judged(text, key, *judgement, sight.at);
    }

    /// Notes who carries our mail.
    fn carried(&mut self, key: Prefix, sight: &Sight, now: Millis) {
        match sight.act {
            Act::Attempt { opens_session: true, .. } => self.upstream.accepted(key, now),
            Act::Judged { judgement: Judgement::Ham, .. } => self.upstream.good(key),
            _ => {}
        }
    }
}

/// When something happened, not ahead of the clock.
pub(crate) fn clamped(at: Millis, now: Millis) -> Millis {
    at.min(now.plus(AHEAD_MAX)).max(Millis(1))
}
