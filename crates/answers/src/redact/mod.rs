//! The redacted form of an exhibit: what a stranger who holds a link may see of a message
//! (REQUIREMENTS D.6, PRI-1 to PRI-4, ADV-5, ADV-19).
//!
//! A list of what is shown, not of what is hidden: a field that has no row below stands by
//! its name alone among the withheld ones.
//!
//! | field | shown |
//! |---|---|
//! | our own Received | HELO, reverse DNS name, address, port, TLS, queue id, time |
//! | other Received | hosts, addresses, protocol, id, time; never `for` and comments |
//! | Return-Path (the envelope's), From, Sender, Reply-To | domains |
//! | To, Cc, … | a keyed hash at our own domain; others as `…` |
//! | Subject | without addresses, links, names of recipients, long numbers |
//! | Date, Message-ID | as they are |
//! | List-Id, X-Mailer | as they are, for proven owners only |
//!
//! Whatever the sender wrote is shown only if no recipient can be read in it ([`search`]);
//! if not all recipients are known by name, nothing of it is shown.
//!
//! **Messages to traps** show the MX host and the day. D.6 would allow more, but all the
//! rest is the sender's choice: one HELO name, From domain, Subject or set of header fields
//! for each recipient, and the page names the trap (ADV-5: ‘not better than chance’).

mod address;
mod clean;
mod decode;
mod received;
mod search;
mod views;

use std::collections::BTreeSet;

use model::exhibit::{Attachment, HeaderField, Opinion, ShownAttachment, ShownField, ShownOpinion};
use model::key::Domain;
use model::{Exhibit, Redacted};

use crate::page::{hundredths, judgement};
use crate::when::When;
use decode::{CUT, FIELD_LEN_MAX, decoded, unfolded, visible};
use search::{ADDRESSES_MAX, Search};

/// Stands among the withheld names for a HELO name that holds a recipient.
pub(crate) const HELO: &str = "HELO";
/// The same for a reverse DNS name.
pub(crate) const PTR: &str = "reverse DNS name";
/// The same for header fields whose own names hold one, or are no names.
const OTHERS: &str = "others";

/// The most fields that are shown of one message; a long way through the world has thirty.
const FIELDS_MAX: usize = 60;
/// The most names of withheld fields.
const WITHHELD_MAX: usize = 60;
/// The longest name of a field that is told.
const NAME_LEN_MAX: usize = 60;
/// Characters of a subject; a screen shows a hundred.
const SUBJECT_LEN_MAX: usize = 300;
/// Characters of a Message-ID (RFC 5322 §2.1.1: a line has 998).
const ID_LEN_MAX: usize = 250;
/// Characters of an attachment's name with its path.
const FILE_LEN_MAX: usize = 200;
/// Domains and recipients that are shown of one field.
const LIST_MAX: usize = 20;

/// Redacts a message for strangers.
///
/// `person` makes the keyed hash of a lower-case address (PRI-1: ten digits of base 32);
/// `ours` are the domains whose recipients are told by it. Pure; the same exhibit gives
/// the same bytes.
pub fn redact(exhibit: &Exhibit, person: &dyn Fn(&[u8]) -> String, ours: &[Domain]) -> Redacted {
    if exhibit.trap {
        return of_trap(exhibit);
    }
    let recipients = Recipients::of(exhibit);
    let blind = exhibit.recipients_more > 0 || !exhibit.fields_whole;
    let search = Search::new(recipients.addresses.iter().map(Vec::as_slice), blind);
    let by = By { search, names: recipients.names, person, ours };
    let own = received::own(exhibit, &by.search);
    let mut shown = vec![field("Received", own.value)];
    let mut withheld = Names::default();
    withheld.add_if(own.helo_withheld, HELO);
    withheld.add_if(own.ptr_withheld, PTR);
    match by.return_path(&exhibit.sender) {
        Some(value) => shown.push(field("Return-Path", value)),
        None => withheld.add("Return-Path"),
    }
    for header in &exhibit.fields {
        let room = shown.len() < FIELDS_MAX;
        match room.then(|| by.header(header)).flatten() {
            Some(field) => shown.push(field),
            None => withheld.add_header(&header.name, &by.search),
        }
    }
    Redacted {
        fields: shown,
        withheld: withheld.told(),
        attachments: exhibit.attachments.iter().map(|a| by.attachment(a)).collect(),
        size: Some(exhibit.size),
        body_hash: exhibit.body_hash.map(|hash| hash.iter().map(|b| format!("{b:02x}")).collect()),
        opinions: exhibit.opinions.iter().map(|o| by.opinion(o)).collect(),
    }
}

fn of_trap(exhibit: &Exhibit) -> Redacted {
    let day = When::day(exhibit.at).to_string();
    Redacted { fields: vec![field("Received", received::own_of_trap(exhibit, &day))], ..Redacted::default() }
}

