//! The answer to the end of a message: what is changed, and the last word.

use answers::{Public, Reply as Told};
use wire::authres;
use wire::milter::{Actions, NewField, Protocol, Reply, ReplyText, Settings};

use super::counters::count;
use super::host::Host;
use super::message::Forged;
use super::trouble::Trouble;
use super::{EndTell, Ending};

/// Writes all of it.
pub(super) fn write_ending(
    ending: &Ending,
    forged: &Forged,
    agreed: Settings<'_>,
    host: &Host,
    out: &mut Vec<u8>,
) {
    let last = match &ending.tell {
        EndTell::Refuse(reply) => refusal(reply, true, host),
        EndTell::TempFail(reply) => refusal(reply, false, host),
        EndTell::Pass | EndTell::Quarantine(_) => None,
    };
    if let Some(text) = last {
        count(&host.counters.stopped);
        return Reply::Text(&text).write(out);
    }
    remove(forged, agreed, host, out);
    insert(&ending.insert, agreed, host, out);
    if let EndTell::Quarantine(reason) = &ending.tell
        && agreed.actions.has(Actions::QUARANTINE)
    {
        Reply::Quarantine(reason).write(out);
    }
    Reply::Continue.write(out);
}

/// A reply as the MTA hands it on; `None` and a trouble, if it is none of its class.
pub(super) fn refusal(reply: &Public<Told>, is_final: bool, host: &Host) -> Option<ReplyText> {
    let text = ReplyText::new(reply.get().long()).ok().filter(|text| text.is_final() == is_final);
    if text.is_none() {
        // An error would quote the text, and the text holds the secret of a link.
        host.trouble(Trouble::OurText, &"`mailward doctor` measures all texts");
    }
    text
}

/// RFC 8601 §5: ‘any MTA conforming to this specification MUST delete any discovered
/// instance of this header field that claims, by virtue of its authentication service
/// identifier, to have been added within its trust boundary but that did not come directly
/// from another trusted MTA’.
///
/// The last one goes first, so that no other one's number changes.
fn remove(forged: &Forged, agreed: Settings<'_>, host: &Host, out: &mut Vec<u8>) {
    if !agreed.actions.has(Actions::CHANGE_FIELDS) {
        return;
    }
    for index in forged.indices().rev() {
        count(&host.counters.forged);
        Reply::Remove { index, name: authres::NAME.as_bytes() }.write(out);
    }
    if forged.more() {
        host.trouble(Trouble::Forged, &"the rest stays");
    }
}

/// Each goes on top of all before it, so the topmost goes last.
fn insert(fields: &[(Vec<u8>, Vec<u8>)], agreed: Settings<'_>, host: &Host, out: &mut Vec<u8>) {
    let leading_space = agreed.protocol.has(Protocol::LEADING_SPACE);
    for (name, value) in fields.iter().rev().filter(|_| agreed.actions.has(Actions::ADD_FIELDS)) {
        match NewField::new(name, value) {
            Ok(field) => Reply::Insert { index: 0, field: &field, leading_space }.write(out),
            Err(error) => host.trouble(Trouble::OurText, &error),
        }
    }
}
