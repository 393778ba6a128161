//! What smtpd tells and asks.

use std::net::{IpAddr, SocketAddr};
use std::str;

use super::error::LineError;
use super::fields::{Fields, Query, Version};
use crate::text::quoted;

/// What smtpd writes where it found no name.
const NO_NAME: &[u8] = b"<unknown>";

/// What a line tells or asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event<'a> {
    /// smtpd has told its configuration and waits for [`register`](super::register).
    Ready,
    /// A client has connected.
    Connect {
        /// The SMTP session.
        session: u64,
        /// The client; `None` for a program on this machine that came over a unix socket.
        client: Option<SocketAddr>,
        /// What DNS says of its name.
        name: HostName<'a>,
    },
    /// The session is over.
    Disconnect {
        /// The SMTP session.
        session: u64,
    },
    /// HELO or EHLO.
    Identify {
        /// The SMTP session.
        session: u64,
        /// The name that the client gave.
        helo: &'a [u8],
    },
    /// STARTTLS: what was said before counts no more (RFC 3207 §4.2).
    Tls {
        /// The SMTP session.
        session: u64,
    },
    /// The client has logged in.
    Auth {
        /// The SMTP session.
        session: u64,
        /// As whom.
        user: &'a [u8],
    },
    /// A message begins.
    Begin {
        /// The SMTP session.
        session: u64,
        /// The message's number, as in smtpd's `Received` field: eight hexadecimal digits.
        message: &'a [u8],
    },
    /// MAIL FROM was accepted.
    Mail {
        /// The SMTP session.
        session: u64,
        /// The sender without `<>`; empty for bounces.
        sender: &'a [u8],
    },
    /// A recipient was accepted.
    Rcpt {
        /// The SMTP session.
        session: u64,
    },
    /// The message was taken.
    Commit {
        /// The SMTP session.
        session: u64,
        /// Its length in bytes.
        size: u64,
    },
    /// The message was given up.
    Rollback {
        /// The SMTP session.
        session: u64,
    },
    /// RCPT TO; smtpd waits.
    AskRcpt {
        /// What must be answered.
        query: Query,
        /// The recipient without `<>`.
        recipient: &'a [u8],
    },
    /// Something that we did not register for; smtpd waits all the same.
    Ask {
        /// What must be answered.
        query: Query,
    },
    /// Nothing that we use.
    Other,
}

/// What DNS says of a client's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HostName<'a> {
    /// The PTR record's name leads back to the address.
    Confirmed(&'a [u8]),
    /// It does not.
    Mismatch(&'a [u8]),
    /// There is none.
    Missing,
    /// DNS did not answer.
    Unknown,
}

/// Reads one line without its newline.
///
/// # Errors
///
/// [`LineError`]; there is then nothing to answer.
pub fn parse(line: &[u8]) -> Result<Event<'_>, LineError> {
    let mut fields = Fields(Some(line));
    match fields.next("kind")? {
        b"config" => Ok(if line == b"config|ready" { Event::Ready } else { Event::Other }),
        b"report" => report(fields),
        b"filter" => filter(fields),
        kind => Err(LineError::Kind { got: quoted(kind) }),
    }
}

