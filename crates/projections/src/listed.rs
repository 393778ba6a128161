//! Names and IPv6 networks that are blocked, in their order.
//!
//! The index answers for one client and keeps IPv6 shuffled, so that nobody chooses his place
//! in it. A name server is also asked whether anything is listed *below* a name (RFC 8020):
//! for that the keys must stand in order. They are few beside IPv4's addresses, which stand in
//! order in the index.

mod networks;

use std::collections::BTreeSet;
use std::ops::Bound;

use model::{Codes, Domain, Mode, Prefix};
use rpds::RedBlackTreeMapSync;

use self::networks::Networks;
use crate::grade;
use crate::index::Mark;

/// Octets of the longest name in its usual form, and a dot.
const TURNED_MAX: usize = 254;

/// Blocked keys in order, each with its mark. A clone shares everything.
#[derive(Clone, Debug)]
pub(crate) struct Ordered<K: Ord>(RedBlackTreeMapSync<K, Mark>);

impl<K: Ord> Default for Ordered<K> {
    fn default() -> Self {
        Ordered(RedBlackTreeMapSync::new_sync())
    }
}

impl<K: Ord + Clone> Ordered<K> {
    fn set(&mut self, key: K, mark: Option<Mark>) {
        match mark {
            Some(mark) => self.0.insert_mut(key, mark),
            None => _ = self.0.remove_mut(&key),
        }
    }
}

impl Ordered<Box<str>> {
    /// The names that are `name` or stand above it, the widest first.
    fn at_or_above(&self, name: &str) -> impl Iterator<Item = (Turned, Mark)> {
        let turned = Turned::of(name);
        let ends = (1..=turned.len).filter(move |end| *end == turned.len || turned.bytes[*end] == b'.');
        ends.filter_map(move |end| {
            let upper = turned.cut(end);
            Some((upper, *self.0.get(upper.as_str())?))
        })
    }

    fn any_below(&self, name: &str, among: Codes) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let mut from = Turned::of(name);
        from.push(b'.');
        let below = self.0.range::<str, _>((Bound::Included(from.as_str()), Bound::Unbounded));
        let mut inside = below.take_while(|(key, _)| key.starts_with(from.as_str()));
        inside.any(|(_, mark)| grade::may_be(*mark, among))
    }
}

/// What is blocked of IPv6 and of names.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    six: Networks,
    /// By the name with its labels turned round: `com.example`.
    names: Ordered<Box<str>>,
    /// The same of names that would be blocked.
    tried: Ordered<Box<str>>,
    /// Names that are listed for their conduct (OFF-24): themselves alone, not what stands below.
    conduct: Ordered<Box<str>>,
}

/// When which entry runs out.
pub(crate) type Ends = BTreeSet<(u32, End)>;

/// One entry that can run out.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum End {
    Name(Box<str>),
    Conduct(Box<str>),
}

impl Listed {
    /// Brings the entry of an IPv6 network in line; IPv4 stands in the index.
    pub(crate) fn set_net(&mut self, prefix: Prefix, mark: Option<Mark>) {
        if let Prefix::V6(bits, len) = prefix {
            self.six.set((bits, len), mark);
        }
    }

    /// Brings the entry of a name in line.
    pub(crate) fn set_name(&mut self, domain: &Domain, mode: Mode, mark: Option<Mark>, ends: &mut Ends) {
        let key: Box<str> = Turned::of(domain.as_str()).as_str().into();
        ends.extend(mark.map(|mark| (mark.until_min, End::Name(key.clone()))));
        let names = if mode == Mode::Live { &mut self.names } else { &mut self.tried };
        names.set(key, mark);
    }

    /// Brings in line what is listed of a name's conduct.
    pub(crate) fn set_conduct(&mut self, domain: &Domain, mark: Option<Mark>, ends: &mut Ends) {
        let key: Box<str> = Turned::of(domain.as_str()).as_str().into();
        ends.extend(mark.map(|mark| (mark.until_min, End::Conduct(key.clone()))));
        self.conduct.set(key, mark);
    }

