//! What an MTA sends: one step of an SMTP session.

use std::net::IpAddr;

use super::error::CommandError;
use super::macros::MacroList;
use super::negotiate::{Actions, Offer, Protocol};
use super::packet::{Packet, write_packet};
use crate::text::quoted;

/// One command. Texts are the client's bytes, without the NUL at their end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command<'a> {
    /// The first of all: what the MTA offers.
    Negotiate(Offer),
    /// Macros for the command that follows.
    Macros(MacroList<'a>),
    /// A client connected.
    Connect {
        /// Its name, as far as the MTA knows it.
        host: &'a [u8],
        /// Its address.
        peer: Peer<'a>,
    },
    /// HELO or EHLO with its argument.
    Helo(&'a [u8]),
    /// MAIL FROM.
    Mail {
        /// The reverse path as written, mostly in `<>`.
        path: &'a [u8],
        /// ESMTP parameters, each closed by a NUL.
        parameters: &'a [u8],
    },
    /// RCPT TO.
    Rcpt {
        /// The forward path as written, mostly in `<>`.
        path: &'a [u8],
        /// ESMTP parameters, each closed by a NUL.
        parameters: &'a [u8],
    },
    /// DATA.
    Data,
    /// An SMTP command that the MTA does not know.
    Unknown(&'a [u8]),
    /// One header field.
    Field {
        /// Its name.
        name: &'a [u8],
        /// Its value: folded lines with LF or CRLF between them.
        value: &'a [u8],
    },
    /// The end of the header.
    EndOfHeader,
    /// A piece of the body.
    Body(&'a [u8]),
    /// The end of the message, and perhaps the last piece of its body.
    EndOfBody(&'a [u8]),
    /// The message is given up; the session goes on.
    Abort,
    /// The end of the connection.
    Quit,
    /// The end of the session; another one follows on this connection.
    QuitNew,
}

/// Where a client is, as an MTA says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peer<'a> {
    /// The MTA does not know.
    Unknown,
    /// A local socket.
    Local(&'a [u8]),
    /// An address of the Internet, and the port; 0 where unknown.
    Ip(IpAddr, u16),
}

impl<'a> Command<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    ///
    /// [`CommandError`]; the caller closes the connection (STD-77).
    pub fn read(packet: Packet<'a>) -> Result<Command<'a>, CommandError> {
        let Packet { kind, data } = packet;
        Ok(match kind {
            b'O' => Command::Negotiate(offer(kind, data)?),
            b'D' => Command::Macros(MacroList::read(kind, data)?),
            b'C' => connect(kind, data)?,
            b'H' => Command::Helo(closed(kind, data)?),
            b'M' => {
                let (path, parameters) = arguments(kind, data)?;
                Command::Mail { path, parameters }
            }
            b'R' => {
                let (path, parameters) = arguments(kind, data)?;
                Command::Rcpt { path, parameters }
            }
            b'T' => Command::Data,
            b'U' => Command::Unknown(closed(kind, data)?),
            b'L' => {
                let (name, value) = arguments(kind, data)?;
                Command::Field { name, value: closed(kind, value)? }
            }
            b'N' => Command::EndOfHeader,
            b'B' => Command::Body(data),
            b'E' => Command::EndOfBody(data),
            b'A' => Command::Abort,
            b'Q' => Command::Quit,
            b'K' => Command::QuitNew,
            _ => return Err(CommandError::Unknown { kind }),
        })
    }

    /// Appends the packet, as an MTA does. A NUL inside a text would end it.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Command::Negotiate(offer) => write_packet(b'O', &[&offer_bytes(*offer)], out),
            Command::Macros(list) => {
                let pairs: Vec<_> = list.iter().flat_map(|(n, v)| [n, b"\0", v, b"\0"]).collect();
                write_packet(b'D', &[&[list.of], pairs.concat().as_slice()], out);
            }
            Command::Connect { host, peer } => write_packet(b'C', &[host, b"\0", &peer_bytes(*peer)], out),
            Command::Helo(name) => write_packet(b'H', &[name, b"\0"], out),
            Command::Mail { path, parameters } => write_packet(b'M', &[path, b"\0", parameters], out),
            Command::Rcpt { path, parameters } => write_packet(b'R', &[path, b"\0", parameters], out),
            Command::Data => write_packet(b'T', &[], out),
            Command::Unknown(line) => write_packet(b'U', &[line, b"\0"], out),
            Command::Field { name, value } => write_packet(b'L', &[name, b"\0", value, b"\0"], out),
            Command::EndOfHeader => write_packet(b'N', &[], out),
            Command::Body(piece) => write_packet(b'B', &[piece], out),
            Command::EndOfBody(piece) => write_packet(b'E', &[piece], out),
            Command::Abort => write_packet(b'A', &[], out),
            Command::Quit => write_packet(b'Q', &[], out),
            Command::QuitNew => write_packet(b'K', &[], out),
        }
    }
}

fn offer(kind: u8, data: &[u8]) -> Result<Offer, CommandError> {
    let words = data.as_chunks::<4>().0;
    let [version, actions, protocol, ..] = words else {
        return Err(CommandError::TooShort { kind, len: data.len() });
    };
    Ok(Offer {
        version: u32::from_be_bytes(*version),
        actions: Actions(u32::from_be_bytes(*actions)),
        protocol: Protocol(u32::from_be_bytes(*protocol)),
    })
}

fn offer_bytes(offer: Offer) -> Vec<u8> {
    [offer.version, offer.actions.0, offer.protocol.0].map(u32::to_be_bytes).concat()
}

/// The one text of a packet, without the NUL that must close it.
fn closed(kind: u8, data: &[u8]) -> Result<&[u8], CommandError> {
    data.strip_suffix(b"\0").ok_or(CommandError::Unterminated { kind })
}

/// The first text of a packet, and the rest with its NULs.
fn arguments(kind: u8, data: &[u8]) -> Result<(&[u8], &[u8]), CommandError> {
    let end = data.iter().position(|byte| *byte == 0).ok_or(CommandError::Unterminated { kind })?;
    let rest = &data[end + 1..];
    match rest.last() {
        None | Some(0) => Ok((&data[..end], rest)),
        Some(_) => Err(CommandError::Unterminated { kind }),
    }
}

fn connect(kind: u8, data: &[u8]) -> Result<Command<'_>, CommandError> {
    let end = data.iter().position(|byte| *byte == 0).ok_or(CommandError::Unterminated { kind })?;
    let (host, rest) = (&data[..end], &data[end + 1..]);
    let short = CommandError::TooShort { kind, len: data.len() };
    let Some((family, rest)) = rest.split_first() else { return Err(short) };
    if *family == b'U' {
        return Ok(Command::Connect { host, peer: Peer::Unknown });
    }
    let Some((port, address)) = rest.split_first_chunk() else { return Err(short) };
    let peer = peer(*family, u16::from_be_bytes(*port), closed(kind, address)?)?;
    Ok(Command::Connect { host, peer })
}

fn peer(family: u8, port: u16, address: &[u8]) -> Result<Peer<'_>, CommandError> {
    let text = std::str::from_utf8(address).ok();
    let ip = match family {
        b'L' => return Ok(Peer::Local(address)),
        b'4' => text.and_then(|t| t.parse().ok()).map(IpAddr::V4),
        b'6' => text.and_then(|t| t.strip_prefix("IPv6:").unwrap_or(t).parse().ok()).map(IpAddr::V6),
        _ => None,
    };
    let bad = || CommandError::BadAddress { family, got: quoted(address) };
    ip.map(|ip| Peer::Ip(ip, port)).ok_or_else(bad)
}

