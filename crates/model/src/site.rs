//! What the site says of itself to outsiders: name, portal, contact, open recipients.
//!
//! Part of every published view, so that an answer needs nothing else.

use std::fmt;

use crate::atlas::Country;
use crate::greylist::Greylist;
use crate::policy::RuleMode;

/// The site's own words.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The name on pages, such as `Example Networks`.
    pub name: String,
    /// Where the portal is reached, such as `https://mw.example.org`, without a slash at the end.
    pub portal: String,
    /// The mailbox that stays open to blocked hosts, such as `postmaster@example.org`.
    pub contact: String,
    /// Local parts, in lower case, that are open to blocked hosts at every domain.
    pub exempt_local: Vec<String>,
    /// Whole addresses, in lower case, that are open to blocked hosts.
    pub exempt_address: Vec<String>,
    /// Whether refusals may leave for clients outside loopback: portal and contact are set
    /// (DESIGN §5, ‘First start’).
    pub may_refuse: bool,
    /// Greylisting, where it is on.
    pub greylist: Option<Greylist>,
    /// The policy by country, where it is on (OFF-21).
    pub by_country: Option<ByCountry>,
    /// What is done about HELO names that do not exist, where DNS is asked for them (S78).
    pub helo_names: Option<RuleMode>,
    /// Makes the secret part of case links.
    pub link_key: LinkKey,
}

/// From which countries mail is not taken as from others: a policy, not an accusation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ByCountry {
    /// Whether it gives points, defers or refuses.
    pub mode: RuleMode,
    /// The countries, sorted.
    pub countries: Vec<Country>,
    /// Recipients, in lower case, who take mail from every country.
    pub spared: Vec<String>,
}

/// The site's secret behind case links, with its epoch. Prints nothing of the secret.
#[derive(Clone, Default)]
pub struct LinkKey {
    /// 256 random bits, the same on every host of the site.
    pub secret: [u8; 32],
    /// Which key this is; events carry it, so that a new key does not break old links.
    pub epoch: u16,
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkKey(epoch {})", self.epoch)
    }
}
