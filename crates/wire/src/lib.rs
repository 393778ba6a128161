//! Bytes to words and back, one protocol a module; sans-IO.
//!
//! A codec here splits one message off the front of the bytes that its caller has
//! so far, or says that more must come. It opens no socket, reads no clock, keeps
//! nothing between two calls and judges nobody: `edge` reads and writes, `answers`
//! and `engine` decide. All input is written by strangers, so every codec is
//! bounded by named limits and never panics.

pub mod arf;
pub mod authres;
pub mod automatic;
pub mod dns;
pub mod fields;
pub mod lists;
pub mod lmtp;
pub mod maillog;
pub mod milter;
pub mod opensmtpd;
pub mod policy;
pub mod received;
pub mod refusal;
mod reply;
pub mod text;
pub mod verb;