    /// Drops what has run out by `now_min`: of names all, of networks some, and the others in
    /// turn; answers look at the marks.
    pub(crate) fn sweep(&mut self, now_min: u32, ends: &mut Ends) {
        self.six.sweep(now_min);
        let over = |mark: &Mark| !mark.holds(now_min);
        while let Some((_, end)) = ends.first().filter(|(end, _)| *end <= now_min).cloned() {
            ends.pop_first();
            match end {
                End::Name(name) => {
                    let all = [&mut self.names, &mut self.tried].into_iter();
                    let gone = all.filter(|names| names.0.get(&name).is_some_and(over));
                    gone.for_each(|names| names.set(name.clone(), None));
                }
                End::Conduct(name) if self.conduct.0.get(&name).is_some_and(over) => {
                    self.conduct.set(name, None);
                }
                End::Conduct(_) => {}
            }
        }
    }

    /// Whether some IPv6 network inside the prefix may be listed with one of these codes in
    /// minute `now_min`.
    pub(crate) fn any_in_v6(&self, bits: u128, len: u8, among: Codes, now_min: u32) -> bool {
        let last = bits | u128::MAX.checked_shr(len.into()).unwrap_or(0);
        self.six.any((bits, 0), (last, u8::MAX), |mark| mark.holds(now_min) && grade::may_be(mark, among))
    }

    /// Whether a name is listed; if none is, nobody need look.
    pub(crate) fn has_names(&self) -> bool {
        !self.names.0.is_empty()
    }

    /// Whether a domain, in lower case, or one above it is blocked in minute `now_min`, or
    /// would be. The cases say until when exactly. Allocates nothing, and costs next to nothing
    /// while no domain is blocked.
    pub fn marks_domain(&self, domain: &str, now_min: u32) -> bool {
        let may = |names: &Ordered<Box<str>>| {
            !names.0.is_empty() && names.at_or_above(domain).any(|(_, mark)| mark.holds(now_min))
        };
        may(&self.names) || may(&self.tried)
    }

    /// Whether a domain is blocked, or would be: if none is, no sender's is looked at.
    pub fn has_domains(&self) -> bool {
        self.has_names() || !self.tried.0.is_empty()
    }

    /// The listed names that are `name` or stand above it, the widest first.
    pub(crate) fn names_of(&self, name: &str) -> impl Iterator<Item = (Turned, Mark)> {
        self.names.at_or_above(name)
    }

    /// The same of names that would be.
    pub(crate) fn tried_of(&self, name: &str) -> impl Iterator<Item = (Turned, Mark)> {
        self.tried.at_or_above(name)
    }

    /// Whether a name is listed for its conduct.
    pub(crate) fn lists_conduct(&self, name: &str) -> bool {
        !self.conduct.0.is_empty() && self.conduct.0.contains_key(Turned::of(name).as_str())
    }

    /// Whether a name below `name` is listed with one of these codes.
    pub(crate) fn any_below(&self, name: &str, among: Codes) -> bool {
        self.names.any_below(name, among) || self.conduct.any_below(name, among)
    }
}

/// A name with its labels turned round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turned {
    bytes: [u8; TURNED_MAX],
    len: usize,
}

