//! SMTP replies: templates filled in, held to their budgets (REQUIREMENTS E.1).
//!
//! The templates are rows of `model::reasons` and the few here that belong to no reason.
//! Nothing that a client chose enters a reply, only its address (TXT-R). Each reply has a
//! short and a long form. What it may say more is tried first, and dropped when the line
//! grows too long (TXT-R2): first the reference, then the mailbox, then polite words, never
//! code, address or link.

use std::net::IpAddr;

use model::case::Opened;
use model::reasons::{REASONS, Reason, by_id, by_number};
use model::{BlockKind, CaseId, Class, Millis, Offence, Site};

use crate::link::{case_link, help_link};
use crate::public::{Public, Reply};
use crate::when::When;

/// The most octets of a short reply, codes included.
///
/// Postfix puts the recipient and 29 octets of its own before a policy server's text, and
/// the whole line ends at 512 (RFC 5321 §4.5.3.1.5, REQUIREMENTS B.11).
pub const SHORT_LEN_MAX: usize = 200;
/// The most octets of a long reply: a milter's text goes out as it is, and 32 octets are
/// left for a line end and what an MTA may add.
pub const LONG_LEN_MAX: usize = 480;

/// What stands behind a text that has room for it (S49: class, link and contact).
const MAILBOX: &str = " or write to {contact}";
/// The same with more room.
const OPEN_MAILBOX: &str = " or write to {contact} (open to blocked hosts)";
/// For a list host that has less than a day to wait (TXT-20), and its shorter form.
pub(crate) const LIST_HOST: [&str; 2] = [
    "451 4.7.1 [{ip}] is blocked until {until}; mail will be accepted then. Details: {url}",
    "451 4.7.1 [{ip}] is blocked until {until}. Details: {url}",
];
/// For a blocked host that writes too often to the recipients that are open to it: 451,
/// never 550 (DESIGN §8, ‘Mail to Mailward’).
pub(crate) const TOO_OFTEN: &str =
    "451 4.7.1 [{ip}] sent too much here; try again in an hour. Details: {url}";
/// For a host with too many connections; the MTA closes the session after it (TXT-14).
pub(crate) const TOO_MANY: &str = "421 4.7.0 Too many connections from [{ip}], closing. Help: {url}";
/// For a HELO name that does not exist, the first time (S78).
pub(crate) const NO_SUCH_NAME: Text<'static> = Text {
    id: "no-such-name",
    short: &["450 4.7.1 [{ip}] deferred: its HELO name is not in DNS. How to repair: {url}"],
    long: &[
        "450 4.7.1 [{ip}] is deferred: the name that it gives in HELO does not exist in DNS; if DNS is at \
             fault, mail will be accepted later. How to repair: {url}",
    ],
};
/// For a session that spoke before our greeting (OFF-18).
pub(crate) const EARLY: Text<'static> = Text {
    id: "early-talk",
    short: &["550 5.5.1 [{ip}] refused: it speaks before our greeting. Help: {url}"],
    long: &[
        "550 5.5.1 [{ip}] is refused: in this session it spoke before our greeting, as bots do and no mail \
             server does. Help: {url}",
    ],
};
/// For mail of a domain that a person blocked.
pub(crate) const OF_DOMAIN: Text<'static> = Text {
    id: "domain",
    short: &["550 5.7.1 Mail of this sender's domain is blocked here. Contact: {url}"],
    long: &[
        "550 5.7.1 Mail of this sender's domain is blocked here by decision of the operator, wherever it \
             comes from. Contact: {url}",
    ],
};
/// When no single fact may be named.
pub(crate) const NO_FACT: &str = "it looks like a home computer";

/// A text in two lengths: the forms of each, the fullest first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) id: &'static str,
    pub(crate) short: &'a [&'a str],
    pub(crate) long: &'a [&'a str],
}

