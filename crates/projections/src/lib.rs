//! Consequences: from events to the index, case views, and what enforcers should do.
//!
//! Everything here can be deleted and rebuilt from the ledger, but for what the engine tells
//! beside its events because it is about persons ([`mailboxes`]), and tells anew at a start. A
//! [`View`] is one immutable state of it all; readers hold it as long as they like and never lock.
//!
//! Quiet: no I/O, no clock; `now` is an argument.

pub mod cases;
pub mod feeds;
mod grade;
pub mod index;
pub mod lessons;
mod listed;
pub mod mailboxes;
pub mod plan;
pub mod records;
mod search;
pub mod spans;
#[cfg(test)]
mod testing;
pub mod view;
pub mod writers;
pub mod zone;

pub use cases::CaseView;
pub use feeds::Feed;
pub use index::{Change, Index, Mark};
pub use lessons::{Lessons, domain_of};
pub use listed::Listed;
pub use mailboxes::Mailboxes;
pub use view::{Projector, Threat, View};
pub use writers::Writers;
pub use zone::{Listing, Why};