impl Turned {
    /// Of a name in its usual form; what is longer than a name can be is cut.
    pub(crate) fn of(name: &str) -> Turned {
        let mut turned = Turned { bytes: [0; TURNED_MAX], len: 0 };
        for label in name.rsplit('.') {
            if turned.len > 0 {
                turned.push(b'.');
            }
            label.bytes().for_each(|byte| turned.push(byte));
        }
        turned
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    /// The first `len` octets of it: a name above it.
    fn cut(&self, len: usize) -> Turned {
        Turned { bytes: self.bytes, len }
    }

    /// The turned text.
    pub(crate) fn as_str(&self) -> &str {
        // It came from a text; a cut inside a letter leaves nothing that is listed.
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    /// The name in its usual form.
    pub(crate) fn name(&self) -> String {
        self.as_str().rsplit('.').collect::<Vec<_>>().join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLDS: Option<Mark> = Some(Mark { class: 1 << 6 | 2, until_min: 100 });

    fn listed(names: &[&str]) -> (Listed, Ends) {
        let (mut listed, mut ends) = (Listed::default(), Ends::new());
        for name in names {
            listed.set_name(&name.parse().unwrap(), Mode::Live, HOLDS, &mut ends);
        }
        (listed, ends)
    }

    #[test]
    fn a_name_is_found_from_below_and_from_above() {
        let (listed, _) = listed(&["example.com", "mail.example.net"]);
        let of = |name: &str| listed.names_of(name).map(|(turned, _)| turned.name()).collect::<Vec<_>>();
        assert_eq!(of("a.b.example.com"), ["example.com"]);
        assert_eq!(of("example.com"), ["example.com"]);
        assert_eq!(
            [of("com"), of("xexample.com"), of("example.net"), of("")],
            [const { Vec::<String>::new() }; 4]
        );
        let below = |name: &str| listed.any_below(name, Codes::of(2));
        assert!(below("com") && below("net") && below("example.net"));
        assert!(!below("example.com") && !below("org") && !below("xample.net"));
        assert!(!listed.any_below("com", Codes::of(3)), "of another code");
    }

    #[test]
    fn a_sender_s_domain_is_marked_by_live_and_shadow_names_at_or_above_it() {
        let (mut listed, mut ends) = listed(&["example.com"]);
        assert!(Listed::default().names_of("example.com").next().is_none());
        assert!(!Listed::default().has_domains() && listed.has_domains());
        listed.set_name(&"tried.example".parse().unwrap(), Mode::Shadow, HOLDS, &mut ends);
        let marked = |name: &str, now_min| listed.marks_domain(name, now_min);
        assert!(marked("example.com", 99) && marked("a.b.example.com", 99) && marked("tried.example", 99));
        assert!(!marked("com", 99) && !marked("myexample.com", 99) && !marked("example.com", 100));
        assert_eq!(listed.names_of("tried.example").count(), 0, "what is tried is not listed");
        listed.sweep(100, &mut ends);
        assert!(!listed.has_domains());
    }

    #[test]
    fn networks_are_found_in_any_wider_one() {
        let (mut listed, mut ends) = (Listed::default(), Ends::new());
        let prefix: Prefix = "2001:db8:1:2::/64".parse().unwrap();
        listed.set_net(prefix, HOLDS);
        let Prefix::V6(bits, _) = prefix else { unreachable!() };
        let any =
            |listed: &Listed, bits, len, code, now_min| listed.any_in_v6(bits, len, Codes::of(code), now_min);
        for len in (0..=64).step_by(4) {
            assert!(any(&listed, bits & u128::MAX.checked_shl(128 - len).unwrap_or(0), len as u8, 2, 99));
        }
        assert!(!any(&listed, 0x2001_0db9 << 96, 32, 2, 99));
        assert!(!any(&listed, bits, 48, 3, 99));
        assert!(!any(&listed, bits, 64, 2, 100), "it has run out, swept or not");
        listed.sweep(99, &mut ends);
        assert!(any(&listed, bits, 64, 2, 99));
        listed.sweep(100, &mut ends);
        assert!(!any(&listed, bits, 64, 2, 99) && ends.is_empty());
    }

    #[test]
    fn an_entry_that_was_prolonged_outlives_its_old_end() {
        let (mut listed, mut ends) = listed(&["example.com"]);
        let later = Some(Mark { class: 1 << 6 | 2, until_min: 200 });
        listed.set_name(&"example.com".parse().unwrap(), Mode::Live, later, &mut ends);
        listed.sweep(150, &mut ends);
        assert!(listed.has_names());
        listed.sweep(200, &mut ends);
        assert!(!listed.has_names());
    }
}
