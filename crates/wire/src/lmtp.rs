//! LMTP (RFC 2033), the server's side: how an MTA hands over mail to a program.
//!
//! It is SMTP (RFC 5321) that begins with `LHLO` and answers once for each recipient after
//! the data. A [`Session`] takes bytes as they come and says what it needs: an answer for a
//! recipient, or answers for a message. With pipelining (RFC 2920), enhanced status codes
//! (RFC 2034), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531) and SIZE (RFC 1870).
//!
//! Not here: sockets and deadlines (`edge::lmtp`); TLS and AUTH, because it is spoken on a
//! unix socket only. Data ends at CRLF `.` CRLF and at nothing that looks like it, so that
//! no message can be smuggled inside another.

mod command;
mod data;
mod reply;
mod session;
#[cfg(test)]
mod tests;

pub use reply::Reply;
pub use session::{ERRORS_MAX, LINE_LEN_MAX, Limits, Mail, Session, Step};