/// A message whose sender is ours comes from where our SPF record forbids it (TXT-8).
pub(crate) const FORGED: Text<'static> = Text {
    id: "end-spf",
    short: &["550 5.7.23 SPF does not permit [{ip}] to send this mail. Help: {url}"],
    long: &[
        "550 5.7.23 The sender domain's SPF record does not permit [{ip}] to send this mail. Help: {url}",
    ],
};
/// A message carries malware (TXT-9).
pub(crate) const INFECTED: Text<'static> = Text {
    id: "end-virus",
    short: &["554 5.7.1 Message refused: it carries malware. Help: {url}"],
    long: &["554 5.7.1 Message refused: it carries malware. If you did not mean to send it, the machine or \
             account may be abused: {url}"],
};
/// A message has a program attached (TXT-10).
pub(crate) const FILE_TYPE: Text<'static> = Text {
    id: "end-files",
    short: &["550 5.7.1 Message refused: it holds a file type we do not accept. Help: {url}"],
    long: &[
        "550 5.7.1 Message refused: it holds a file type we do not accept (a program, perhaps inside an \
             archive). Send a link instead. Help: {url}",
    ],
};
/// A message has an archive attached into which nobody can look.
pub(crate) const ENCRYPTED: Text<'static> = Text {
    id: "end-encrypted",
    short: &["550 5.7.1 Message refused: it holds an encrypted archive. Help: {url}"],
    long: &["550 5.7.1 Message refused: it holds an encrypted archive, which we can not check. Send a link \
             instead. Help: {url}"],
};
/// A message looks like spam, and the site refuses such.
pub(crate) const LIKE_SPAM: Text<'static> = Text {
    id: "end-spam",
    short: &["550 5.7.1 Message refused: it looks like spam to our filter. Help: {url}"],
    long: &[
        "550 5.7.1 Message refused: it looks like spam to our filter. If it is none, please write to us. \
             Help: {url}",
    ],
};
/// Connection and content look like spam together.
pub(crate) const SCORED: Text<'static> = Text {
    id: "end-score",
    short: &["550 5.7.1 Message refused: {facts}. Help: {url}"],
    long: &["550 5.7.1 Message refused: {facts}. If it is no spam, please write to us. Help: {url}"],
};
/// The deferral of a list host.
pub(crate) const WAIT: Text<'static> = Text { id: "list-host", short: &LIST_HOST, long: &LIST_HOST };
/// The deferral of who writes too often.
pub(crate) const SLOWER: Text<'static> = Text { id: "too-often", short: &[TOO_OFTEN], long: &[TOO_OFTEN] };
/// The deferral of a country (OFF-21).
pub(crate) const BY_COUNTRY: Text<'static> = Text {
    id: "by-country",
    short: &["451 4.7.1 [{ip}] deferred: a policy by country, not an accusation. See {url}"],
    long: &[
        "451 4.7.1 [{ip}] is deferred by a policy by country; it is not an accusation, and one good sender \
             can be let in. How: {url}",
    ],
};
/// The deferral of who has too many connections.
pub(crate) const FEWER: Text<'static> = Text { id: "connections", short: &[TOO_MANY], long: &[TOO_MANY] };
/// What is said of a message itself, at its end.
pub(crate) const AT_END: [Text<'static>; 6] = [FORGED, INFECTED, FILE_TYPE, ENCRYPTED, LIKE_SPAM, SCORED];

impl Text<'_> {
    /// The reply with these values.
    pub(crate) fn reply(&self, values: &Values<'_>) -> Public<Reply> {
        let short = first_fitting(&self.short_forms(values), SHORT_LEN_MAX);
        Public::new(Reply::new(short, first_fitting(&self.long_forms(values), LONG_LEN_MAX)))
    }

    /// The reply that names the two heaviest facts if both fit, or one.
    pub(crate) fn reply_with(
        &self,
        heaviest: [Option<&'static str>; 2],
        values: &Values<'_>,
    ) -> Public<Reply> {
        let both = heaviest.iter().flatten().copied().collect::<Vec<_>>().join(" and ");
        let facts = [both.as_str(), heaviest[0].unwrap_or(""), NO_FACT];
        let told = facts.iter().filter(|f| !f.is_empty());
        let values: Vec<_> = told.map(|facts| Values { facts, ..*values }).collect();
        let short: Vec<_> = values.iter().flat_map(|values| self.short_forms(values)).collect();
        let long: Vec<_> = values.iter().flat_map(|values| self.long_forms(values)).collect();
        let (short, long) = (first_fitting(&short, SHORT_LEN_MAX), first_fitting(&long, LONG_LEN_MAX));
        Public::new(Reply::new(short, long))
    }

    /// The fullest first: with the mailbox, without it, in fewer words.
    pub(crate) fn short_forms(&self, values: &Values<'_>) -> Vec<String> {
        forms(self.short, &[MAILBOX], values)
    }

    /// The same with more room, and with the reference of the case.
    pub(crate) fn long_forms(&self, values: &Values<'_>) -> Vec<String> {
        let mut forms = forms(self.long, &[OPEN_MAILBOX, MAILBOX], values);
        if let (Some(case), Some(fullest)) = (values.case, forms.first()) {
            let stop = if values.contact.is_empty() { "" } else { "." };
            forms.insert(0, format!("{fullest}{stop} Ref {case}"));
        }
        forms.extend(self.short_forms(values));
        forms
    }
}

fn forms(templates: &[&str], tails: &[&str], values: &Values<'_>) -> Vec<String> {
    let tails = tails.iter().filter(|_| !values.contact.is_empty());
    let fullest =
        templates.first().into_iter().flat_map(|t| tails.clone().map(move |tail| format!("{t}{tail}")));
    let plain = templates.iter().map(ToString::to_string);
    fullest.chain(plain).map(|template| fill(&template, values)).collect()
}

/// What stands in a template's places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a> {
    pub(crate) ip: IpAddr,
    pub(crate) url: &'a str,
    pub(crate) until: Millis,
    pub(crate) facts: &'a str,
    pub(crate) contact: &'a str,
    pub(crate) case: Option<CaseId>,
}