fn field(name: &str, value: String) -> ShownField {
    ShownField { name: name.to_owned(), value, proven_only: false }
}

/// What takes people and links out of a text.
type Cleaned = fn(&str, &BTreeSet<String>) -> String;

/// Everybody whom a message was for: the envelope's recipients and the headers'.
struct Recipients {
    addresses: BTreeSet<Vec<u8>>,
    /// Words of their names, in lower case.
    names: BTreeSet<String>,
}

impl Recipients {
    fn of(exhibit: &Exhibit) -> Recipients {
        let mut found = Recipients { addresses: BTreeSet::new(), names: BTreeSet::new() };
        found.addresses.extend(exhibit.recipients.iter().map(|r| r.0.to_ascii_lowercase()));
        for header in &exhibit.fields {
            if address::names_recipients(&header.name) {
                found.add_field(&header.value);
            } else if header.name.eq_ignore_ascii_case(b"received") {
                found.add(received_for(&header.value));
            }
        }
        found
    }

    fn add(&mut self, value: &[u8]) {
        // One more than are searched for: then nothing is shown.
        for address in address::addresses(value) {
            if self.addresses.len() <= ADDRESSES_MAX {
                self.addresses.insert(address.to_ascii_lowercase());
            }
        }
    }

    fn add_field(&mut self, value: &[u8]) {
        let plain: Vec<u8> = value.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')).collect();
        let text = decoded(&plain);
        self.add(&plain);
        self.add(&text);
        let bare = !text.contains(&b'@') && text.len() <= 64 && !text.contains(&b':');
        if bare && self.addresses.len() <= ADDRESSES_MAX {
            // `Delivered-To: jane`
            self.addresses.insert(text.trim_ascii().to_ascii_lowercase());
        }
        let room = ADDRESSES_MAX.saturating_sub(self.names.len());
        self.names.extend(address::names(&String::from_utf8_lossy(&text)).into_iter().take(room));
    }
}

/// What stands behind the last `for` of a Received field, as far as its date.
fn received_for(value: &[u8]) -> &[u8] {
    let lower = value.to_ascii_lowercase();
    let places = lower.windows(4).rposition(|w| w[0].is_ascii_whitespace() && &w[1..] == b"for");
    places.map_or(&[], |at| value[at..].split(|b| *b == b';').next().unwrap_or_default())
}

/// What a message is redacted by.
struct By<'a> {
    search: Search,
    names: BTreeSet<String>,
    person: &'a dyn Fn(&[u8]) -> String,
    ours: &'a [Domain],
}

