//! The values of a policy request that are more than bytes: state, address, numbers.
//!
//! Nothing here fails: what can not be read becomes a value that says so, because one
//! odd attribute is no reason to leave Postfix without an answer.

use std::net::IpAddr;
use std::str;

/// What Postfix writes for a host name or an address that it does not know.
const UNKNOWN: &[u8] = b"unknown";

/// The SMTP command at which Postfix asks.
///
/// With `smtpd_delay_reject`, the default, client, HELO and sender restrictions are
/// asked at RCPT too.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum State {
    /// The client has connected and said nothing yet.
    Connect,
    /// EHLO.
    Ehlo,
    /// HELO.
    Helo,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, before the message.
    Data,
    /// The message has been received and not yet answered.
    EndOfMessage,
    /// VRFY.
    Vrfy,
    /// ETRN.
    Etrn,
    /// Absent, or a state that this version does not know.
    #[default]
    Other,
}

impl State {
    pub(super) fn of(value: &[u8]) -> State {
        match value {
            b"CONNECT" => State::Connect,
            b"EHLO" => State::Ehlo,
            b"HELO" => State::Helo,
            b"MAIL" => State::Mail,
            b"RCPT" => State::Rcpt,
            b"DATA" => State::Data,
            b"END-OF-MESSAGE" => State::EndOfMessage,
            b"VRFY" => State::Vrfy,
            b"ETRN" => State::Etrn,
            _ => State::Other,
        }
    }
}

/// The client's address, or why there is none.
///
/// Without an address the answer is `DUNNO`; which of the two it was, the caller
/// counts apart.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ClientAddress {
    /// An address. IPv4 in IPv6 form (`::ffff:192.0.2.25`) is folded to IPv4, so that
    /// one client has one key.
    Ip(IpAddr),
    /// Not sent, empty, or `unknown`: Postfix itself has none, because the client
    /// was gone before it was asked for, or a proxy withheld it.
    #[default]
    Absent,
    /// Something that is not an IP address; see
    /// [`Request::client_address_raw`](super::Request::client_address_raw).
    Malformed,
}

impl ClientAddress {
    /// The address, if there is one.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            ClientAddress::Ip(ip) => Some(ip),
            ClientAddress::Absent | ClientAddress::Malformed => None,
        }
    }

    pub(super) fn of(value: &[u8]) -> ClientAddress {
        match ip(value) {
            Some(ip) => ClientAddress::Ip(ip),
            None if known(value).is_none() => ClientAddress::Absent,
            None => ClientAddress::Malformed,
        }
    }
}

/// An IP address, IPv4 in IPv6 form folded to IPv4.
pub(super) fn ip(value: &[u8]) -> Option<IpAddr> {
    let ip: IpAddr = str::from_utf8(value).ok()?.parse().ok()?;
    Some(ip.to_canonical())
}

/// A decimal number: digits only, where Rust's own parser would take `+1` too.
pub(super) fn number<T: str::FromStr>(value: &[u8]) -> Option<T> {
    let digits = value.iter().all(u8::is_ascii_digit).then_some(value)?;
    str::from_utf8(digits).ok()?.parse().ok()
}

/// A TCP port; 0 is none.
pub(super) fn port(value: &[u8]) -> Option<u16> {
    number(value).filter(|port| *port != 0)
}

/// A host name, unless Postfix knows none.
pub(super) fn known(name: &[u8]) -> Option<&[u8]> {
    (!name.is_empty() && name != UNKNOWN).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Request, split_request};

    /// What `get` finds in a request of this one `name=value` line.
    fn read<T>(line: &str, get: impl Fn(&Request<'_>) -> T) -> T {
        let input = format!("{line}\n\n");
        let (request, _) = split_request(input.as_bytes()).unwrap().expect("whole");
        get(&request)
    }

    #[test]
    fn knows_every_state_of_the_protocol() {
        let table = [
            ("CONNECT", State::Connect),
            ("EHLO", State::Ehlo),
            ("HELO", State::Helo),
            ("MAIL", State::Mail),
            ("RCPT", State::Rcpt),
            ("DATA", State::Data),
            ("END-OF-MESSAGE", State::EndOfMessage),
            ("VRFY", State::Vrfy),
            ("ETRN", State::Etrn),
            ("", State::Other),
            ("rcpt", State::Other),
            ("BDAT", State::Other),
        ];
        for (value, expect) in table {
            assert_eq!(read(&format!("protocol_state={value}"), |r| r.protocol_state), expect, "{value}");
        }
        assert_eq!(read("sender=a", |r| r.protocol_state), State::Other);
    }

    #[test]
    fn reads_the_clients_address() {
        let found = |text: &str| ClientAddress::Ip(text.parse().unwrap());
        let table = [
            ("203.0.113.7", found("203.0.113.7")),
            ("2001:db8::25", found("2001:db8::25")),
            ("2001:DB8:0:0:0:0:0:25", found("2001:db8::25")),
            ("::ffff:203.0.113.7", found("203.0.113.7")),
            ("::ffff:cb00:7107", found("203.0.113.7")),
            ("", ClientAddress::Absent),
            ("unknown", ClientAddress::Absent),
            ("203.0.113", ClientAddress::Malformed),
            ("203.0.113.07", ClientAddress::Malformed),
            ("203.0.113.256", ClientAddress::Malformed),
            ("203.0.113.7\r", ClientAddress::Malformed),
            (" 203.0.113.7", ClientAddress::Malformed),
            ("203.0.113.7:25", ClientAddress::Malformed),
            ("[2001:db8::25]", ClientAddress::Malformed),
            ("fe80::1%eth0", ClientAddress::Malformed),
            ("mx.example.net", ClientAddress::Malformed),
        ];
        for (value, expect) in table {
            assert_eq!(read(&format!("client_address={value}"), |r| r.client_address), expect, "{value}");
            assert_eq!(
                read(&format!("client_address={value}"), |r| r.client_address_raw.to_vec()),
                value.as_bytes(),
                "{value}"
            );
        }
        assert_eq!(read("sender=a", |r| r.client_address), ClientAddress::Absent);
    }

    #[test]
    fn only_an_address_is_an_ip() {
        let address = "192.0.2.25".parse().unwrap();
        assert_eq!(ClientAddress::Ip(address).ip(), Some(address));
        assert_eq!(ClientAddress::Absent.ip(), None);
        assert_eq!(ClientAddress::Malformed.ip(), None);
    }

    #[test]
    fn numbers_are_decimal_or_nothing() {
        for (value, count, size, port) in [
            ("25", 25, 25, Some(25)),
            ("0", 0, 0, None),
            ("", 0, 0, None),
            ("0065535", 65_535, 65_535, Some(65_535)),
            ("65536", 65_536, 65_536, None),
            ("4294967295", u32::MAX, 4_294_967_295, None),
            ("4294967296", 0, 4_294_967_296, None),
            ("18446744073709551615", 0, u64::MAX, None),
            ("18446744073709551616", 0, 0, None),
            ("+1", 0, 0, None),
            ("-1", 0, 0, None),
            (" 1", 0, 0, None),
            ("1\r", 0, 0, None),
            ("0x10", 0, 0, None),
            ("unknown", 0, 0, None),
        ] {
            assert_eq!(read(&format!("recipient_count={value}"), |r| r.recipient_count), count, "{value}");
            assert_eq!(read(&format!("size={value}"), |r| r.size), size, "{value}");
            assert_eq!(read(&format!("client_port={value}"), |r| r.client_port), port, "{value}");
            assert_eq!(read(&format!("server_port={value}"), |r| r.server_port), port, "{value}");
        }
    }
}
