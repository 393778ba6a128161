//! The headers of one message as a page shows them: bounded, and without what only those
//! may see who proved control of the address.
//!
//! What they say was decided when they were stored ([`crate::redact`]); here only their
//! room is measured, because a page with five samples stays under 50 KB (E.2).

use model::Redacted;
use model::exhibit::{ShownAttachment, ShownField, ShownOpinion};
use serde::Serialize;

/// The most octets of HTML that the header fields of one sample fill.
const FIELDS_ROOM: usize = 3000;
/// The most octets of HTML for attachments, opinions and names of withheld fields, each.
const LIST_ROOM: usize = 600;
/// Stands where something was cut.
const CUT: &str = "…";

/// What may be shown of one message.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Headers {
    /// Header fields from the top; the first one is our own server's.
    pub fields: Vec<Line>,
    /// Not everything is here that might be shown.
    pub cut: bool,
    /// Names of fields that are not shown.
    pub withheld: Vec<String>,
    /// Attachments.
    pub attachments: Vec<Attached>,
    /// What content filters said.
    pub opinions: Vec<Said>,
    /// Octets of the whole message.
    pub size: Option<u64>,
    /// SHA-256 of the body, in hexadecimal.
    pub body_sha256: Option<String>,
}

/// One header field.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Its value, in one line.
    pub value: String,
}

/// One attachment.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Attached {
    /// Its file name.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// What is wrong with it.
    pub fault: Option<String>,
}

/// What one content filter said.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Said {
    /// The filter.
    pub source: String,
    /// `spam`, `ham`, `virus`, `heuristic` or `unknown`.
    pub judgement: String,
    /// Its score.
    pub score: Option<String>,
    /// The names of its tests, or of the virus.
    pub tests: Vec<String>,
}

/// A redacted exhibit for the holder of a link (level L1).
pub(crate) fn shown(exhibit: &Redacted) -> Headers {
    let open = exhibit.fields.iter().filter(|f| !f.proven_only);
    let (mut room, mut cut) = (Room(FIELDS_ROOM), false);
    let fields = open.map_while(|field| {
        let line = line(field, &mut room);
        cut |= line.as_ref().is_none_or(|l| l.value.ends_with(CUT));
        line
    });
    let fields = fields.collect();
    let mut named = Room(LIST_ROOM);
    Headers {
        fields,
        cut,
        withheld: exhibit.withheld.iter().map_while(|name| named.whole(name)).collect(),
        attachments: attachments(&exhibit.attachments),
        opinions: opinions(&exhibit.opinions),
        size: exhibit.size,
        body_sha256: exhibit.body_hash.clone(),
    }
}

fn line(field: &ShownField, room: &mut Room) -> Option<Line> {
    Some(Line { name: room.whole(&field.name)?, value: room.cut(&field.value)? })
}

fn attachments(of: &[ShownAttachment]) -> Vec<Attached> {
    let mut room = Room(LIST_ROOM);
    let each = of.iter().map_while(|a| {
        let fault = a.fault.as_ref().and_then(|f| room.whole(f));
        Some(Attached { kind: room.whole(&a.kind)?, name: room.cut(&a.name)?, fault })
    });
    each.collect()
}

/// Every filter has its word before any has its tests; who has few tests names them first,
/// so that a virus is named beside a spam filter's fifty rules.
fn opinions(of: &[ShownOpinion]) -> Vec<Said> {
    let mut room = Room(LIST_ROOM);
    let heads = of.iter().map_while(|o| {
        let (source, judgement) = (room.whole(&o.source)?, room.whole(&o.judgement)?);
        Some(Said { source, judgement, score: o.score.clone(), tests: Vec::new() })
    });
    let mut said: Vec<Said> = heads.collect();
    let mut order: Vec<(&mut Said, &ShownOpinion)> = said.iter_mut().zip(of).collect();
    order.sort_by_key(|(_, o)| o.tests.len());
    for (said, o) in order {
        said.tests = o.tests.iter().map_while(|test| room.whole(test)).collect();
    }
    said
}

/// How many octets of HTML are left.
struct Room(usize);

impl Room {
    /// The text if there is room for all of it.
    fn whole(&mut self, text: &str) -> Option<String> {
        self.0 = self.0.checked_sub(PER_ITEM + text.chars().map(weight).sum::<usize>())?;
        Some(text.to_owned())
    }

    /// As much of the text as there is room for.
    fn cut(&mut self, text: &str) -> Option<String> {
        self.0 = self.0.checked_sub(PER_ITEM)?;
        let mut kept = String::new();
        for c in text.chars() {
            let Some(left) = self.0.checked_sub(weight(c)) else { return Some(kept + CUT) };
            self.0 = left;
            kept.push(c);
        }
        Some(kept)
    }
}

/// Markup and separators around one item.
const PER_ITEM: usize = 24;

/// Octets of a character in HTML.
fn weight(c: char) -> usize {
    match c {
        '<' | '>' | '&' | '"' | '\'' => 5,
        other => other.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str, proven_only: bool) -> ShownField {
        ShownField { name: name.into(), value: value.into(), proven_only }
    }

    #[test]
    fn fields_for_proven_owners_are_left_out() {
        let fields = vec![field("Subject", "hello", false), field("X-Mailer", "Example 1.0", true)];
        let shown = shown(&Redacted { fields, ..Redacted::default() });
        assert_eq!(shown.fields, [Line { name: "Subject".into(), value: "hello".into() }]);
        assert!(!shown.cut);
    }

    #[test]
    fn a_virus_is_named_beside_a_filter_with_many_tests() {
        let opinion = |source: &str, tests: Vec<String>| ShownOpinion {
            source: source.into(),
            judgement: "spam".into(),
            score: None,
            tests,
        };
        let many = (0..99).map(|n| format!("A_LONG_NAME_OF_A_TEST_{n}")).collect();
        let opinions = vec![opinion("rspamd", many), opinion("clamd", vec!["Eicar".into()])];
        let shown = shown(&Redacted { opinions, ..Redacted::default() }).opinions;
        assert_eq!((shown[1].source.as_str(), &shown[1].tests[..]), ("clamd", &["Eicar".to_owned()][..]));
        assert!((3..99).contains(&shown[0].tests.len()), "{shown:?}");
    }

    #[test]
    fn what_finds_no_room_is_cut_and_said_to_be() {
        let fields = (0..100).map(|_| field("Received", &"<".repeat(900), false)).collect();
        let withheld = (0..1000).map(|n| format!("X-{n}")).collect();
        let shown = shown(&Redacted { fields, withheld, ..Redacted::default() });
        let size: usize =
            shown.fields.iter().flat_map(|l| l.name.chars().chain(l.value.chars())).map(weight).sum();
        assert!(shown.cut && size <= FIELDS_ROOM && size > FIELDS_ROOM / 2, "{size}");
        assert!(shown.fields.last().unwrap().value.ends_with(CUT));
        assert!((10..100).contains(&shown.withheld.len()), "{}", shown.withheld.len());
    }
}
