//! Reports of unwanted mail: ARF, XARF, a message forwarded as an attachment, a message.
//!
//! ARF is RFC 5965 with the types of RFC 6430 (`not-spam`) and RFC 6591 (`auth-failure`);
//! XARF is read in its JSON forms 3 and 4 ([xarf.org]) and in its line forms 0.1 and 0.2.
//! Mail programs that know neither attach the message (`message/rfc822`, `.eml`).
//!
//! A report is a claim. Nothing in it is believed but one line: the topmost Received field
//! that one of our own MX hosts wrote, and that only as a queue id to look up in our own
//! records ([`ours`]). Everything else is for the operator to read. This module opens,
//! matches and weighs nothing, and writes no reports.
//!
//! A bounce is no report, nor is a forwarded one: who gets back mail that was sent in his
//! name has been wronged by another than the host that brought it.
//!
//! [xarf.org]: https://xarf.org/

mod claims;
mod entity;
mod feedback;
mod original;
mod plain;
mod read;
mod report;
#[cfg(test)]
mod tests;
mod xarf;

pub use original::{HEADERS_LEN_MAX, HOPS_MAX, Hop, Original, QueueRef, ours};
pub use read::{ORIGINALS_MAX, RAW_LEN_MAX, parse_bare, parse_report};
pub use report::{Claims, FeedbackType, Kind, LIST_MAX, NotAReport, Report, TEXT_LEN_MAX, Vote};
pub use xarf::{XARF_LEN_MAX, XARF_VALUES_MAX, Xarf, XarfError, XarfVersion, parse_xarf};
