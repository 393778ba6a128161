//! What is ours, as far as Postfix knows: names that nobody else may greet with, and
//! networks that are never blocked.
//!
//! Lists in files and tables are not read; they are told, so that a person can add what is
//! in them.

use std::net::IpAddr;

use model::key::KeyError;
use model::{Domain, Prefix};

use super::postconf::Postconf;

/// Settings with names that are ours.
const NAMES: [&str; 6] = [
    "myhostname",
    "smtp_helo_name",
    "mydestination",
    "virtual_mailbox_domains",
    "virtual_alias_domains",
    "relay_domains",
];

/// Settings with networks and addresses that are ours. `proxy_interfaces` are addresses
/// behind which we stand.
const NETWORKS: [&str; 5] =
    ["mynetworks", "inet_interfaces", "proxy_interfaces", "smtp_bind_address", "smtp_bind_address6"];

/// Words of those lists that name neither a host nor a network.
const WORDS: [&str; 3] = ["all", "loopback-only", "localhost"];

/// What was found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Own {
    /// Host and mail domain names.
    pub(super) names: Vec<String>,
    /// Those of them that only `relay_domains` has: others' domains, whose mail we pass on.
    pub(super) relayed: Vec<String>,
    /// Prefixes.
    pub(super) networks: Vec<String>,
    /// Entries that only a person can follow, with the setting they stand in.
    pub(super) unread: Vec<(&'static str, String)>,
}

/// Collects what is ours.
pub(super) fn own(postfix: &Postconf) -> Own {
    let mut own = Own::default();
    for setting in NAMES {
        postfix.words(setting).into_iter().for_each(|word| own.name(setting, word));
    }
    for setting in NETWORKS {
        postfix.words(setting).into_iter().for_each(|word| own.network(setting, word));
    }
    own
}

impl Own {
    fn name(&mut self, setting: &'static str, word: String) {
        match word.parse::<Domain>() {
            // Four numbers read as a name, too.
            Ok(name) if is_default(name.as_str()) || prefix(&word).is_some() => {}
            Ok(name) if self.names.iter().any(|known| known == name.as_str()) => {}
            Ok(name) => {
                self.names.push(name.as_str().to_owned());
                self.relayed.extend((setting == "relay_domains").then(|| name.as_str().to_owned()));
            }
            // Of the rest only files and tables may hold names.
            Err(_) => self.unread.extend(word.contains(['/', ':']).then_some((setting, word))),
        }
    }

    fn network(&mut self, setting: &'static str, word: String) {
        match prefix(&word) {
            Some(net) if self.networks.contains(&net.to_string()) => {}
            Some(net) if net.bits() > 0 => self.networks.push(net.to_string()),
            None if WORDS.contains(&word.as_str()) || self.names.contains(&word) => {}
            _ => self.unread.push((setting, word)),
        }
    }
}

/// Names that every machine has.
fn is_default(name: &str) -> bool {
    let last = name.rsplit('.').next();
    matches!(last, Some("localhost" | "localdomain")) || name.starts_with("localhost.")
}

/// Postfix writes IPv6 addresses in brackets, and may write IPv4 networks as v4-mapped ones.
fn prefix(word: &str) -> Option<Prefix> {
    let bare: String = word.chars().filter(|c| !matches!(c, '[' | ']')).collect();
    match bare.parse::<Prefix>() {
        Ok(prefix) => Some(prefix),
        Err(KeyError::HostBits { meant, .. }) => Some(meant),
        Err(_) => mapped(&bare),
    }
}

fn mapped(text: &str) -> Option<Prefix> {
    let (addr, bits) = text.split_once('/')?;
    let IpAddr::V6(addr) = addr.parse().ok()? else { return None };
    let bits = bits.parse::<u8>().ok()?.checked_sub(96)?;
    Some(Prefix::new(addr.to_ipv4_mapped()?.into(), bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(postconf: &str, names: &[&str], networks: &[&str], unread: &[&str]) {
        let own = own(&Postconf::parse(postconf));
        let unread_words: Vec<_> = own.unread.iter().map(|(_, word)| word.as_str()).collect();
        assert_eq!((own.names, own.networks), (strings(names), strings(networks)), "{postconf}");
        assert_eq!(unread_words, unread, "{postconf}");
    }

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn names_are_host_and_mail_domains_each_once() {
        check(
            "myhostname = MX.example.org\nmydestination = $myhostname, example.org, localhost.example.org, \
             localhost\nrelay_domains = $mydestination, example.net",
            &["mx.example.org", "example.org", "example.net"],
            &[],
            &[],
        );
        check("myhostname = vm.localdomain", &[], &[], &[]);
        check("mydestination = [192.0.2.1] 192.0.2.1", &[], &[], &[]);
    }

    #[test]
    fn domains_that_are_only_relayed_are_known_as_such() {
        let own =
            own(&Postconf::parse("mydestination = example.org\nrelay_domains = example.org example.net"));
        assert_eq!(own.relayed, ["example.net"]);
    }

    #[test]
    fn networks_come_in_all_of_postfixs_forms() {
        check(
            "mydestination =\nmynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128, 192.0.2.9/24",
            &[],
            &["127.0.0.0/8", "::1", "192.0.2.0/24"],
            &[],
        );
        check(
            "myhostname = mx.example.org\ninet_interfaces = $myhostname, 198.51.100.25, [2001:db8::25]",
            &["mx.example.org"],
            &["198.51.100.25", "2001:db8::25"],
            &[],
        );
        check("mydestination =\ninet_interfaces = all", &[], &[], &[]);
    }

    #[test]
    fn what_only_a_person_can_follow_is_told() {
        check(
            "mydestination = /etc/postfix/domains, hash:/etc/postfix/more\nmynetworks = !192.0.2.7 cidr:/x 0.0.0.0/0",
            &[],
            &[],
            &["/etc/postfix/domains", "hash:/etc/postfix/more", "!192.0.2.7", "cidr:/x", "0.0.0.0/0"],
        );
    }
}
