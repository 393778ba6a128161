//! Made-up hosts: servers, lines, machines without a name; names of RFC 2606 and RFC 6761.

use std::net::Ipv4Addr;

use model::{Client, Name, Rdns};

/// SplitMix64.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// How a host sends.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Habit {
    /// A site's server: nearly all good.
    Server,
    /// A server that only sends spam.
    Offender,
    /// An end user's line.
    Line,
    /// No reverse DNS name.
    Nameless,
}

/// The `n`th host; hosts are spread over the address space.
pub(crate) struct Host {
    pub(crate) client: Client,
    pub(crate) habit: Habit,
}

impl Host {
    pub(crate) fn nth(n: u32) -> Host {
        let habit = match n % 10 {
            0 | 1 => Habit::Server,
            2 => Habit::Offender,
            3..7 => Habit::Line,
            _ => Habit::Nameless,
        };
        let addr = address(n);
        let (helo, rdns) = names(habit, n, addr);
        let helo = Some(Name::new(helo.as_bytes()));
        Host { client: Client { addr: addr.into(), port: 0, helo, rdns, authenticated: false }, habit }
    }
}

/// A unicast address that is nobody's special one; a different one for each number.
fn address(n: u32) -> Ipv4Addr {
    // 11.0.0.0 up to 99.255.255.255, in strides that are prime to their number.
    let spread = u64::from(n) * 2_654_435_761 % (88 << 24);
    Ipv4Addr::from_bits((11 << 24) + spread as u32)
}

fn names(habit: Habit, n: u32, addr: Ipv4Addr) -> (String, Rdns) {
    let confirmed = |name: &str| Rdns::Confirmed(Name::new(name.as_bytes()));
    match habit {
        Habit::Server | Habit::Offender => {
            let name = format!("mail{}.company{n}.example", n % 4);
            let rdns = confirmed(&name);
            (name, rdns)
        }
        Habit::Line => {
            let [a, b, c, d] = addr.octets();
            let name = format!("{a}-{b}-{c}-{d}.dsl.provider{}.example", n % 300);
            let rdns = confirmed(&name);
            (if n.is_multiple_of(2) { name } else { format!("desktop-{n}") }, rdns)
        }
        Habit::Nameless => (format!("host{n}.network{}.test", n % 900), Rdns::Missing),
    }
}
