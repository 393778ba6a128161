//! What is remembered of mail for longer than its session: what we took, who reports, to
//! whom our own people wrote, which recipients do not exist, and which texts many send as
//! spam.

use minicbor::{Decode, Encode};
use model::{
    Client, Conduct, Connected, Evidence, Judgement, Millis, Observation, Policy, Prefix, Rdns, Rejected,
    Rejection, Reported, Secs, Sensor, Vote,
};

use detectors::seen::{Act, Report, Traits};
use model::key::client_prefix;

use crate::burnt::Watch;
use crate::delivered::{Delivered, Delivery, KEPT, StoredDelivered};
use crate::domains::Domains;
use crate::greetings::Greetings;
use crate::guesses::Guesses;
use crate::mailboxes::{Mailboxes, StoredMailboxes};
use crate::outbound::{Outbound, StoredOutbound};
use crate::reporters::{Reporters, StoredReporters};
use crate::seeded::Seeded;
use crate::session::Session;
use crate::sessions::{Around, Sessions};
use crate::shard::{Keep, Sample, Sight};
use crate::texts::{StoredTexts, Texts};

/// The clock in a Received field and ours of one message differ by at most this: a client may
/// send its data slowly.
const APART_MAX: Secs = Secs(3600);

/// All of it.
pub(crate) struct Mail {
    seeded: Seeded,
    pub(crate) delivered: Delivered,
    pub(crate) reporters: Reporters,
    pub(crate) outbound: Outbound,
    pub(crate) guesses: Guesses,
    pub(crate) traps: Watch,
    pub(crate) texts: Texts,
    pub(crate) domains: Domains,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) greetings: Greetings,
}

/// As they stand in a checkpoint.
#[derive(Decode, Default, Encode)]
pub(crate) struct StoredMail {
    #[n(0)]
    delivered: StoredDelivered,
    #[n(1)]
    reporters: StoredReporters,
    #[n(2)]
    outbound: StoredOutbound,
    #[cbor(n(3), default)]
    guesses: Guesses,
    #[n(5)]
    #[cbor(default)]
    traps: Watch,
    #[n(7)]
    #[cbor(default)]
    texts: StoredTexts,
    #[n(6)]
    #[cbor(default)]
    domains: Domains,
    #[n(8)]
    #[cbor(default)]
    mailboxes: StoredMailboxes,
    #[n(12)]
    #[cbor(default)]
    greetings: Greetings,
}

/// What is read of a checkpoint of other windows.
#[derive(Decode, Default)]
struct Salvage {
    #[n(1)]
    #[cbor(default)]
    reporters: StoredReporters,
    #[n(5)]
    #[cbor(default)]
    traps: Watch,
}

impl Mail {
    pub(crate) fn new(seeded: Seeded) -> Mail {
        Mail {
            seeded,
            delivered: Delivered::new(seeded),
            reporters: Reporters::new(seeded),
            outbound: Outbound::new(seeded),
            guesses: Guesses::default(),
            traps: Watch::default(),
            texts: Texts::new(seeded.0),
            domains: Domains::default(),
            mailboxes: Mailboxes::new(seeded),
            greetings: Greetings::default(),
        }
    }

    /// We took a message under a queue name; it had the name `before`.
    pub(crate) fn took(&mut self, before: Option<u64>, queue: u64, session: &Session, now: Millis) {
        self.delivered.put(before, &session.delivery(queue), now);
        if let Some(exhibit) = session.exhibit() {
            self.delivered.keep_exhibit(queue, exhibit);
        }
        session.people().for_each(|person| self.reporters.got_mail(person, session.at));
    }