fn peer_bytes(peer: Peer<'_>) -> Vec<u8> {
    match peer {
        Peer::Unknown => b"U".to_vec(),
        Peer::Local(path) => [b"L\0\0", path, b"\0"].concat(),
        Peer::Ip(ip, port) => {
            let family: &[u8] = if ip.is_ipv4() { b"4" } else { b"6" };
            [family, &port.to_be_bytes(), ip.to_string().as_bytes(), b"\0"].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: u8, data: &[u8], expect: &Command<'_>) {
        assert_eq!(Command::read(Packet { kind, data }).as_ref(), Ok(expect));
    }

    #[track_caller]
    fn check_error(kind: u8, data: &[u8], expect: &str) {
        assert_eq!(Command::read(Packet { kind, data }).unwrap_err().to_string(), expect);
    }

    #[test]
    fn a_client_comes_with_name_address_and_port() {
        let from = |host, peer| Command::Connect { host, peer };
        let v4 = Peer::Ip("192.0.2.25".parse().unwrap(), 40001);
        check(b'C', b"mail.example.net\x004\x9c\x41192.0.2.25\0", &from(b"mail.example.net", v4));
        let v6 = Peer::Ip("2001:db8::25".parse().unwrap(), 25);
        check(b'C', b"unknown\x006\0\x192001:db8::25\0", &from(b"unknown", v6));
        check(b'C', b"unknown\x006\0\x19IPv6:2001:db8::25\0", &from(b"unknown", v6));
        check(b'C', b"localhost\0L\0\0/run/x\0", &from(b"localhost", Peer::Local(b"/run/x")));
        check(b'C', b"localhost\0U", &from(b"localhost", Peer::Unknown));
    }

    #[test]
    fn an_address_that_is_none_is_an_error() {
        check_error(
            b'C',
            b"x\x004\0\x19192.0.2.256\0",
            "expected an address of family 4, but got \"192.0.2.256\"",
        );
        check_error(
            b'C',
            b"x\x006\0\x19192.0.2.25\0",
            "expected an address of family 6, but got \"192.0.2.25\"",
        );
        check_error(b'C', b"x\0Z\0\x19a\0", "expected an address of family Z, but got \"a\"");
        check_error(b'C', b"x\x004\0", "expected more in C, but got 4 bytes");
        check_error(b'C', b"x\0", "expected more in C, but got 2 bytes");
        check_error(b'C', b"x", "expected texts that end with NUL in C, but got none");
    }

    #[test]
    fn paths_come_with_their_parameters() {
        let mail = Command::Mail { path: b"<a@example.net>", parameters: b"SIZE=5\0BODY=8BITMIME\0" };
        check(b'M', b"<a@example.net>\0SIZE=5\0BODY=8BITMIME\0", &mail);
        check(b'M', b"<>\0", &Command::Mail { path: b"<>", parameters: b"" });
        check(b'R', b"<b@example.org>\0", &Command::Rcpt { path: b"<b@example.org>", parameters: b"" });
        check_error(b'R', b"<b@example.org>", "expected texts that end with NUL in R, but got none");
        check_error(b'R', b"<b@example.org>\0x", "expected texts that end with NUL in R, but got none");
    }

    #[test]
    fn a_field_is_name_and_value() {
        check(b'L', b"Subject\0 a\n\tb\0", &Command::Field { name: b"Subject", value: b" a\n\tb" });
        check(b'L', b"Subject\0\0", &Command::Field { name: b"Subject", value: b"" });
        // A NUL inside is the client's: what follows belongs to the value, too.
        check(b'L', b"Subject\0a\0b\0", &Command::Field { name: b"Subject", value: b"a\0b" });
        check_error(b'L', b"Subject\0", "expected texts that end with NUL in L, but got none");
    }

    #[test]
    fn all_others_are_read() {
        let offer = Offer { version: 6, actions: Actions(0x1ff), protocol: Protocol(0x1f_ffff) };
        check(b'O', b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff", &Command::Negotiate(offer));
        check(b'O', b"\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xffmore", &Command::Negotiate(offer));
        check_error(b'O', b"\0\0\0\x06", "expected more in O, but got 4 bytes");
        check(b'H', b"x\0", &Command::Helo(b"x"));
        check(b'U', b"FOO\0", &Command::Unknown(b"FOO"));
        check(b'B', b"\0a", &Command::Body(b"\0a"));
        check(b'E', b"", &Command::EndOfBody(b""));
        for (kind, command) in [
            (b'T', Command::Data),
            (b'N', Command::EndOfHeader),
            (b'A', Command::Abort),
            (b'Q', Command::Quit),
            (b'K', Command::QuitNew),
        ] {
            check(kind, b"", &command);
        }
        check_error(b'c', b"", "expected a command of the protocol, but got \"c\"");
        check_error(b'\n', b"", r#"expected a command of the protocol, but got "\n""#);
    }
}
