//! The Postfix access policy delegation protocol.
//!
//! Postfix sends one question at a time: `name=value` lines, closed by an empty
//! line. We send back one `action=` line and an empty line. No RFC covers it; the
//! text we follow is Postfix's own [SMTPD_POLICY_README], and for the answers
//! `access(5)`. Exim asks the same way through `${readsocket}`.
//!
//! This module turns bytes into a [`Request`] and an [`Action`] into bytes. It opens
//! no socket, reads no clock and remembers nothing: `edge::policy` reads, and hands
//! in what it has so far.
//!
//! What the protocol can not say, so that nobody looks for it here:
//!
//! - whether the recipient exists: Postfix asks us before it looks, so we see
//!   *attempts*; unknown recipients are counted from the milter or the log;
//! - whether a missing host name is missing for good or only for now: see
//!   [`Request::confirmed_name`];
//! - one message as one question: Postfix asks once per recipient, and only an equal
//!   [`Request::instance`] tells that two requests belong to one message.
//!
//! [SMTPD_POLICY_README]: https://www.postfix.org/SMTPD_POLICY_README.html

mod answer;
mod attributes;
mod encode;
mod error;
mod request;
mod split;
mod value;

pub use answer::{Action, HEADER_LEN_MAX, HeaderLine, REPLY_LEN_MAX, ReplyText};
pub use encode::{EncodeError, encode};
pub use error::{AnswerError, RequestError};
pub use request::Request;
pub use split::{ATTRIBUTES_MAX, LINE_LEN_MAX, REQUEST_LEN_MAX, split_request};
pub use value::{ClientAddress, State};
