//! Where answers to a sender would go (OFF-24, `bogusmx`).
//!
//! Asks for the MX of the envelope sender's domain and the addresses behind it. A domain whose
//! every target is an address literal, `localhost`, does not exist, or lies in a network that
//! the Internet does not route can not get an answer; one with a null MX (RFC 7505) says so
//! itself, and should not send. A domain without any MX is fine: RFC 5321 §5.1 takes its own
//! address.
//!
//! What DNS does not answer in time is no opinion. Nothing is ever sent to anybody.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mail_auth::hickory_resolver::proto::rr::{Name, RData, RecordType};
use model::letter::Letter;
use tokio::time::{Instant, timeout_at};

use super::spf::identity;
use super::{Identity, Inner};

/// Targets that are looked at; a domain with more is not bogus for the first ones.
const TARGETS_MAX: usize = 5;

/// What the MX of a sender's domain says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mx {
    /// Not asked, or no answer.
    #[default]
    Unknown,
    /// Answers can reach it, as far as DNS tells.
    Fine,
    /// No target can be reached by anybody.
    Bogus,
    /// It takes no mail at all (RFC 7505), and sends some.
    Null,
}

impl Inner {
    /// The MX of the envelope sender's domain.
    pub(super) async fn mx(&self, letter: &Letter, until: Instant) -> Mx {
        let Some(Identity::MailFrom(domain)) = identity(letter).filter(|_| self.settings.mx) else {
            return Mx::Unknown;
        };
        timeout_at(until, self.mx_of(&domain)).await.ok().flatten().unwrap_or_default()
    }

    async fn mx_of(&self, domain: &str) -> Option<Mx> {
        let name = Name::from_utf8(format!("{}.", domain.trim_end_matches('.'))).ok()?;
        let answers = self.all(name, RecordType::MX).await?;
        let targets: Vec<&Name> = answers.iter().filter_map(target).collect();
        if targets.is_empty() {
            return Some(Mx::Fine);
        }
        // RFC 7505 §3: ‘a single MX RR … with … a zero-length label’.
        if targets.iter().all(|target| target.is_root()) {
            return Some(Mx::Null);
        }
        if targets.len() > TARGETS_MAX {
            return Some(Mx::Fine);
        }
        for target in targets {
            if self.reaches(target).await? {
                return Some(Mx::Fine);
            }
        }
        Some(Mx::Bogus)
    }

    /// Whether a target has an address that the Internet routes.
    async fn reaches(&self, target: &Name) -> Option<bool> {
        let text = target.to_utf8();
        let bare = text.trim_end_matches('.');
        if bare.is_empty() || bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok() {
            return Some(false);
        }
        for kind in [RecordType::A, RecordType::AAAA] {
            let addresses = self.all(target.clone(), kind).await?;
            if addresses.iter().filter_map(address).any(is_routed) {
                return Some(true);
            }
        }
        Some(false)
    }

    /// All data of a type; none where there is nothing, `None` where nobody answers.
    async fn all(&self, name: Name, kind: RecordType) -> Option<Vec<RData>> {
        match self.resolver.resolver().lookup(name, kind).await {
            Ok(found) => {
                let data = found.answers().iter().map(|record| &record.data);
                Some(data.filter(|data| data.record_type() == kind).cloned().collect())
            }
            Err(error) if error.is_no_records_found() => Some(Vec::new()),
            Err(_) => None,
        }
    }
}

fn target(data: &RData) -> Option<&Name> {
    if let RData::MX(mx) = data { Some(&mx.exchange) } else { None }
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    }
}

/// Whether strangers can send to an address (RFC 6890).
fn is_routed(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => is_routed_v4(v4),
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(|| is_routed_v6(v6), is_routed_v4),
    }
}

fn is_routed_v4(v4: Ipv4Addr) -> bool {
    let [a, b, ..] = v4.octets();
    let shared = a == 100 && (64..128).contains(&b);
    !(v4.is_private() || v4.is_loopback() || v4.is_link_local() || shared || a == 0 || a >= 224)
}

fn is_routed_v6(v6: Ipv6Addr) -> bool {
    // 2000::/3 is all that is given out for global use.
    v6.segments()[0] & 0xe000 == 0x2000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_special_addresses_are_not_routed() {
        for addr in [
            "10.1.2.3",
            "127.0.0.1",
            "172.16.0.1",
            "192.168.7.7",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_routed(addr.parse().unwrap()), "{addr}");
        }
        for addr in ["192.0.2.1", "100.128.0.1", "2001:db8::1", "::ffff:192.0.2.1"] {
            assert!(is_routed(addr.parse().unwrap()), "{addr}");
        }
    }
}