/// `filter|version|time|smtp-in|phase|session|token|parameters`
fn filter(mut fields: Fields<'_>) -> Result<Event<'_>, LineError> {
    let version = Version::read(fields.next("version")?)?;
    fields.next("time")?;
    fields.next("direction")?;
    let phase = fields.next("phase")?;
    let (_, session) = fields.hex("session")?;
    let (_, token) = fields.hex("token")?;
    let query = Query::new(version, session, token);
    match phase {
        b"rcpt-to" => Ok(Event::AskRcpt { query, recipient: fields.rest("recipient").unwrap_or_default() }),
        _ => Ok(Event::Ask { query }),
    }
}

/// `report|version|time|smtp-in|event|session|parameters`
fn report(mut fields: Fields<'_>) -> Result<Event<'_>, LineError> {
    let version = Version::read(fields.next("version")?)?;
    fields.next("time")?;
    let incoming = fields.next("direction")? == b"smtp-in";
    let event = fields.next("event")?;
    if !incoming {
        return Ok(Event::Other);
    }
    let (_, session) = fields.hex("session")?;
    match event {
        b"link-connect" => connect(session, fields),
        b"link-disconnect" => Ok(Event::Disconnect { session }),
        b"link-identify" => {
            fields.next("method")?;
            Ok(Event::Identify { session, helo: fields.rest("name")? })
        }
        b"link-tls" => Ok(Event::Tls { session }),
        b"link-auth" => auth(version, session, fields),
        b"tx-begin" => Ok(Event::Begin { session, message: fields.hex("message")?.0 }),
        b"tx-mail" => mail(version, session, fields),
        b"tx-rcpt" => rcpt(version, session, fields),
        b"tx-commit" => commit(session, fields),
        b"tx-rollback" | b"tx-reset" => Ok(Event::Rollback { session }),
        _ => Ok(Event::Other),
    }
}

/// `name|pass, fail or error|client|our side`; read from behind, where nobody's words stand.
fn connect(session: u64, mut fields: Fields<'_>) -> Result<Event<'_>, LineError> {
    fields.last("own address")?;
    let client = address(fields.last("client")?);
    let confirmed = fields.last("result")?;
    let name = fields.rest("name")?;
    let name = match confirmed {
        b"pass" => HostName::Confirmed(name),
        b"fail" if is_name(name) => HostName::Mismatch(name),
        b"fail" => HostName::Missing,
        _ => HostName::Unknown,
    };
    Ok(Event::Connect { session, client, name })
}

/// smtpd writes the address, or a word of its own, where there is no name.
fn is_name(name: &[u8]) -> bool {
    let is_address = str::from_utf8(name).is_ok_and(|text| host(text).is_some());
    !name.is_empty() && name != NO_NAME && !is_address
}

/// `192.0.2.25:4711`, `[2001:db8::25]:4711`, or `unix:` and a path. IPv4 in IPv6 form is
/// folded, so that one client has one key.
fn address(field: &[u8]) -> Option<SocketAddr> {
    let (addr, port) = str::from_utf8(field).ok()?.rsplit_once(':')?;
    Some(SocketAddr::new(host(addr)?.to_canonical(), port.parse().ok()?))
}

fn host(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.strip_prefix("IPv6:").unwrap_or(bare).parse().ok()
}

fn auth(version: Version, session: u64, fields: Fields<'_>) -> Result<Event<'_>, LineError> {
    let (result, user) = result_and(version.has_login_result_first(), fields, "user")?;
    Ok(if result == b"pass" { Event::Auth { session, user } } else { Event::Other })
}

fn mail(version: Version, session: u64, mut fields: Fields<'_>) -> Result<Event<'_>, LineError> {
    fields.hex("message")?;
    let (result, sender) = result_and(version.has_result_first(), fields, "sender")?;
    Ok(if result == b"ok" { Event::Mail { session, sender } } else { Event::Other })
}

fn rcpt(version: Version, session: u64, mut fields: Fields<'_>) -> Result<Event<'_>, LineError> {
    fields.hex("message")?;
    let (result, _) = result_and(version.has_result_first(), fields, "recipient")?;
    Ok(if result == b"ok" { Event::Rcpt { session } } else { Event::Other })
}

/// A result, and whom it is about: a text that may hold `|` itself.
fn result_and<'a>(
    result_first: bool,
    mut fields: Fields<'a>,
    what: &'static str,
) -> Result<(&'a [u8], &'a [u8]), LineError> {
    let result = if result_first { fields.next("result")? } else { fields.last("result")? };
    Ok((result, fields.rest(what)?))
}

fn commit(session: u64, mut fields: Fields<'_>) -> Result<Event<'_>, LineError> {
    fields.hex("message")?;
    let field = fields.next("size")?;
    let size = str::from_utf8(field).ok().and_then(|text| text.parse().ok());
    let size = size.ok_or_else(|| LineError::NotANumber { what: "size", got: quoted(field) })?;
    Ok(Event::Commit { session, size })
}

#[cfg(test)]
mod tests;
