//! OpenSMTPD's filter protocol: lines on a filter's standard input and output.
//!
//! smtpd reports what happens in each SMTP session, asks about what the filter registered
//! for, and waits for the answer in that session only; all sessions share the two pipes,
//! and answers may come in any order. No RFC covers it; the text we follow is
//! `smtpd-filters(7)`. Versions 0.4 to 0.7 are read: before 0.5 an answer names the token
//! first, before 0.6 the result of MAIL and RCPT stands behind the address, and before 0.7
//! that of a login behind the user.
//!
//! smtpd ends itself over a line that it does not understand, so an answer is made from a
//! [`Query`] alone, whose two numbers were found to be hexadecimal.
//!
//! This module turns lines into words and back. It reads no pipe and remembers nothing.
//! It registers for RCPT only: message texts, which smtpd would hand over line by line,
//! are not asked for.

mod answer;
mod error;
mod event;
mod fields;

pub use answer::{Verdict, proceed, register, tell};
pub use error::LineError;
pub use event::{Event, HostName, parse};
pub use fields::Query;

/// The most bytes of a line that need be kept, its newline not counted.
///
/// smtpd takes commands of up to 4 KiB. Of a longer line the front is enough: the numbers
/// that an answer needs stand there.
pub const LINE_LEN_MAX: usize = 8 * 1024;
