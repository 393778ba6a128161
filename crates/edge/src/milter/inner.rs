//! The client behind a declared upstream MX, from the Received fields that it wrote.
//!
//! What a relay puts on top we believe, because it was declared; what lies below the first
//! stranger is a stranger's word (ADV-20). A relay may hand a message round in its own house
//! (a content filter on loopback, a second MX), so fields whose client is of the house are
//! passed over.

use std::net::IpAddr;

use model::key::fold;
use model::letter::Field;
use model::{Client, Name, Prefix, Rdns};
use wire::received::Received;

use super::host::Shared;

/// The most fields that are passed over.
const HOPS_MAX: usize = 8;

/// The first stranger on the way back, if the fields name one.
pub(super) fn inner(fields: &[Field], shared: &Shared) -> Option<Client> {
    let received = fields.iter().filter(|field| field.is("Received")).take(HOPS_MAX);
    for field in received {
        let read = Received::parse(&field.value);
        let addr = fold(read.ip?);
        if !is_house(addr, shared) {
            return Some(client(addr, &read, &field.value));
        }
    }
    None
}

/// Whether the address belongs to the relay's house or ours, or to nobody in particular.
fn is_house(addr: IpAddr, shared: &Shared) -> bool {
    let host = Prefix::host(addr);
    let private = match addr {
        IpAddr::V4(a) => a.is_loopback() || a.is_private() || a.is_link_local() || a.is_unspecified(),
        IpAddr::V6(a) => {
            a.is_loopback() || a.is_unique_local() || a.is_unicast_link_local() || a.is_unspecified()
        }
    };
    private || shared.is_relay(host) || shared.is_ours(host)
}

fn client(addr: IpAddr, read: &Received<'_>, value: &[u8]) -> Client {
    let helo = read.helo.as_ref().or(read.from.as_ref());
    Client {
        addr,
        port: 0,
        helo: helo.map(|name| Name::new(name.as_bytes())),
        rdns: rdns(read, value),
        authenticated: false,
    }
}

/// Postfix writes a name only if it is confirmed, else `unknown`; Sendmail adds ‘may be
/// forged’. Where no name stands, nobody knows why.
fn rdns(read: &Received<'_>, value: &[u8]) -> Rdns {
    let named = read.rdns.as_deref().filter(|name| !name.eq_ignore_ascii_case("unknown"));
    let Some(name) = named.map(|name| Name::new(name.as_bytes())) else { return Rdns::Unknown };
    let forged = value.windows(13).any(|words| words.eq_ignore_ascii_case(b"may be forged"));
    if forged { Rdns::Mismatch(name) } else { Rdns::Confirmed(name) }
}