impl By<'_> {
    /// A header field as it may be shown; `None` is withheld.
    fn header(&self, header: &HeaderField) -> Option<ShownField> {
        let name = header.name.to_ascii_lowercase();
        let value = &header.value;
        let (name, value, proven_only) = match name.as_slice() {
            b"received" => ("Received", self.unless_hit(value, received::others(value)?)?, false),
            b"from" => ("From", self.domains(value)?, false),
            b"sender" => ("Sender", self.domains(value)?, false),
            b"reply-to" => ("Reply-To", self.domains(value)?, false),
            b"subject" => ("Subject", self.text(value, SUBJECT_LEN_MAX)?, false),
            b"date" => ("Date", self.unless_hit(value, received::date(value.trim_ascii())?)?, false),
            b"message-id" => ("Message-ID", self.message_id(value)?, false),
            b"list-id" => ("List-Id", self.list_id(value)?, true),
            b"x-mailer" => ("X-Mailer", self.text(value, SUBJECT_LEN_MAX)?, true),
            _ if address::names_recipients(&name) => return self.recipients(header),
            _ => return None,
        };
        Some(ShownField { name: name.to_owned(), value, proven_only })
    }

    /// `shown`, unless a recipient can be read in what it was made from or in itself.
    fn unless_hit(&self, made_from: &[u8], shown: String) -> Option<String> {
        let whole = made_from.len() <= FIELD_LEN_MAX;
        // `for` is not shown, and holds a recipient by its nature.
        (whole && !self.search.hits(shown.as_bytes())).then_some(shown)
    }

    /// Free text: decoded, searched, cleaned.
    fn text(&self, value: &[u8], chars_max: usize) -> Option<String> {
        self.text_by(clean::cleaned, value, chars_max)
    }

    fn text_by(&self, cleaned: Cleaned, value: &[u8], chars_max: usize) -> Option<String> {
        if value.len() > FIELD_LEN_MAX {
            return None;
        }
        let text = decoded(&unfolded(value));
        if self.search.hits(&text) || (text != value.trim_ascii() && self.search.hits(value)) {
            return None;
        }
        let shown = cleaned(&visible(&text, FIELD_LEN_MAX), &self.names);
        self.unless_hit(&[], visible_again(&shown, chars_max))
    }

    fn message_id(&self, value: &[u8]) -> Option<String> {
        let id = value.trim_ascii();
        let fits = (1..=ID_LEN_MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic);
        fits.then(|| visible(id, ID_LEN_MAX)).and_then(|shown| self.unless_hit(id, shown))
    }

    fn list_id(&self, value: &[u8]) -> Option<String> {
        let value = unfolded(value);
        let inner = value.split(|b| *b == b'<').nth(1)?.split(|b| *b == b'>').next()?;
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
        let fits = (1..=ID_LEN_MAX).contains(&inner.len()) && inner.iter().all(plain);
        fits.then(|| visible(inner, ID_LEN_MAX)).and_then(|shown| self.unless_hit(inner, shown))
    }

    fn return_path(&self, sender: &[u8]) -> Option<String> {
        if sender.is_empty() {
            return Some("<>".to_owned());
        }
        Some(format!("<{}>", self.domain(address::domain_of(sender))?))
    }

    /// `…@example.com` for each domain among the addresses.
    fn domains(&self, value: &[u8]) -> Option<String> {
        let found = address::addresses(&decoded(&unfolded(value)));
        let domains: BTreeSet<_> = found.iter().map(|a| address::domain_of(a).to_ascii_lowercase()).collect();
        let shown: Option<Vec<_>> = domains.iter().take(LIST_MAX).map(|d| self.domain(d)).collect();
        shown.filter(|list| !list.is_empty() && value.len() <= FIELD_LEN_MAX).map(|list| list.join(", "))
    }

    fn domain(&self, domain: &[u8]) -> Option<String> {
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b) || *b >= 0x80;
        let fits = !domain.is_empty() && domain.len() <= 255 && domain.iter().all(plain);
        let shown = fits.then(|| visible(domain, 255))?;
        Some(format!("{CUT}@{}", self.unless_hit(domain, shown)?))
    }

    /// Recipients of ours by their hash, others as `…`, which stands once.
    fn recipients(&self, header: &HeaderField) -> Option<ShownField> {
        let found = address::addresses(&decoded(&unfolded(&header.value)));
        let each: BTreeSet<String> = found.iter().map(|a| self.recipient(a)).collect();
        let shown = each.into_iter().take(LIST_MAX).collect::<Vec<_>>().join(", ");
        let name = visible(&header.name, NAME_LEN_MAX);
        (!shown.is_empty()).then(|| field(&name, shown))
    }

    fn recipient(&self, address: &[u8]) -> String {
        let domain = address::domain_of(address);
        let ours = self.ours.iter().find(|own| domain.eq_ignore_ascii_case(own.as_str().as_bytes()));
        ours.map_or(CUT.to_owned(), |own| {
            format!("{}@{}", (self.person)(&address.to_ascii_lowercase()), own.as_str())
        })
    }

    fn attachment(&self, a: &Attachment) -> ShownAttachment {
        ShownAttachment {
            name: self.text_by(clean::cleaned_file, &a.name, FILE_LEN_MAX).unwrap_or_else(|| CUT.to_owned()),
            kind: self.word(&a.kind.to_string()),
            fault: a.fault.as_ref().map(|fault| self.word(&fault.to_string())),
        }
    }

    fn opinion(&self, o: &Opinion) -> ShownOpinion {
        ShownOpinion {
            source: o.source.to_string(),
            judgement: o.judgement.map_or("unknown", judgement).to_owned(),
            score: o.score.map(hundredths),
            tests: o.tests.iter().map(|test| self.word(&test.to_string())).collect(),
        }
    }

    /// A word of a judge; a recipient that a rule quotes is taken out.
    fn word(&self, word: &str) -> String {
        self.unless_hit(&[], word.to_owned()).unwrap_or_else(|| CUT.to_owned())
    }
}

/// The text cut to a length; it is visible already.
fn visible_again(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}{CUT}", &text[..at]),
        None => text.to_owned(),
    }
}

/// Names of withheld fields: sorted, each once in whatever case.
#[derive(Default)]
struct Names(BTreeSet<(String, String)>);

impl Names {
    fn add(&mut self, name: &str) {
        let folded = name.to_ascii_lowercase();
        if self.0.len() < WITHHELD_MAX && !self.0.iter().any(|(known, _)| *known == folded) {
            self.0.insert((folded, name.to_owned()));
        }
    }

    fn add_if(&mut self, withheld: bool, name: &str) {
        if withheld {
            self.add(name);
        }
    }

    fn add_header(&mut self, name: &[u8], search: &Search) {
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_".contains(b);
        let fits = (1..=NAME_LEN_MAX).contains(&name.len()) && name.iter().all(plain);
        let told = if fits && !search.hits(name) { visible(name, NAME_LEN_MAX) } else { OTHERS.to_owned() };
        self.add(&told);
    }

    fn told(self) -> Vec<String> {
        self.0.into_iter().map(|(_, name)| name).collect()
    }
}
