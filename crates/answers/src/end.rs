//! The decision at the end of a message: what its content alone says.
//!
//! The connection was judged at RCPT ([`crate::answer`]); a message that came this far is
//! refused here for malware, for a dangerous attachment, for a sender of ours that SPF
//! forbids (OFF-12, OFF-13, OFF-14), because connection and content give four points
//! together, or because a filter takes it for spam, if the site wants that, or the client's
//! last hour was nearly all spam (ADV-18). A recipient that is open to blocked hosts is not open to malware (STD-33),
//! but the desk where people report abuse takes whatever they report.
//!
//! Nothing of the message enters a text. While learning nothing is refused; the mark that
//! the message gets says what would have been.

use std::fmt;
use std::net::IpAddr;

use model::content::{Danger, Dmarc, Shape, Spf};
use model::key::{client_prefix, fold};
use model::reasons::{by_number, of_offence};
use model::{CaseId, Class, Content, Judgement, Key, Millis, Mode, Offence, PersonHash, Verdict};
use projections::View;

use crate::answer::enforced;
use crate::hold;
use crate::link::{case_link, help_link};
use crate::page::{hundredths, judgement};
use crate::public::{Public, Reply};
use crate::session::ConnectionScore;
use crate::texts::{ENCRYPTED, FILE_TYPE, FORGED, INFECTED, LIKE_SPAM, SCORED, Text, Values, blocked};

/// The longest word of a judge in a mark.
const WORD_LEN_MAX: usize = 40;

/// What is known of a message when its end was seen.
#[derive(Clone, Debug)]
pub struct Ending<'a> {
    /// The client's address.
    pub addr: IpAddr,
    /// The client logged in, or is one of our own or a declared relay (C.4, steps 1 and 2).
    pub trusted: bool,
    /// What the message itself showed.
    pub content: &'a Content,
    /// What the judges say together; `None` is unknown.
    pub verdict: Option<&'a Verdict>,
    /// What connection and content weigh together, where a score may refuse.
    pub score: Option<ConnectionScore>,
    /// A verdict ‘spam’ blocks the client at once (OFF-1's first-hit tier): it has no good mail
    /// and looks like an end user's computer.
    pub first_hit: bool,
    /// The client has a history and bursts with spam ([`View::bursts`]).
    pub burst: bool,
    /// The envelope sender's domain is one of ours.
    pub sender_is_ours: bool,
    /// Every recipient is an address where people report abuse.
    pub desk: bool,
    /// Every recipient is open to blocked hosts: content is looked at, the client is not.
    pub exempt: bool,
    /// The live case against the client, if all recipients were open to it.
    pub case: Option<CaseId>,
    /// The case that would have refused a recipient, were it enforced.
    pub would: Option<CaseId>,
    /// The live case against the client for backscatter ([`bounces_case`]).
    pub bounces: Option<CaseId>,
}

/// What is done with messages of one kind.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Act {
    /// Delivered, with a mark.
    #[default]
    Pass,
    /// Taken, and held for the operator.
    Quarantine,
    /// Refused with a text that says why.
    Refuse,
}

/// What is done with which messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EndRules {
    /// Malware.
    pub virus: Act,
    /// A type of file that the site does not take.
    pub attachment: Act,
    /// An encrypted archive; together with the words of a lure it counts as `attachment`.
    pub encrypted: Act,
    /// A sender of ours that comes from where our SPF record forbids it.
    pub forged: Act,
    /// What a filter takes for spam.
    pub spam: Act,
    /// The lowest score that is acted on, in hundredths; `None` is every verdict ‘spam’.
    pub spam_score: Option<i32>,
    /// What a filter takes for spam, from a client that is blocked for it at once, or from one
    /// whose last hour was nearly all spam (ADV-18).
    pub first_hit: Act,
    /// What connection and content give four points together.
    pub scored: Act,
}

impl Default for EndRules {
    /// As shipped: spam is counted, not refused (C.2).
    fn default() -> EndRules {
        EndRules {
            virus: Act::Refuse,
            attachment: Act::Refuse,
            encrypted: Act::Pass,
            forged: Act::Refuse,
            spam: Act::Pass,
            spam_score: None,
            first_hit: Act::Refuse,
            scored: Act::Refuse,
        }
    }
}

/// Why a message is not simply delivered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "as in `EndRules`")]
pub enum EndRule {
    Virus,
    Attachment,
    Encrypted,
    Forged,
    Spam,
    FirstHit,
    Burst,
    Scored,
    Backscatter,
}

