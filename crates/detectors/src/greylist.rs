//! Whom greylisting asks to come back, and as whom it knows them again.
//!
//! Needs: connection facts. Asked is who has two points of the connection score, or, where
//! the site wants it so, every stranger. A pool is known by the organisational domain of a
//! confirmed name of its own or of a sender that many share, because large senders try again
//! from another address; an access line's name says nothing of that kind, and an address
//! without a name stands for its /24 or /64. What a sender says of itself (HELO, envelope) names no pool: anybody can
//! say it.
//!
//! False positives cost a few minutes of the first message. They come from small servers
//! without a name of their own, and from pools whose addresses have no names and lie far
//! apart: each of their networks waits by itself.

use model::greylist::Asks;
use model::key::fold;
use model::{Client, Domain, Greylist, Key, Prefix};

use crate::dynamic::LINE;
use crate::org::org;
use crate::rdns::RdnsClass;
use crate::score::SUSPICIOUS;
use crate::seen::Traits;

/// Whether the rule asks a stranger to come back whose connection weighs so many quarters of
/// a point.
pub fn asks(rule: &Greylist, quarters: i32) -> bool {
    rule.asks == Asks::Everybody || quarters >= SUSPICIOUS
}

/// As whom a client is known again.
pub fn pool(client: &Client, traits: &Traits) -> Key {
    let own_name = traits.rdns == RdnsClass::Fine && traits.line < LINE && !traits.made;
    let named = client.rdns.confirmed().filter(|_| own_name || traits.shared);
    let domain = named.and_then(|name| org(name.as_bytes()));
    let domain: Option<Domain> = domain.and_then(|domain| std::str::from_utf8(domain).ok()?.parse().ok());
    domain.map_or_else(|| Key::Net(network(client)), Key::Domain)
}

fn network(client: &Client) -> Prefix {
    let addr = fold(client.addr);
    Prefix::new(addr, if addr.is_ipv4() { 24 } else { 64 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Name, Policy, Rdns};

    #[track_caller]
    fn check(addr: &str, rdns: Rdns, expect: &str) {
        let client = Client { addr: addr.parse().unwrap(), port: 0, helo: None, rdns, authenticated: false };
        let traits = Traits::of(&client, false, &Policy::shipped());
        assert_eq!(pool(&client, &traits).to_string(), expect);
    }

    fn named(name: &str) -> Rdns {
        Rdns::Confirmed(Name::new(name.as_bytes()))
    }

    #[test]
    fn a_pool_is_known_by_the_domain_of_its_confirmed_names() {
        check("192.0.2.25", named("mail7.outbound.example.com"), "example.com");
        check("2001:db8::25", named("mail7.outbound.example.co.uk"), "example.co.uk");
    }

    #[test]
    fn what_proves_no_pool_is_known_by_its_network() {
        check("192.0.2.25", Rdns::Missing, "192.0.2.0/24");
        check("::ffff:192.0.2.25", Rdns::Unknown, "192.0.2.0/24");
        check("2001:db8:1:2::25", Rdns::Missing, "2001:db8:1:2::/64");
        check("192.0.2.25", Rdns::Mismatch(Name::new(b"mail.example.com")), "192.0.2.0/24");
        check("192.0.2.25", named("dyn-192-0-2-25.dsl.example.net"), "192.0.2.0/24");
        check("192.0.2.25", named("co.uk"), "192.0.2.0/24");
        check("192.0.2.25", named("m\u{1b}x.example\u{7}.com"), "192.0.2.0/24");
    }

    #[test]
    fn two_points_are_asked_and_where_the_site_wants_it_everybody() {
        let [suspicious, everybody] = [Asks::Suspicious, Asks::Everybody].map(Greylist::shipped);
        assert!(!asks(&suspicious, 7) && asks(&suspicious, 8));
        assert!(asks(&everybody, -8));
    }
}