    /// What a user's report means for which key: nothing, if we did not take the message
    /// (ADV-2), it is too old, or the person has said so today.
    pub(crate) fn reported(
        report: &Reported,
        sessions: &Sessions,
        around: &mut Around<'_>,
    ) -> Option<(Prefix, Sight)> {
        let known = around.mail.delivered.find(report.queue, around.now);
        let Some(delivery) = known.filter(|delivery| agrees(report, delivery, around.policy)) else {
            around.counters.unmatched_reports += 1;
            return None;
        };
        let late = around.at.since(delivery.at) >= KEPT;
        if late || !around.mail.reporters.takes(report, around.at) {
            around.counters.ignored_reports += 1;
            return None;
        }
        around.mail.mailboxes.used(report.reporter.0 as u32, around.at);
        let act = Act::Reported(around.mail.weigh(report, &delivery, around.at));
        let sight = Sight::of(delivery.at, delivery.traits(), act);
        let known = sessions.reported(report.queue);
        let shadowed = known.as_ref().is_some_and(|(_, shadowed)| *shadowed);
        let sample = known.map_or_else(|| around.mail.sample(&delivery), |(sample, _)| sample);
        let sample = (report.vote == Vote::Junk).then_some(sample);
        Some((client_prefix(delivery.addr), Sight { sample, shadowed, ..sight }))
    }

    /// A message that went to one person, and not to the one who reports it, came there by
    /// an alias or was shown by its reader: half the weight.
    fn weigh(&self, report: &Reported, delivery: &Delivery, when: Millis) -> Report {
        let reporter = report.reporter.0 as u32;
        let weight = self.reporters.weight(reporter, when);
        let is_another_s = delivery.single && delivery.recipient != reporter;
        Report {
            when,
            reporter,
            weight: if is_another_s { weight / 2 } else { weight },
            bulk: delivery.bulk,
            vote: report.vote,
            near: delivery.near && delivery.judgement != Some(Judgement::Spam),
        }
    }

    /// What can be shown of a message whose session is forgotten.
    fn sample(&self, delivery: &Delivery) -> Box<Sample> {
        let client =
            Client { addr: delivery.addr, port: 0, helo: None, rdns: Rdns::Unknown, authenticated: false };
        let evidence = Evidence {
            judgement: delivery.judgement,
            exhibit: self.delivered.exhibit(delivery.queue),
            ..bare(delivery.at, client)
        };
        Box::new(Sample { hash: self.seeded.pair(delivery.queue, 2), keep: Keep::IfCounted, evidence })
    }

    /// What a recipient that the MTA refused means for which key.
    pub(crate) fn rejected(
        seen: &Observation,
        rejected: &Rejected,
        around: &mut Around<'_>,
    ) -> Option<(Prefix, Sight)> {
        if rejected.client.authenticated {
            return None;
        }
        let traits = Traits::of(&rejected.client, false, around.policy);
        let null_sender = rejected.sender.is_none();
        let rule = &around.policy.dictionary;
        let is_catch_all = rejected.domain.is_some_and(|domain| rule.catch_all.contains(&domain));
        let unknown = rejected.why == Rejection::UnknownUser && !is_catch_all;
        let key = client_prefix(rejected.client.addr);
        if let (true, Some(domain), Some(who)) = (unknown, rejected.domain, rejected.recipient) {
            around.mail.guesses.note(domain, (key, traits), who, around.at, rule);
        }
        let act = Act::Rejected { recipient: rejected.recipient, unknown, null_sender };
        let evidence = Evidence {
            sensor: seen.sensor,
            sender: rejected.sender,
            ..bare(around.at, rejected.client.clone())
        };
        let hash = around.mail.seeded.pair(seen.session, 1);
        let sample = Some(Box::new(Sample { hash, keep: Keep::IfCounted, evidence }));
        let sight = Sight { sample, ..Sight::of(around.at, traits, act) };
        Some((key, sight))
    }

    /// What a client's conduct means for which key.
    pub(crate) fn conduct(
        seen: &Observation,
        conduct: &Conduct,
        around: &Around<'_>,
    ) -> Option<(Prefix, Sight)> {
        if conduct.client.authenticated {
            return None;
        }
        let traits = Traits::of(&conduct.client, false, around.policy);
        let evidence = Evidence { sensor: seen.sensor, ..bare(around.at, conduct.client.clone()) };
        let hash = around.mail.seeded.pair(seen.session, 3);
        let sample = Some(Box::new(Sample { hash, keep: Keep::IfCounted, evidence }));
        let sight = Sight { sample, ..Sight::of(around.at, traits, Act::Conduct(conduct.habit)) };
        Some((client_prefix(conduct.client.addr), sight))
    }

