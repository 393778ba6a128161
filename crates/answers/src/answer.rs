//! The decision at RCPT, in the normative order of REQUIREMENTS C.4.
//!
//! Reads one immutable view and one session; remembers nothing. What the order asks of
//! rules that do not exist (personal lists, external lists) is not here. Greylisting asks a
//! stranger to come back; whether he did is for the caller to know, who keeps the tickets.
//!
//! Every RCPT of every client comes through [`answer`]: for a client against whom nothing
//! is known it takes two looks into the index and does not allocate.

use std::net::IpAddr;

use model::case::Opened;
use model::key::fold;
use model::reasons::by_number;
use model::{Answered, BlockKind, CaseId, Class, Key, Millis, Mode, Offence, Secs, Site};
use projections::{Threat, View};

use crate::domain;
use crate::hold;
use crate::names;
use crate::public::{Public, Reply};
use crate::session::{ConnectionScore, Session};
use crate::territory::{self, Step};
use crate::texts;

/// A list host with less than this to wait is deferred, not refused, so that lists do not
/// drop our users (S72, TXT-20).
const LIST_HOST_WAITS: Secs = Secs::DAY;

/// What to do with one RCPT, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// What the client hears.
    pub tell: Tell,
    /// The live case behind a refusal, or the one that an exempt recipient kept from it.
    pub case: Option<CaseId>,
    /// It passed only because its recipient is open to blocked hosts.
    pub exempt: bool,
    /// The case that would have refused it, were it enforced.
    pub would: Option<CaseId>,
    /// The connection score refuses it by itself, or would.
    pub scored: bool,
    /// It spoke before our greeting, and is refused for that by itself, or would be.
    pub early: bool,
    /// It is greylisting that asks to come back: who has waited long enough is let in.
    pub greylisted: bool,
}

/// What the client hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tell {
    /// Nothing from us.
    Pass,
    /// A reply of class 5.
    Refuse(Public<Reply>),
    /// A reply of class 4.
    Defer(Public<Reply>),
}

impl Answer {
    /// Nothing against it.
    pub const PASS: Answer = Answer {
        tell: Tell::Pass,
        case: None,
        exempt: false,
        would: None,
        scored: false,
        early: false,
        greylisted: false,
    };

    /// The answer as the engine is told of it.
    pub fn answered(&self) -> Answered {
        match (&self.tell, self.case, self.would) {
            (Tell::Pass, ..) if self.exempt => Answered::Exempt,
            (Tell::Pass, _, Some(would)) => Answered::WouldBlock(would),
            (Tell::Pass, _, None) => Answered::Passed,
            (_, Some(case), _) => Answered::Blocked(case),
            (_, None, _) if self.greylisted => Answered::Deferred,
            (_, None, _) => Answered::Refused,
        }
    }
}

/// Answers one RCPT at `now`.
pub fn answer(session: &Session<'_>, view: &View, now: Millis) -> Answer {
    let score = territory::score(session, view).filter(ConnectionScore::refuses);
    let by_country = territory::step(session, view);
    let open = session.pool.is_none() && !session.early && !session.absent;
    let clean = score.is_none() && open && by_country == Step::None;
    let marked =
        hold::is_marked(view, fold(session.addr), now) || domain::is_marked(view, session.sender, now);
    if clean && !marked {
        return Answer::PASS;
    }
    weigh(session, view, score, by_country, now)
}

