//! Who connected: from the words of an MTA to the client of an observation.

use std::net::IpAddr;

use model::key::fold;
use model::{Client, Name, Prefix, Rdns};

use super::begun::Begun;
use super::host::Shared;

/// What a client is to us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// Anybody.
    Stranger,
    /// One of our own networks.
    Ours,
    /// A declared upstream MX.
    Relay,
}

impl Standing {
    /// A relay of ours stands in one of our networks as often as not, so it is looked for
    /// first.
    pub(super) fn of(addr: IpAddr, shared: &Shared) -> Standing {
        let host = Prefix::host(fold(addr));
        if shared.is_relay(host) {
            Standing::Relay
        } else if shared.is_ours(host) {
            Standing::Ours
        } else {
            Standing::Stranger
        }
    }
}

/// A client that has said nothing yet.
pub(super) fn connected(addr: IpAddr, port: u16, said: &Begun) -> Client {
    Client { addr: fold(addr), port, helo: None, rdns: rdns(said), authenticated: false }
}

/// Sendmail and Postfix say in `{client_resolve}` how name and address fit: `OK`, `FORGED`
/// (the name has other addresses), `FAIL` (there is no name) or `TEMP`. Without it nothing
/// is known: the name beside the address may be anything.
fn rdns(said: &Begun) -> Rdns {
    let name = |of| said.get(b'C', of).filter(|name| is_name(name)).map(Name::new);
    match said.get(b'C', "client_resolve") {
        Some(b"OK") => {
            name("client_name").or_else(|| name("client_ptr")).map_or(Rdns::Unknown, Rdns::Confirmed)
        }
        Some(b"FORGED") => {
            name("client_ptr").or_else(|| name("client_name")).map_or(Rdns::Missing, Rdns::Mismatch)
        }
        Some(b"FAIL") => name("client_ptr").map_or(Rdns::Missing, Rdns::Mismatch),
        _ => Rdns::Unknown,
    }
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name != b"unknown" && !name.starts_with(b"[")
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::milter::{Command, split_packet, write_macros};

    #[track_caller]
    fn check(macros: &[(&str, &str)], expect: &Rdns) {
        let pairs: Vec<_> = macros.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let mut bytes = Vec::new();
        write_macros(b'C', &pairs, &mut bytes);
        let mut said = Begun::default();
        let (packet, _) = split_packet(&bytes).unwrap().unwrap();
        let Ok(Command::Macros(list)) = Command::read(packet) else { panic!("no macros") };
        said.note(&list);
        assert_eq!(&connected("::ffff:192.0.2.25".parse().unwrap(), 25, &said).rdns, expect);
    }

    #[test]
    fn reverse_dns_is_known_as_far_as_the_mta_says_it() {
        let name = || Name::new(b"mail.example.net");
        let (resolve, ptr, host) = ("{client_resolve}", "{client_ptr}", "{client_name}");
        check(
            &[(resolve, "OK"), (ptr, "mail.example.net"), (host, "mail.example.net")],
            &Rdns::Confirmed(name()),
        );
        check(&[(resolve, "FORGED"), (ptr, "mail.example.net"), (host, "unknown")], &Rdns::Mismatch(name()));
        check(&[(resolve, "FAIL"), (ptr, "mail.example.net"), (host, "unknown")], &Rdns::Mismatch(name()));
        check(&[(resolve, "FAIL"), (ptr, "unknown"), (host, "unknown")], &Rdns::Missing);
        check(&[(resolve, "FAIL"), (host, "[192.0.2.25]")], &Rdns::Missing);
        check(&[(resolve, "TEMP"), (ptr, "unknown")], &Rdns::Unknown);
        check(&[(ptr, "mail.example.net")], &Rdns::Unknown);
        check(&[], &Rdns::Unknown);
    }
}