    /// What our servers counted of a client's sessions means for which key. Only who sees
    /// the connections themselves counts: what others say of them is not verified (ADV-1).
    pub(crate) fn connected(
        seen: &Observation,
        connected: &Connected,
        around: &Around<'_>,
    ) -> Option<(Prefix, Sight)> {
        let sees = matches!(seen.sensor, Sensor::Milter | Sensor::Policy | Sensor::MailLog | Sensor::Replay);
        if !sees || connected.client.authenticated {
            return None;
        }
        let traits = Traits::of(&connected.client, false, around.policy);
        let evidence = Evidence { sensor: seen.sensor, ..bare(around.at, connected.client.clone()) };
        let hash = around.mail.seeded.pair(seen.session, 4);
        let sample = Some(Box::new(Sample { hash, keep: Keep::IfCounted, evidence }));
        let act = Act::Connected(connected.sessions);
        let sight = Sight { sample, ..Sight::of(around.at, traits, act) };
        Some((client_prefix(connected.client.addr), sight))
    }

    /// Forgets what lessons about names rest on.
    pub(crate) fn unlearn(&mut self) {
        (self.domains, self.greetings) = (Domains::default(), Greetings::default());
    }

    pub(crate) fn store(&self) -> StoredMail {
        StoredMail {
            delivered: self.delivered.store(),
            reporters: self.reporters.store(),
            outbound: self.outbound.store(),
            guesses: self.guesses.clone(),
            traps: self.traps.clone(),
            texts: self.texts.store(),
            domains: self.domains.clone(),
            mailboxes: self.mailboxes.store(),
            greetings: self.greetings.clone(),
        }
    }

    /// What a checkpoint of other windows holds that is no window: burnt traps, and how much the
    /// word of reporters is worth. Their forms only ever grow; nothing, where they can not be read.
    pub(crate) fn salvage(stored: &[u8]) -> StoredMail {
        let Salvage { reporters, traps } = minicbor::decode(stored).unwrap_or_default();
        StoredMail { reporters, traps, ..StoredMail::default() }
    }

    pub(crate) fn restore(seeded: Seeded, stored: StoredMail) -> Mail {
        Mail {
            seeded,
            delivered: Delivered::restore(seeded, stored.delivered),
            reporters: Reporters::restore(seeded, stored.reporters),
            outbound: Outbound::restore(seeded, stored.outbound),
            guesses: stored.guesses,
            traps: stored.traps,
            texts: Texts::restore(seeded, stored.texts),
            domains: stored.domains,
            mailboxes: Mailboxes::restore(seeded, stored.mailboxes),
            greetings: stored.greetings,
        }
    }
}

/// Whether a report knows of a message what only its reader can know (ADV-2): besides the queue
/// id the client, which is a relay of ours where one handed it on, and the time.
fn agrees(report: &Reported, delivery: &Delivery, policy: &Policy) -> bool {
    let relayed = |client: Prefix| policy.relays.iter().any(|relay| relay.covers(client));
    let by = |client: Prefix| client.covers(Prefix::host(delivery.addr)) || relayed(client);
    let near = |taken: Millis| taken.0.abs_diff(delivery.at.0) <= APART_MAX.0 * 1000;
    report.client.is_none_or(by) && report.taken_at.is_none_or(near)
}

/// Evidence of a client and a time, and of nothing else.
pub(crate) fn bare(at: Millis, client: Client) -> Evidence {
    Evidence {
        at,
        client,
        sensor: model::Sensor::Report,
        sender: None,
        recipients: 1,
        judgement: None,
        score: None,
        source: None,
        trap: None,
        exhibit: None,
    }
}