impl<'a> Values<'a> {
    /// An address, where to read more, and the site's mailbox.
    pub(crate) fn new(site: &'a Site, ip: IpAddr, url: &'a str, case: Option<CaseId>) -> Values<'a> {
        Values { ip, url, until: Millis(0), facts: NO_FACT, contact: &site.contact, case }
    }
}

/// The two forms of a reason's row.
pub(crate) fn of_reason(row: &'static Reason) -> ([&'static str; 1], [&'static str; 1]) {
    ([row.smtp], [row.smtp_long])
}

/// The refusal because of a case.
pub(crate) fn blocked(site: &Site, reason: &'static Reason, ip: IpAddr, case: CaseId) -> Public<Reply> {
    let (short, long) = of_reason(reason);
    let url = case_link(site, case);
    Text { id: reason.id, short: &short, long: &long }.reply(&Values::new(site, ip, &url, Some(case)))
}

/// The refusal because of a case against the sender's domain.
pub(crate) fn of_domain(site: &Site, ip: IpAddr, case: CaseId) -> Public<Reply> {
    OF_DOMAIN.reply(&Values::new(site, ip, &case_link(site, case), Some(case)))
}

/// Whether a case defers instead of refusing: a known sender that names many recipients that
/// do not exist has an old list more likely than a bad mind (OFF-5, ‘known+ → RBL 450’).
pub(crate) fn defers(opened: &Opened) -> bool {
    by_number(opened.reason).offence == Offence::Dictionary
        && opened.kind == BlockKind::Rbl
        && opened.class >= Class::Known
}

/// The deferral because of a case: its reason's words, with a code that has the sender's
/// queue try again.
pub(crate) fn deferred(site: &Site, reason: &'static Reason, ip: IpAddr, case: CaseId) -> Public<Reply> {
    let soft = |text: &str| text.replacen("550 5.", "450 4.", 1);
    let (short, long) = (soft(reason.smtp), soft(reason.smtp_long));
    let url = case_link(site, case);
    Text { id: reason.id, short: &[&short], long: &[&long] }.reply(&Values::new(site, ip, &url, Some(case)))
}

/// The deferral of a list host until the end of its block.
pub(crate) fn list_host(site: &Site, ip: IpAddr, until: Millis, case: CaseId) -> Public<Reply> {
    let url = case_link(site, case);
    WAIT.reply(&Values { until, ..Values::new(site, ip, &url, Some(case)) })
}

/// The deferral of a blocked host that wrote too often to an open recipient.
///
/// `case` is what stands against it; without one a help page explains.
pub fn too_often(site: &Site, ip: IpAddr, case: Option<CaseId>) -> Public<Reply> {
    let url = case.map_or_else(|| help_link(site, "connection"), |case| case_link(site, case));
    SLOWER.reply(&Values::new(site, ip, &url, case))
}

/// The refusal of an end user's line, with what to do instead (TXT-5).
pub(crate) fn dynamic(site: &Site, ip: IpAddr) -> Public<Reply> {
    let (short, long) = of_reason(by_id("dynamic").unwrap_or(&REASONS[0]));
    let url = help_link(site, "dynamic");
    let text = Text { id: "dynamic", short: &short, long: &long };
    text.reply(&Values::new(site, ip, &url, None))
}

/// The refusal of a session that spoke before our greeting.
pub(crate) fn early(site: &Site, ip: IpAddr) -> Public<Reply> {
    EARLY.reply(&Values::new(site, ip, &help_link(site, "protocol"), None))
}

/// The refusal of a HELO name that did not exist, today and a day before.
pub(crate) fn no_such_name(site: &Site, ip: IpAddr) -> Public<Reply> {
    let (short, long) = of_reason(by_id("helo-name").unwrap_or(&REASONS[0]));
    let url = help_link(site, "helo");
    Text { id: "helo-name", short: &short, long: &long }.reply(&Values::new(site, ip, &url, None))
}

/// The deferral of a HELO name that does not exist.
pub(crate) fn wait_for_name(site: &Site, ip: IpAddr) -> Public<Reply> {
    NO_SUCH_NAME.reply(&Values::new(site, ip, &help_link(site, "helo"), None))
}

/// The deferral of a host that has too many connections; a help page explains.
pub fn too_many(site: &Site, ip: IpAddr) -> Public<Reply> {
    let url = help_link(site, "rate");
    FEWER.reply(&Values::new(site, ip, &url, None))
}

