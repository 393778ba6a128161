//! What others say of a message's content: sender authentication, attachments, and the
//! verdicts of rspamd, SpamAssassin, ClamAV and of an earlier filter.
//!
//! Loud: it asks over sockets. It reads a [`model::Letter`] and gives back opinions and
//! facts; it decides nothing about servers.

pub mod auth;
pub mod breaker;
pub mod clamd;
pub mod header;
pub mod inspect;
pub mod judge;
pub mod place;
pub mod rspamd;
pub mod seat;
pub mod spamd;

#[cfg(test)]
#[path = "../tests/letters/mod.rs"]
mod testing;