/// C.4 with something in hand; the numbers are its steps.
#[cold]
fn weigh(
    session: &Session<'_>,
    view: &View,
    score: Option<ConnectionScore>,
    by_country: Step,
    now: Millis,
) -> Answer {
    let addr = fold(session.addr);
    // 1. A login skips the lists. 2. Our own and protected clients are not asked.
    if session.authenticated || session.ours || view.protected.lists(addr) {
        return Answer::PASS;
    }
    let enforced = enforced(view, addr);
    let tried = |rule| view.lessons.is_on_trial(rule, now);
    let early = session.early && !is_known(view, addr);
    let (talked, weighed) = (early, score);
    // G-SHADOW: a rule on trial is said, and refuses nothing.
    let early = early && !tried(Offence::EarlyTalker);
    let score = score.filter(|_| !tried(Offence::ReverseDns));
    let by_name = if is_known(view, addr) { Step::None } else { names::step(session, view, now) };
    let applies = |reason| applies(reason, session, view, now);
    let live = hardest(session, view, addr, now);
    let case = live.as_ref().filter(|_| enforced).map(|t| t.force.case);
    // 4, and before it 3: exempt recipients are open to every kind (DESIGN §8).
    if session.recipient.is_some_and(|r| is_exempt(&view.site, r)) {
        let refused = score.is_some() || early || by_name == Step::Refuse;
        let exempt = enforced && (case.is_some() || refused);
        return Answer { case, exempt, ..Answer::PASS };
    }
    let shadow = hold::against(view, addr, Mode::Shadow, session.began, now, &applies);
    let shadow = shadow.or_else(|| domain::against(session, view, Mode::Shadow, now)).map(|t| t.force.case);
    let would = if enforced { shadow } else { live.as_ref().map(|t| t.force.case).or(shadow) };
    let stays = live.is_none() && score.is_none() && !early && by_name != Step::Refuse;
    let greylisted = enforced && stays && must_wait(session, view, now);
    let tell = match (&live, &score) {
        _ if !enforced => Tell::Pass,
        // 3 and 8; 12 for those that greytrapping defers.
        (Some(threat), _) => blocked(view, addr, threat, now),
        // OFF-18: a bot's session is over before it began.
        (None, _) if early => Tell::Refuse(texts::early(&view.site, addr)),
        // 10.
        (None, Some(score)) => by_score(&view.site, addr, score),
        (None, None) if by_country == Step::Refuse => Tell::Refuse(texts::by_country(&view.site, addr)),
        (None, None) if by_name == Step::Refuse => Tell::Refuse(texts::no_such_name(&view.site, addr)),
        // 12.
        (None, None) if greylisted => Tell::Defer(texts::greylisted(&view.site, addr)),
        (None, None) if by_name == Step::Defer => Tell::Defer(texts::wait_for_name(&view.site, addr)),
        (None, None) if by_country == Step::Defer => Tell::Defer(texts::wait_by_country(&view.site, addr)),
        (None, None) => Tell::Pass,
    };
    Answer { tell, case, exempt: false, would, scored: weighed.is_some(), early: talked, greylisted }
}

/// Whether good mail came of it, or its class is known and above: appliances break rules.
fn is_known(view: &View, addr: IpAddr) -> bool {
    let standing = view.cases.key(&Key::of_client(addr)).and_then(|known| known.standing);
    standing.is_some_and(|known| known.credit || known.class > Class::Unknown)
}

/// What holds against the client, or against the sender's domain: a refusal before a deferral
/// (8 before 12), whichever lasts longer. One that the score refuses is refused for that.
fn hardest(session: &Session<'_>, view: &View, addr: IpAddr, now: Millis) -> Option<Threat> {
    let among = |deferrals: bool| {
        let which = |reason| is_deferral(reason) == deferrals && applies(reason, session, view, now);
        hold::against(view, addr, Mode::Live, session.began, now, &which)
    };
    let refusals = [among(false), domain::against(session, view, Mode::Live, now)];
    let hardest = refusals.into_iter().flatten().max_by_key(|threat| threat.force);
    hardest.or_else(|| among(true).filter(|_| !session.score.is_some_and(|s| s.refuses())))
}

/// Whether a case for this reason only defers (OFF-3).
fn is_deferral(reason: u8) -> bool {
    by_number(reason).offence == Offence::Greytrap
}

/// 12: whether greylisting asks the client to come back. Bounces never wait: nobody tries
/// again who only wants to know whether an address exists, and mail of ours would be late
/// (STD-40).
fn must_wait(session: &Session<'_>, view: &View, now: Millis) -> bool {
    let is_stranger = |pool: &Key| !view.passes(pool, now) && !view.has_credit(session.addr);
    session.sender != Some(b"") && session.pool.as_ref().is_some_and(is_stranger)
}

