//! Which form a report has, and how each is taken apart.

use super::claims::mailbox;
use super::entity::Entity;
use super::original::{Original, is_bounce};
use super::report::{Claims, FeedbackType, Kind, NotAReport, Report, Vote};
use super::xarf::{self, Xarf};
use super::{feedback, plain};

/// The most octets of one report: what `lmtp` takes, and with it what our MX hosts do.
pub const RAW_LEN_MAX: usize = 25 * 1024 * 1024;

/// The most messages of one report: what a person marks and forwards in one go.
pub const ORIGINALS_MAX: usize = 16;

/// Reads mail to the address where people report abuse.
///
/// The reported message must be in it, never be it: what a person redirects to us has our
/// own Received field on top, and would accuse the person.
///
/// # Errors
///
/// [`NotAReport`].
pub fn parse_report(raw: &[u8]) -> Result<Report, NotAReport> {
    let mail = message(raw)?;
    let (from, bounce) = (mailbox(mail.fields, "From"), is_bounce(&mail));
    let says_arf = mail.parameter("report-type").is_some_and(|t| t.eq_ignore_ascii_case("feedback-report"));
    let says_plain = plain::is_announced(mail.fields);
    let leaves = mail.leaves();
    let mut report = match form(&leaves, bounce, says_arf, says_plain)? {
        Form::Xarf(xarf) => of_xarf(*xarf)?,
        Form::Arf(at) => of_arf(&leaves, at)?,
        Form::Plain => of_plain(&leaves)?,
        Form::Forward => of_forward(&leaves)?,
    };
    report.claims.from = from;
    Ok(report)
}

/// Takes `raw` itself for the reported message, as a filter's or a mail program's junk
/// button hands it over. What is attached to it is not looked at: a spammer wrote it.
///
/// # Errors
///
/// [`NotAReport`]: it is too long, no message or a bounce.
pub fn parse_bare(raw: &[u8], vote: Vote) -> Result<Report, NotAReport> {
    message(raw)?;
    let original = Original::read(raw, true);
    if original.is_bounce {
        return Err(NotAReport::Bounce);
    }
    let claims = Claims { incidents: 1, ..Claims::default() };
    Ok(Report { kind: Kind::Bare, vote: Some(vote), originals: vec![original], claims })
}

fn message(raw: &[u8]) -> Result<Entity<'_>, NotAReport> {
    if raw.len() > RAW_LEN_MAX {
        return Err(NotAReport::TooLong { len: raw.len() });
    }
    let mail = Entity::read(raw);
    let has_field = mail.fields.iter().next().is_some();
    has_field.then_some(mail).ok_or(NotAReport::Empty)
}

enum Form {
    Xarf(Box<Xarf>),
    /// And which leaf says it.
    Arf(usize),
    Plain,
    Forward,
}

fn form(leaves: &[Entity<'_>], bounce: bool, says_arf: bool, says_plain: bool) -> Result<Form, NotAReport> {
    if let Some(xarf) = leaves.iter().find_map(xarf_of) {
        return Ok(Form::Xarf(Box::new(xarf?)));
    }
    let feedback = leaves.iter().position(|leaf| leaf.is("message", "feedback-report"));
    match feedback {
        Some(at) => Ok(Form::Arf(at)),
        None if bounce => Err(NotAReport::Bounce),
        None if says_arf => Err(NotAReport::NoFeedback),
        None if says_plain => Ok(Form::Plain),
        None => Ok(Form::Forward),
    }
}

/// The XARF document in a part, or what is wrong with it; `None` if it holds none.
fn xarf_of(leaf: &Entity<'_>) -> Option<Result<Xarf, NotAReport>> {
    let named = leaf.file_name().is_some_and(|name| name.ends_with(".json"));
    if !leaf.is("application", "json") && !leaf.is("application", "xarf+json") && !named {
        return None;
    }
    let content = leaf.content();
    xarf::announces_itself(&content).then(|| xarf::parse_xarf(&content).map_err(NotAReport::Xarf))
}

fn of_xarf(xarf: Xarf) -> Result<Report, NotAReport> {
    let feedback_type = xarf.feedback_type().ok_or_else(|| NotAReport::not_mail(&xarf.kind))?;
    let sample = xarf.sample.as_deref().map(|sample| Original::read(sample, true));
    let originals = sample.filter(|original| !original.headers.is_empty());
    let claims = Claims {
        reporter: Some(xarf.reporter),
        feedback_type: Some(feedback_type),
        feedback_word: xarf.kind.into_bytes(),
        version: Some(xarf.version.text().into()),
        source_ip: xarf.source_ip,
        source_port: xarf.source_port,
        arrival_secs: xarf.at_secs,
        incidents: 1,
        envelope_id: xarf.report_id,
        mail_from: xarf.mail_from,
        rcpt_to: xarf.rcpt_to.into_iter().collect(),
        ..Claims::default()
    };
    let vote = feedback_type.vote();
    Ok(Report { kind: Kind::Xarf, vote, originals: originals.into_iter().collect(), claims })
}

/// RFC 5965 §2: the third part is the message, or its headers.
fn of_arf(leaves: &[Entity<'_>], at: usize) -> Result<Report, NotAReport> {
    let claims = feedback::read(&leaves[at].content())?;
    let originals = leaves.iter().filter_map(reported).take(1).collect();
    let vote = claims.feedback_type.and_then(FeedbackType::vote);
    Ok(Report { kind: Kind::Arf, vote, originals, claims })
}

fn of_plain(leaves: &[Entity<'_>]) -> Result<Report, NotAReport> {
    let part = plain::part(leaves).ok_or(NotAReport::NoFeedback)?;
    let claims = plain::read(&part.content())?;
    let originals = leaves.iter().filter_map(reported).take(1).collect();
    let vote = claims.feedback_type.and_then(FeedbackType::vote);
    Ok(Report { kind: Kind::XarfPlain, vote, originals, claims })
}

fn of_forward(leaves: &[Entity<'_>]) -> Result<Report, NotAReport> {
    let (bounces, originals): (Vec<_>, Vec<_>) =
        leaves.iter().filter_map(reported).take(ORIGINALS_MAX).partition(|original| original.is_bounce);
    match (bounces.is_empty(), originals.is_empty()) {
        (true, true) => Err(NotAReport::NothingAttached),
        (false, true) => Err(NotAReport::Bounce),
        (_, false) => {
            let claims = Claims { incidents: 1, ..Claims::default() };
            Ok(Report { kind: Kind::Forward, vote: Some(Vote::Junk), originals, claims })
        }
    }
}

/// The message that a part holds, if it holds one.
fn reported(leaf: &Entity<'_>) -> Option<Original> {
    let named = || leaf.file_name().is_some_and(|name| name.ends_with(".eml"));
    let whole = leaf.is("message", "rfc822") || leaf.is("message", "global") || named();
    // The second name is wrong and common.
    let headers = leaf.is("text", "rfc822-headers") || leaf.is("text", "rfc822-header");
    if !whole && !headers {
        return None;
    }
    let original = Original::read(&leaf.content(), whole);
    (!original.headers.is_empty()).then_some(original)
}
