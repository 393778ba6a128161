//! Takes in the parts of a message and gathers what is found in them.

use std::collections::BTreeSet;

use model::Name;
use model::content::Danger;
use model::exhibit::{ATTACHMENTS_MAX, Attachment};

use super::budget::{Budget, Limit};
use super::kinds::{self, Class, Kind};
use super::names::{self, NAME_LEN_MAX};
use super::parts::{Leaf, Sink};
use super::{Fault, Macros, Rules, text, uu};

/// The most octets of an attachment's shown name, path included.
const PATH_LEN_MAX: usize = 4 * NAME_LEN_MAX;

/// What was found so far.
#[derive(Debug)]
pub(super) struct Look<'r> {
    pub(super) rules: &'r Rules,
    pub(super) budget: Budget,
    pub(super) danger: Danger,
    pub(super) attachments: Vec<Attachment>,
    pub(super) faults: BTreeSet<Fault>,
    /// Type of the message itself.
    pub(super) top_type: String,
    /// Whether it tells the status of a delivery (RFC 3464).
    pub(super) status: bool,
    /// Whether another message lies inside.
    pub(super) returned: bool,
    pub(super) text: text::Source,
    bait: bool,
}

/// A file to be looked at: an attachment, or a member of an archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct File<'a> {
    /// Names of the archives around it and its own.
    pub(super) path: &'a str,
    /// Every name that it has, its own path first.
    pub(super) names: &'a [String],
    /// The type that was declared for it; empty for members of archives.
    pub(super) declared: &'a str,
    pub(super) bytes: &'a [u8],
    /// Archives around it.
    pub(super) depth: u32,
}

impl<'r> Look<'r> {
    pub(super) fn new(rules: &'r Rules) -> Look<'r> {
        Look {
            rules,
            budget: Budget::new(),
            danger: Danger::None,
            attachments: Vec::new(),
            faults: BTreeSet::new(),
            top_type: String::new(),
            status: false,
            returned: false,
            text: text::Source::default(),
            bait: false,
        }
    }

    /// Whether something is attached that a lure would carry.
    pub(super) fn has_bait(&self) -> bool {
        self.bait
    }

    pub(super) fn note(&mut self, fault: Fault) {
        self.faults.insert(fault);
        self.danger = self.danger.max(fault.danger());
    }

    /// The fault of macros under the site's rules.
    pub(super) fn macros(&self) -> Fault {
        match self.rules.macros {
            Macros::Score => Fault::Macros,
            Macros::Refuse => Fault::MacrosRefused,
        }
    }

    /// Looks at one file and at what it holds, and puts it on the list.
    pub(super) fn file(&mut self, file: &File<'_>) {
        let by_name: Vec<names::Judged> = file.names.iter().map(|name| names::judge(name)).collect();
        let by_bytes = kinds::by_bytes(file.bytes);
        let named = by_name.iter().find_map(|judged| judged.kind);
        let kind = by_bytes.or(named);
        let mut faults: Vec<Fault> = by_name.iter().filter_map(|judged| judged.fault).collect();
        faults.extend(kind_fault(by_bytes));
        faults.extend(lie(file.declared, named, by_bytes));
        faults.extend((file.declared == "message/partial").then_some(Fault::Partial));
        self.bait |= kind.is_some_and(Kind::is_bait);
        let at = self.list(file, kind);
        faults.extend(self.open(file, by_bytes, named));
        faults.extend((self.budget.stopped == Some(Limit::Documents)).then_some(Fault::Unseen));
        self.blame(at, &faults);
    }

    /// Looks at a name alone: its contents can not be read.
    pub(super) fn name_only(&mut self, path: &str) {
        let judged = names::judge(path);
        let file = File { path, names: &[], declared: "", bytes: b"", depth: 0 };
        self.bait |= judged.kind.is_some_and(Kind::is_bait);
        let at = self.list(&file, judged.kind);
        self.blame(at, judged.fault.as_slice());
    }

    /// Puts a file on the list; where there is no room, nothing is pushed until it has a fault.
    fn list(&mut self, file: &File<'_>, kind: Option<&Kind>) -> Attachment {
        let mut end = file.path.len().min(PATH_LEN_MAX);
        while !file.path.is_char_boundary(end) {
            end -= 1;
        }
        let declared =
            || file.declared.rsplit('/').next().filter(|word| !word.is_empty()).unwrap_or("unknown");
        let word = kind.map_or_else(declared, |kind| kind.word);
        let attachment = Attachment {
            name: file.path.as_bytes()[..end].to_vec(),
            kind: Name::new(word.as_bytes()),
            fault: None,
        };
        if self.attachments.len() < ATTACHMENTS_MAX {
            self.attachments.push(attachment.clone());
        }
        attachment
    }

    /// Notes the faults of a listed file and shows the worst.
    fn blame(&mut self, mut listed: Attachment, faults: &[Fault]) {
        for fault in faults {
            self.note(*fault);
        }
        let Some(worst) = faults.iter().max_by_key(|fault| (fault.danger(), **fault)) else { return };
        let same = self.attachments.iter().position(|a| a.fault.is_none() && *a == listed);
        // A faulty one takes the place of the last without a fault.
        let at = same.or_else(|| self.attachments.iter().rposition(|a| a.fault.is_none()));
        listed.fault = Some(worst.name());
        if let Some(slot) = at.and_then(|at| self.attachments.get_mut(at)) {
            *slot = listed;
        }
    }
}

fn kind_fault(kind: Option<&Kind>) -> Option<Fault> {
    match kind?.class {
        Class::Blocked(fault) => Some(fault),
        _ => None,
    }
}

/// A picture, sound or text by name or type whose bytes are something that can be opened.
fn lie(declared: &str, named: Option<&Kind>, by_bytes: Option<&Kind>) -> Option<Fault> {
    let claims = named.is_some_and(|kind| kind.class == Class::Harmless)
        || named.is_none() && ["image/", "audio/", "video/"].iter().any(|start| declared.starts_with(start));
    let is = matches!(by_bytes?.class, Class::Archive(_) | Class::Blocked(_) | Class::Closed | Class::Ole);
    (claims && is).then_some(Fault::LyingType)
}

impl Sink for Look<'_> {
    fn leaf(&mut self, leaf: &Leaf<'_>) {
        self.status |=
            matches!(leaf.declared.as_str(), "message/delivery-status" | "message/global-delivery-status");
        let is_file = leaf.attached || kinds::by_bytes(&leaf.bytes).is_some();
        if !is_file {
            self.text.take(&leaf.declared, leaf.charset.as_deref(), &leaf.bytes);
            return uu::names(&leaf.bytes).iter().for_each(|name| self.name_only(name));
        }
        let path = leaf.names.first().map_or("", String::as_str);
        let names = &leaf.names;
        self.file(&File { path, names, declared: &leaf.declared, bytes: &leaf.bytes, depth: 0 });
    }

    fn holder(&mut self, declared: &str, report: Option<&str>, depth: u32) {
        if depth == 0 {
            declared.clone_into(&mut self.top_type);
            self.status |= report == Some("delivery-status");
        }
        self.returned |= depth > 0 && declared.starts_with("message/");
    }

    fn stop(&mut self, limit: Limit) {
        self.budget.stop(limit);
        self.note(Fault::Unseen);
    }
}