/// Whether a refusal may leave for this client (DESIGN §5, ‘First start’).
///
/// Without portal and contact it may for loopback clients only, and never without a link.
pub(crate) fn enforced(view: &View, addr: IpAddr) -> bool {
    let may = view.site.may_refuse || addr.is_loopback();
    view.mode == Mode::Live && may && !view.site.portal.is_empty()
}

/// Whether an edge's own meter may defer a client: refusals may leave for it, and it is
/// neither ours nor protected, nor logged in, nor writes to an open recipient.
pub fn may_defer(view: &View, session: &Session<'_>) -> bool {
    let addr = fold(session.addr);
    let is_open = session.recipient.is_some_and(|r| is_exempt(&view.site, r));
    let is_trusted = session.authenticated || session.ours || view.protected.lists(addr);
    enforced(view, addr) && !is_open && !is_trusted
}

/// 9: whoever sends backscatter is refused its bounces only (TXT-11), and not those to people who
/// wrote lately (A.4).
fn applies(reason: u8, session: &Session<'_>, view: &View, now: Millis) -> bool {
    let wrote = || session.to.is_some_and(|who| view.writers.wrote(who, now));
    by_number(reason).offence != Offence::Backscatter || (session.sender == Some(b"") && !wrote())
}

fn blocked(view: &View, addr: IpAddr, threat: &Threat, now: Millis) -> Tell {
    let (site, force) = (&view.site, threat.force);
    if matches!(threat.key, Key::Domain(_)) {
        return Tell::Refuse(texts::of_domain(site, addr, force.case));
    }
    let standing = view.cases.key(&threat.key).and_then(|k| k.standing);
    let list_host = standing.is_some_and(|s| s.class == Class::ListHost);
    if list_host && force.kind == BlockKind::Rbl && force.until.since(now) < LIST_HOST_WAITS {
        Tell::Defer(texts::list_host(site, addr, force.until, force.case))
    } else if is_deferral(force.reason) {
        Tell::Defer(texts::blocked(site, by_number(force.reason), addr, force.case))
    } else if opened(view, force.case).is_some_and(texts::defers) {
        Tell::Defer(texts::deferred(site, by_number(force.reason), addr, force.case))
    } else {
        Tell::Refuse(texts::blocked(site, by_number(force.reason), addr, force.case))
    }
}

fn opened(view: &View, case: CaseId) -> Option<&Opened> {
    view.case(case)?.case.opened.as_ref()
}

fn by_score(site: &Site, addr: IpAddr, score: &ConnectionScore) -> Tell {
    if score.line {
        return Tell::Refuse(texts::dynamic(site, addr));
    }
    Tell::Refuse(texts::connection(site, addr, score.heaviest))
}

/// Whether a recipient is open to blocked hosts: by its local part at any domain or none
/// (RFC 5321 §4.5.1: ‘Postmaster’ without a domain, too), or by its whole address. What
/// follows a `+` in the local part does not matter.
pub fn is_exempt(site: &Site, recipient: &[u8]) -> bool {
    let at = recipient.iter().rposition(|b| *b == b'@').unwrap_or(recipient.len());
    let (local, domain) = recipient.split_at(at);
    let plain = local.split(|b| *b == b'+').next().unwrap_or(local);
    let by_local = site.exempt_local.iter().any(|l| plain.eq_ignore_ascii_case(l.as_bytes()));
    by_local
        || site.exempt_address.iter().filter_map(|a| a.rsplit_once('@')).any(|(l, d)| {
            plain.eq_ignore_ascii_case(l.as_bytes())
                && domain.get(1..).is_some_and(|own| own.eq_ignore_ascii_case(d.as_bytes()))
        })
}

#[cfg(test)]
mod early_tests;
#[cfg(test)]
mod grey_tests;
#[cfg(test)]
mod name_tests;
#[cfg(test)]
pub(crate) mod tests;
