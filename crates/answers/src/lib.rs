//! What we tell outsiders: the decision at RCPT, every reply, page text, redaction.
//!
//! Texts follow REQUIREMENTS E, what may be shown D.6. Whatever is made for strangers
//! leaves this crate as a [`Public`]; servers send nothing else.
//!
//! Quiet: no I/O, no clock, no randomness; `now` is an argument. It draws no page: the
//! portal lays out the plain data that it gets from here.

pub mod answer;
pub mod connection;
mod domain;
pub mod end;
pub mod explain;
pub mod help;
mod hold;
pub mod link;
pub mod lint;
pub mod listing;
mod names;
pub mod page;
pub mod public;
pub mod redact;
pub mod session;
pub mod territory;
#[cfg(test)]
mod testing;
pub mod texts;
pub mod when;

pub use answer::{Answer, Tell, answer, is_exempt, may_defer};
pub use connection::{MailPath, connection_score, sender_fits};
pub use end::{Act, EndRule, EndRules, Ended, Ending, Finish, Mark, at_end, bounces_case};
pub use explain::explain;
pub use help::{HelpPage, help_page};
pub use lint::{OverBudget, lint};
pub use listing::{ListingText, NoAnswer, record_text};
pub use page::{CasePage, LookupPage, case_page, lookup_page, reference_page};
pub use public::{Public, Reply};
pub use redact::redact;
pub use session::{ConnectionScore, Session};
pub use when::When;
