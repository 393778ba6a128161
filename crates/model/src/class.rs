//! Sender classes: how much a server must do before it is blocked (REQUIREMENTS C.1).

use minicbor::{Decode, Encode};

/// What kind of sender a key is. Stored by number; ordered from least to most trusted.
#[derive(Clone, Copy, Debug, Decode, Default, Encode, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cbor(index_only)]
pub enum Class {
    /// An end user's address by its reverse DNS name, not logged in.
    #[n(0)]
    Dynamic,
    /// No confirmed reverse DNS name.
    #[n(1)]
    NoRdns,
    /// Little good mail in 30 days, or seen for less than 7 days.
    #[default]
    #[n(2)]
    Unknown,
    /// At least 10 good messages on 3 days of the last 30.
    #[n(3)]
    Known,
    /// At least 100 good messages on 14 days to 5 of our recipients, with confirmed reverse DNS.
    #[n(4)]
    Established,
    /// A mailing list host with good mail.
    #[n(5)]
    ListHost,
    /// Declared, or learned, to pass other people's mail on.
    #[n(6)]
    Forwarder,
    /// A mailbox provider or mail service: never a key of an automatic block.
    #[n(7)]
    Shared,
    /// On the operator's list.
    #[n(8)]
    Protected,
}

impl Class {
    /// The factor on trigger thresholds, in quarters; `None` means no automatic block at all.
    ///
    /// `on_probation` divides by 4, to a quarter at the least (D.5).
    pub fn factor_quarters(self, on_probation: bool) -> Option<u64> {
        let quarters = match self {
            Class::Dynamic | Class::NoRdns => 2,
            Class::Unknown => 4,
            Class::Known => 12,
            Class::Established | Class::ListHost => 40,
            Class::Forwarder | Class::Shared | Class::Protected => return None,
        };
        Some(if on_probation { (quarters / 4).max(1) } else { quarters })
    }

    /// The word in output.
    pub fn word(self) -> &'static str {
        match self {
            Class::Dynamic => "dynamic",
            Class::NoRdns => "no-rdns",
            Class::Unknown => "unknown",
            Class::Known => "known",
            Class::Established => "established",
            Class::ListHost => "list-host",
            Class::Forwarder => "forwarder",
            Class::Shared => "shared",
            Class::Protected => "protected",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_follows_the_class_and_the_probation() {
        let check = |class: Class, on: bool| class.factor_quarters(on);
        assert_eq!(check(Class::Dynamic, false), Some(2));
        assert_eq!(check(Class::Dynamic, true), Some(1));
        assert_eq!(check(Class::Known, true), Some(3));
        assert_eq!(check(Class::Established, false), Some(40));
        assert_eq!(check(Class::Shared, false), None);
    }
}