impl EndRule {
    /// The word in output.
    pub fn word(self) -> &'static str {
        match self {
            EndRule::Virus => "virus",
            EndRule::Attachment => "attachment",
            EndRule::Encrypted => "encrypted",
            EndRule::Forged => "spf",
            EndRule::Spam => "spam",
            EndRule::FirstHit => "first-hit",
            EndRule::Burst => "burst",
            EndRule::Scored => "score",
            EndRule::Backscatter => "backscatter",
        }
    }

    fn text(self) -> (Text<'static>, &'static str) {
        match self {
            EndRule::Virus => (INFECTED, "virus"),
            EndRule::Attachment => (FILE_TYPE, "files"),
            EndRule::Encrypted => (ENCRYPTED, "files"),
            EndRule::Forged => (FORGED, "spf"),
            EndRule::Spam | EndRule::FirstHit | EndRule::Burst => (LIKE_SPAM, "spam"),
            EndRule::Scored | EndRule::Backscatter => (SCORED, "spam"),
        }
    }
}

/// What to do with a message, and what to write into its header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ended {
    /// What the MTA shall do.
    pub tell: Finish,
    /// The rule behind it, or behind what would have been done.
    pub rule: Option<EndRule>,
    /// It passes only because nothing is refused yet.
    pub would: bool,
    /// The value of the header `X-Mailward`.
    pub mark: Public<Mark>,
}

/// What the MTA shall do with a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Finish {
    /// Deliver it.
    Pass,
    /// Refuse it.
    Refuse(Public<Reply>),
    /// Hold it, with this word as the reason.
    Quarantine(&'static str),
}

/// The value of a header that says what was found: printable ASCII, no person, nothing that
/// the sender wrote.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mark(String);