/// The refusal by the connection score, with its two heaviest facts if both fit.
pub(crate) fn connection(site: &Site, ip: IpAddr, heaviest: [Option<&'static str>; 2]) -> Public<Reply> {
    let (short, long) = of_reason(by_id("connection").unwrap_or(&REASONS[0]));
    let url = help_link(site, "connection");
    let text = Text { id: "connection", short: &short, long: &long };
    text.reply_with(heaviest, &Values::new(site, ip, &url, None))
}

/// The refusal of a country (OFF-21).
pub(crate) fn by_country(site: &Site, ip: IpAddr) -> Public<Reply> {
    let (short, long) = of_reason(by_id("geo").unwrap_or(&REASONS[0]));
    let url = help_link(site, "country");
    Text { id: "geo", short: &short, long: &long }.reply(&Values::new(site, ip, &url, None))
}

/// The deferral of a country.
pub(crate) fn wait_by_country(site: &Site, ip: IpAddr) -> Public<Reply> {
    BY_COUNTRY.reply(&Values::new(site, ip, &help_link(site, "country"), None))
}

/// Greylisting asks to come back (TXT-3g).
pub(crate) fn greylisted(site: &Site, ip: IpAddr) -> Public<Reply> {
    let (short, long) = of_reason(by_id("greylist").unwrap_or(&REASONS[0]));
    let (url, wait) = (help_link(site, "grey"), wait(site));
    let text = Text { id: "greylist", short: &short, long: &long };
    text.reply(&Values { facts: &wait, contact: "", ..Values::new(site, ip, &url, None) })
}

/// How long a stranger must wait, in words, rounded up to minutes.
fn wait(site: &Site) -> String {
    let pass = site.greylist.as_ref().map_or(0, |rule| rule.pass.0);
    match pass.div_ceil(60).max(1) {
        1 => "a minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

/// The first line that may be sent. [`crate::lint`] has made sure that one may; if it was
/// not asked, the last goes out, because a long reason is better than none.
fn first_fitting(lines: &[String], len_max: usize) -> String {
    let fits = |l: &&String| l.len() <= len_max && is_reply(l);
    lines.iter().find(fits).or(lines.last()).cloned().unwrap_or_default()
}

/// Puts values into a template; a place that nobody knows stays as it is.
fn fill(template: &str, values: &Values<'_>) -> String {
    let mut line = String::with_capacity(LONG_LEN_MAX);
    let mut rest = template;
    while let Some((text, place)) = rest.split_once('{') {
        let (name, after) = place.split_once('}').unwrap_or((place, ""));
        line += text;
        line += &value(name, values);
        rest = after;
    }
    line + rest
}

fn value(name: &str, values: &Values<'_>) -> String {
    match name {
        "ip" => values.ip.to_string(),
        "url" => values.url.to_owned(),
        "until" => When::minute_up(values.until).to_string(),
        "facts" => values.facts.to_owned(),
        "contact" => values.contact.to_owned(),
        unknown => format!("{{{unknown}}}"),
    }
}

/// Whether a line has the form of a reply (REQUIREMENTS, Annex 3): basic code, enhanced
/// code of the same class, printable ASCII, exactly one link, no percent sign (TXT-R4).
pub(crate) fn is_reply(line: &str) -> bool {
    let mut words = line.splitn(3, ' ');
    let (code, enhanced, text) = (words.next(), words.next(), words.next().unwrap_or(""));
    let class = code.filter(|c| is_code(c)).and_then(|c| c.bytes().next());
    let same_class = enhanced.filter(|e| is_enhanced(e)).and_then(|e| e.bytes().next()) == class;
    let printable = line.bytes().all(|b| (b' '..=b'~').contains(&b) && !matches!(b, b'%' | b'{' | b'}'));
    class.is_some() && same_class && !text.is_empty() && printable && links(line) == 1
}

fn is_code(code: &str) -> bool {
    let bytes = code.as_bytes();
    bytes.len() == 3 && matches!(bytes[0], b'2' | b'4' | b'5') && bytes.iter().all(u8::is_ascii_digit)
}

/// RFC 3463 §2: class `.` subject `.` detail.
fn is_enhanced(code: &str) -> bool {
    let parts: Vec<&str> = code.split('.').collect();
    let number = |p: &&str| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit());
    parts.len() == 3 && matches!(parts[0], "2" | "4" | "5") && parts.iter().all(number)
}

/// How many links a line holds; one that is neither https nor of this machine counts double.
fn links(line: &str) -> usize {
    let count = |scheme| line.matches(scheme).count();
    let plain = count("http://");
    count("https://") + plain + plain.saturating_sub(count("http://127.0.0.1"))
}

#[cfg(test)]
mod tests;
