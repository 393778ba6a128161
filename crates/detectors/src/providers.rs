//! Shared senders: mailbox providers and mail services, by the networks that they publish or
//! the suffix of a confirmed name.
//!
//! Their addresses carry everybody's mail; blocking one would hurt strangers, so no
//! automatic path makes them a key, nor a network that holds one (DESIGN §8, ‘shared’; S109,
//! ADV-21). Either sign is enough: a network tells where DNS has failed, a name where the
//! catalogue is out of date. An operator adds to both.
//!
//! False positives, which here are spam sources that stay unblocked: rented servers in the
//! networks of a cloud. Their spam is refused message by message.

use std::net::IpAddr;

use model::key::fold;
use model::{Name, Policy, Prefix};

use crate::catalogue::shipped;
use crate::dynamic::{is_access_token, octets_in, words};
use crate::ranges;

/// Labels of a provider's access lines and rented servers.
const LINES: &[&[u8]] = &[b"hsd1", b"client", b"vps", b"res", b"ip"];
/// A host label with so many digits is counted through: a line, not a mail server.
const DIGITS: usize = 8;
/// So many octets of the client's address in its name make it a line; two may stand in the
/// name of a mail server that is one of hundreds.
const OCTETS: usize = 3;

/// Whether a network is a shared sender's or holds an address of one, by the catalogue or by
/// the operator's further networks.
pub fn is_shared_network(network: Prefix, policy: &Policy) -> bool {
    ranges::touch(&shipped().networks, network) || ranges::touch(&policy.shared_networks, network)
}

/// Whether a client is a shared sender, by its address or by its confirmed name.
pub fn is_shared(client: IpAddr, confirmed: Option<&Name>, policy: &Policy) -> bool {
    is_shared_network(Prefix::host(fold(client)), policy)
        || confirmed.is_some_and(|name| is_shared_name(name, client, &policy.shared))
}

/// Names of shared senders, by the catalogue and by the operator's further suffixes: of their
/// servers, and of their users' addresses. With a domain above one, everybody's mail would be
/// blocked.
pub fn shared_names(policy: &Policy) -> impl Iterator<Item = &[u8]> {
    let known = shipped().names.iter().chain(&shipped().addresses).map(|name| name.as_bytes());
    known.chain(policy.shared.iter().map(Name::as_bytes))
}

/// Whether a confirmed name is a shared sender's; `own` are the operator's further suffixes.
fn is_shared_name(name: &Name, client: IpAddr, own: &[Name]) -> bool {
    let name = name.as_bytes();
    let host = shipped().names.iter().find_map(|suffix| host_under(name, suffix.as_bytes()));
    own.iter().any(|suffix| host_under(name, suffix.as_bytes()).is_some())
        || host.is_some_and(|host| is_mail_server(host) || !is_line(host, client))
}

/// Whether a word in the name says that it sends mail.
fn is_mail_server(host: &[u8]) -> bool {
    let has = |token: &[u8], part: &[u8]| token.windows(part.len()).any(|w| w == part);
    words(host).any(|token| {
        [&b"mail"[..], b"smtp", b"mta"].iter().any(|part| has(token, part))
            || token.starts_with(b"out")
            || token.ends_with(b"out")
            || token == b"mx"
    })
}

fn is_line(host: &[u8], client: IpAddr) -> bool {
    let labels = || host.split(|b| *b == b'.');
    let digits = labels().next().unwrap_or_default().iter().filter(|b| b.is_ascii_digit()).count();
    digits >= DIGITS
        || labels().any(|label| LINES.contains(&label))
        || words(host).any(is_access_token)
        || octets_in(host, client) >= OCTETS
}

/// What stands before a suffix that begins at a label.
fn host_under<'a>(name: &'a [u8], suffix: &[u8]) -> Option<&'a [u8]> {
    // A look at one byte tells most of the list apart.
    if name.get(name.len().checked_sub(suffix.len())?) != suffix.first() {
        return None;
    }
    let rest = name.strip_suffix(suffix)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_suffix(b".") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expect: bool) {
        check_at(name, "192.0.2.1", expect);
    }

    #[test]
    fn a_suffix_begins_at_a_label() {
        check("mail-yb1-f171.google.com", true);
        check("mail-am6eur05on2089.outbound.protection.outlook.com", true);
        check("o1.ptr2625.sendgrid.net", true);
        check("notgoogle.com", false);
        check("mail.google.com.example", false);
        check("out3.pool.example.org", true);
    }

    #[track_caller]
    fn check_at(name: &str, client: &str, expect: bool) {
        let (name, own) = (Name::new(name.as_bytes()), vec![Name::new(b"pool.example.org")]);
        let policy = Policy { shared: own, ..Policy::shipped() };
        assert_eq!(is_shared(client.parse().unwrap(), Some(&name), &policy), expect, "{name}");
    }

    #[test]
    fn a_providers_access_lines_are_not_shared_senders() {
        check("c-203-0-113-7.hsd1.wa.comcast.net", false);
        check("203-0-113-7.client.bigpond.com", false);
        check("pool-8-9-4-5.washdc.fios.verizon.net", false);
        check("resqmta-po-01v.sys.comcast.net", true);
        check("ns3012345.ovh.net", false);
        check("5.mo582.mail-out.ovh.net", true);
    }

    #[test]
    fn a_name_made_from_the_address_is_a_line_unless_it_says_mail() {
        check_at("ip98-51-100-7.ph.ph.cox.net", "98.51.100.7", false);
        check_at("wsip-98-51-100-7.ri.ri.cox.net", "98.51.100.7", false);
        check_at("static-98-51-100-7.south.verizon.net", "98.51.100.7", false);
        check_at("mta-98-51-100-7.sparkpostmail.com", "98.51.100.7", true);
        // Two octets are no line: one of hundreds of senders is called so.
        check_at("m100-7.mailgun.net", "98.51.100.7", true);
        check_at("a100-7.smtp-out.amazonses.com", "98.51.100.7", true);
        check_at("mail-yb1-f171.google.com", "192.0.2.171", true);
        check_at("sonic302-20.consmr.mail.ne1.yahoo.com", "192.0.2.20", true);
    }

    #[test]
    fn a_published_network_is_shared_whatever_dns_says() {
        let policy =
            Policy { shared_networks: vec!["198.51.100.0/24".parse().unwrap()], ..Policy::shipped() };
        let shared = |addr: &str| is_shared(addr.parse().unwrap(), None, &policy);
        for addr in
            ["209.85.220.41", "::ffff:209.85.220.41", "40.107.1.2", "2a01:111:f403::9", "198.51.100.7"]
        {
            assert!(shared(addr), "{addr}");
        }
        assert!(!shared("192.0.2.7") && !shared("2001:db8::7"));
    }

    #[test]
    fn a_network_that_holds_a_shared_sender_is_one() {
        let shared = |net: &str| is_shared_network(net.parse().unwrap(), &Policy::shipped());
        assert!(shared("209.85.0.0/16") && shared("209.85.220.0/24") && shared("167.89.0.0/16"));
        assert!(!shared("192.0.2.0/24") && !shared("11.0.0.0/8"));
    }

    /// ADV-21: who hides behind a provider's farm gets none of its addresses blocked.
    #[test]
    fn adv_21_every_address_of_a_farm_is_shared() {
        let farm = (0..50u32).map(|n| std::net::Ipv4Addr::from_bits(0xd155_dc00 + n * 5));
        assert!(farm.into_iter().all(|addr| is_shared(addr.into(), None, &Policy::shipped())));
    }
}