impl Mark {
    /// The value, without a line end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Decides on a whole message.
pub fn at_end(ending: &Ending<'_>, rules: &EndRules, view: &View) -> Ended {
    let addr = fold(ending.addr);
    let open = ending.trusted || ending.desk || view.protected.lists(addr);
    let found = if open { None } else { hardest(ending, rules, view) };
    let enforced = enforced(view, addr);
    let acts = found.filter(|(_, act)| *act > Act::Pass);
    let tell = match acts.filter(|_| enforced) {
        Some((rule, Act::Refuse)) => Finish::Refuse(refusal(rule, ending, view)),
        Some((rule, _)) => Finish::Quarantine(rule.word()),
        None => Finish::Pass,
    };
    let rule = acts.map(|(rule, _)| rule);
    let would = acts.is_some() && !enforced;
    let mark = Public::new(mark(ending, found, &tell));
    Ended { tell, rule, would, mark }
}

/// The rule that does most, and among equals the first.
fn hardest(ending: &Ending<'_>, rules: &EndRules, view: &View) -> Option<(EndRule, Act)> {
    let Ending { content, verdict, .. } = ending;
    let lured = content.shape.any(Shape::LURE);
    let encrypted = if lured { rules.attachment.max(rules.encrypted) } else { rules.encrypted };
    // A refusal to somebody's relay or list comes back as a bounce to somebody else.
    let by_client = !ending.exempt && !is_forwarder(ending, view);
    let came_back = content.shape.any(Shape::WAS_HERE) && has_credit(ending, view);
    let judged_by_client = by_client && !came_back;
    let is_spam = || verdict.is_some_and(|v| is_spam(v, rules));
    let all = [
        (EndRule::Virus, rules.virus, verdict.is_some_and(|v| v.judgement == Judgement::Virus)),
        (EndRule::Attachment, rules.attachment, content.attachment == Danger::Refused),
        (EndRule::Encrypted, encrypted, content.attachment == Danger::Encrypted),
        (EndRule::Forged, rules.forged, is_forged(ending, view)),
        (EndRule::Spam, rules.spam, !ending.exempt && is_spam()),
        // What blocks its server is not delivered first.
        (EndRule::FirstHit, rules.first_hit, judged_by_client && ending.first_hit && is_spam()),
        // It is not blocked yet, for it has a history: so what it writes about itself, which a
        // thief of its password writes too, spares nothing.
        (EndRule::Burst, rules.first_hit, by_client && ending.burst && is_spam()),
        // An automatic answer with a sender: at RCPT it looked like other mail (J5).
        (
            EndRule::Backscatter,
            Act::Refuse,
            !ending.exempt && ending.bounces.is_some() && is_automatic(content),
        ),
        (EndRule::Scored, rules.scored, judged_by_client && ending.score.is_some_and(|s| s.refuses())),
    ];
    let found = all.into_iter().filter(|(_, _, found)| *found).map(|(rule, act, _)| (rule, act));
    found.reduce(|first, next| if next.1 > first.1 { next } else { first })
}

/// A sender of ours that SPF forbids here. Somebody's forwarder sends our own mail back to
/// us from a foreign address, and a list does: neither forges (G-FWD), and whose signature
/// of ours is whole did not either. The marks of both are header fields that anybody can
/// write, so they speak only for a key that is known: one good message is soon sent.
fn is_forged(ending: &Ending<'_>, view: &View) -> bool {
    let content = ending.content;
    let marked = content.shape.any(Shape::REWRITTEN | Shape::LIST | Shape::WAS_HERE);
    let passed_on = marked && class(ending, view) >= Class::Known;
    ending.sender_is_ours
        && content.spf == Spf::Fail
        && content.dmarc != Dmarc::Pass
        && !passed_on
        && !is_forwarder(ending, view)
}

fn is_forwarder(ending: &Ending<'_>, view: &View) -> bool {
    matches!(class(ending, view), Class::Forwarder | Class::ListHost)
}

/// Whether the client has a history, so that its word that a message was here before counts.
fn has_credit(ending: &Ending<'_>, view: &View) -> bool {
    view.has_credit(ending.addr) || class(ending, view) >= Class::Known
}

fn class(ending: &Ending<'_>, view: &View) -> Class {
    let known = view.cases.key(&Key::Net(client_prefix(ending.addr)));
    known.and_then(|known| known.standing).map_or(Class::Unknown, |standing| standing.class)
}

fn is_spam(verdict: &Verdict, rules: &EndRules) -> bool {
    let enough = rules.spam_score.is_none_or(|least| verdict.score.is_some_and(|score| score >= least));
    verdict.judgement == Judgement::Spam && enough
}

fn is_automatic(content: &Content) -> bool {
    content.shape.any(Shape::NULL_SENDER | Shape::AUTOMATIC | Shape::BOUNCE)
}

/// The live case for backscatter against a client: it refuses bounces at RCPT, and automatic
/// answers that have a sender at their end. None for mail to somebody who wrote lately (A.4).
pub fn bounces_case(
    view: &View,
    addr: IpAddr,
    mut to: impl Iterator<Item = PersonHash>,
    now: Millis,
) -> Option<CaseId> {
    let addr = fold(addr);
    let is_it = |reason| by_number(reason).offence == Offence::Backscatter;
    let threat =
        hold::is_marked(view, addr, now).then(|| hold::against(view, addr, Mode::Live, now, now, &is_it));
    let case = threat.flatten().map(|threat| threat.force.case)?;
    (!to.any(|who| view.writers.wrote(who, now))).then_some(case)
}

/// Without a case a help page explains.
fn refusal(rule: EndRule, ending: &Ending<'_>, view: &View) -> Public<Reply> {
    if let (EndRule::Backscatter, Some(case)) = (rule, ending.bounces)
        && let Some(reason) = of_offence(Offence::Backscatter)
    {
        return blocked(&view.site, reason, fold(ending.addr), case);
    }
    let (text, topic) = rule.text();
    let (site, case) = (&view.site, ending.case);
    let url = case.map_or_else(|| help_link(site, topic), |case| case_link(site, case));
    let values = Values::new(site, fold(ending.addr), &url, case);
    match ending.score.filter(|_| rule == EndRule::Scored) {
        Some(score) => text.reply_with(score.heaviest, &values),
        None => text.reply(&values),
    }
}

/// `would refuse; rule=virus; verdict=virus; by=clamav`.
fn mark(ending: &Ending<'_>, found: Option<(EndRule, Act)>, tell: &Finish) -> Mark {
    let act = found.map_or(Act::Pass, |(_, act)| act);
    let what = match (tell, act, ending.would) {
        (Finish::Refuse(_), ..) => "refused",
        (Finish::Quarantine(_), ..) => "quarantined",
        (Finish::Pass, Act::Refuse, _) | (Finish::Pass, _, Some(_)) => "would refuse",
        (Finish::Pass, Act::Quarantine, None) => "would quarantine",
        (Finish::Pass, Act::Pass, None) => "pass",
    };
    let verdict = ending.verdict;
    let parts = [
        ("case", ending.would.map(|case| case.to_string())),
        ("rule", found.map(|(rule, _)| rule.word().to_owned())),
        ("verdict", Some(verdict.map_or("unknown", |v| judgement(v.judgement)).to_owned())),
        ("score", verdict.and_then(|v| v.score).map(hundredths)),
        ("by", verdict.map(|v| word(v.source.as_bytes()))),
    ];
    let told = parts.into_iter().filter_map(|(name, value)| Some(format!("; {name}={}", value?)));
    Mark(what.to_owned() + &told.collect::<String>())
}

/// A configured word, made fit for a header.
fn word(bytes: &[u8]) -> String {
    let plain = |b: &u8| if b.is_ascii_alphanumeric() || b"._-".contains(b) { char::from(*b) } else { '_' };
    bytes.iter().take(WORD_LEN_MAX).map(plain).collect()
}

#[cfg(test)]
mod tests;
