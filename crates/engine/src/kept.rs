//! Names that no list of domains may hold, whoever asks for it: by hand or in a bulk list.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use detectors::org::is_public_suffix;
use detectors::providers::shared_names;
use model::{Name, Policy};

/// Why a domain can not be blocked.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Kept {
    /// Strangers register names below it.
    PublicSuffix,
    /// It is ours, holds what is ours, or stands below it.
    Ours(Name),
    /// A sender that many share is, or has its servers, at or below it.
    Shared(Name),
}

impl Kept {
    /// What such names are, in words for a heading.
    pub fn heading(&self) -> &'static str {
        match self {
            Kept::PublicSuffix => "public suffixes",
            Kept::Ours(_) => "yours",
            Kept::Shared(_) => "shared by many",
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kept::PublicSuffix => {
                f.write_str("strangers have their names below it; expected a domain that somebody registered")
            }
            Kept::Ours(name) => {
                write!(f, "{name} is ours (sections own, portal and dns of the configuration)")
            }
            Kept::Shared(name) => {
                write!(f, "{name} sends for many (the shipped catalogue, or shared.names)")
            }
        }
    }
}

/// What a policy keeps from being blocked; asked for each line of a bulk list, so a look-up
/// costs as many steps as the name has labels.
#[derive(Clone, Debug)]
pub struct Keeper {
    ours: BTreeSet<Name>,
    /// All names at and above what is kept, with the first that is.
    around: BTreeMap<Name, Kept>,
}

impl Keeper {
    /// What this policy keeps.
    pub fn of(policy: &Policy) -> Keeper {
        let ours: Vec<&Name> = policy.our_names.iter().chain(policy.our_domains.iter().flatten()).collect();
        let kept = ours.iter().map(|name| Kept::Ours((*name).clone()));
        let kept = kept.chain(shared_names(policy).map(|name| Kept::Shared(Name::new(name))));
        let mut around = BTreeMap::new();
        for kept in kept {
            let (Kept::Ours(name) | Kept::Shared(name)) = &kept else { continue };
            for upper in upwards(name.as_bytes()) {
                around.entry(Name::new(upper)).or_insert_with(|| kept.clone());
            }
        }
        Keeper { ours: ours.into_iter().cloned().collect(), around }
    }

    /// What keeps a name, in lower case and without a dot at the end, from being blocked with
    /// all that stand below it.
    pub fn why(&self, name: &[u8]) -> Option<Kept> {
        if is_public_suffix(name) {
            return Some(Kept::PublicSuffix);
        }
        let ours = upwards(name).find_map(|upper| self.ours.get(upper));
        ours.cloned().map(Kept::Ours).or_else(|| self.around.get(name).cloned())
    }
}

/// A name and those above it.
fn upwards(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let above = |name: &&[u8]| name.iter().position(|byte| *byte == b'.').map(|dot| dot + 1);
    std::iter::successors(Some(name), move |name| name.get(above(name)?..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_keeps_all_above_it_and_what_is_ours_all_below_it_too() {
        let policy = Policy {
            our_names: vec![Name::new(b"mx.example.org")],
            shared: vec![Name::new(b"out.pool.example")],
            ..Policy::shipped()
        };
        let keeper = Keeper::of(&policy);
        for (name, heading) in [
            ("mx.example.org", Some("yours")),
            ("a.mx.example.org", Some("yours")),
            ("example.org", Some("yours")),
            ("www.example.org", None),
            ("xample.org", None),
            ("pool.example", Some("shared by many")),
            ("customer.out.pool.example", None),
            ("gmail.com", Some("shared by many")),
            ("notgmail.com", None),
            ("org", Some("public suffixes")),
            ("co.uk", Some("public suffixes")),
            ("", None),
            ("..", None),
        ] {
            assert_eq!(keeper.why(name.as_bytes()).map(|kept| kept.heading()), heading, "{name}");
        }
    }
}
