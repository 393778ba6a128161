//! What the site has learned of strangers, as those who answer look it up.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::hash::{BuildHasherDefault, Hash};

use model::{Domain, Hybrid, Lesson, Millis, Mode, Name, Offence, Prefix, Slight, Subject};
use rpds::HashTrieMapSync;
use siphasher::sip::SipHasher13;

/// Fixed seed: the map's order never reaches an output, and what stands in it was learned by
/// ourselves, bounded by the engine.
type Fixed = BuildHasherDefault<SipHasher13>;
type Table<K> = HashTrieMapSync<K, Known, Fixed>;

/// Two points (A.3).
const CONDUCT_MAX: u8 = 8;

/// A lesson with the time at which it was decided: of two, the later counts, in whatever
/// order they arrive.
#[derive(Clone, Debug)]
struct Known {
    lesson: Lesson,
    at: Hybrid,
    /// It is in force, not only tried: what it says of a domain is listed.
    is_live: bool,
}

/// An entry of a domain in our list of domains (OFF-24).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConductEntry {
    /// What the domain withholds.
    pub slight: Slight,
    /// When that was told last.
    pub since: Millis,
    /// Until when it holds.
    pub until: Millis,
}

/// All lessons; clones share everything.
#[derive(Clone, Debug)]
pub struct Lessons {
    looks: Table<u8>,
    names: Table<Name>,
    networks: Table<Prefix>,
    greetings: Table<Name>,
    conduct: Table<(Name, Slight)>,
    suspended: Table<Offence>,
    rotating: Table<Prefix>,
    no_such_names: Table<Name>,
    trials: Table<Offence>,
}

impl Default for Lessons {
    fn default() -> Self {
        let fixed = Fixed::default;
        Lessons {
            looks: HashTrieMapSync::new_with_hasher_and_ptr_kind(fixed()),
            names: HashTrieMapSync::new_with_hasher_and_ptr_kind(fixed()),
            networks: HashTrieMapSync::new_with_hasher_and_ptr_kind(fixed()),
            greetings: HashTrieMapSync::new_with_hasher_and_ptr_kind(fixed()),
            conduct: HashTrieMapSync::new_with_hasher_and_ptr_kind(fixed()),
            suspended: HashTrieMapSync::new_with_hasher_and_ptr_kind(fixed()),
            rotating: HashTrieMapSync::new_with_hasher_and_ptr_kind(fixed()),
            no_such_names: HashTrieMapSync::new_with_hasher_and_ptr_kind(fixed()),
            trials: HashTrieMapSync::new_with_hasher_and_ptr_kind(fixed()),
        }
    }
}

impl Lessons {
    /// What a look weighs at `now`, in quarters of a point.
    pub fn look(&self, look: u8, now: Millis) -> u8 {
        weight(&self.looks, &look, now)
    }

    /// Whether names of an organisation are those of lines.
    pub fn names(&self, organisation: &[u8], now: Millis) -> bool {
        weight(&self.names, organisation, now) > 0
    }

    /// What a network (/24, /48) weighs, in quarters of a point.
    pub fn network(&self, network: Prefix, now: Millis) -> u8 {
        weight(&self.networks, &network, now)
    }

    /// Whether only spam came of hosts that greet with an organisation's names without a
    /// confirmed name of their own.
    pub fn greeting(&self, organisation: &[u8], now: Millis) -> bool {
        weight(&self.greetings, organisation, now) > 0
    }

    /// What the conduct of a sender's domain weighs, in quarters of a point: one for each thing
    /// that it withholds, two at most (`rfc-conduct`). Whether its servers can be reached is
    /// looked up for each message.
    pub fn conduct(&self, domain: &Name, now: Millis) -> u8 {
        let all = [Slight::Bounces, Slight::Postmaster, Slight::Abuse];
        let weigh = |slight| weight(&self.conduct, &(domain.clone(), slight), now);
        all.into_iter().map(weigh).sum::<u8>().min(CONDUCT_MAX)
    }

    /// Whether a domain is known to withhold one thing.
    pub fn withholds(&self, domain: &Name, slight: Slight, now: Millis) -> bool {
        weight(&self.conduct, &(domain.clone(), slight), now) > 0
    }

    /// The entries of exactly this domain that hold at `now`: they do not reach to names below.
    pub fn conduct_entries(&self, domain: &Name, now: Millis) -> impl Iterator<Item = ConductEntry> {
        let known = |slight| self.conduct.get(&(domain.clone(), slight));
        let entry = move |slight| {
            let known = known(slight).filter(|known| known.is_live && holds(&known.lesson, now))?;
            Some(ConductEntry { slight, since: known.at.wall, until: known.lesson.until })
        };
        Slight::ALL.into_iter().filter_map(entry)
    }

    /// The domains with such entries.
    pub fn conduct_listed(&self, now: Millis) -> BTreeSet<Domain> {
        let listed = self.conduct.values().filter(|known| known.is_live && holds(&known.lesson, now));
        listed.filter_map(|known| domain_of(&known.lesson)).collect()
    }

    /// Whether a HELO name did not exist in DNS, 24 hours apart or more (S78).
    pub fn no_such_name(&self, name: &[u8], now: Millis) -> bool {
        !self.no_such_names.is_empty() && weight(&self.no_such_names, name, now) > 0
    }

    /// Whether a rule runs in shadow because it is new or was changed (G-SHADOW).
    pub fn is_on_trial(&self, rule: Offence, now: Millis) -> bool {
        !self.trials.is_empty() && weight(&self.trials, &rule, now) > 0
    }

    /// Whether a rule rests because good mail fails it (G-OURS).
    pub fn is_suspended(&self, rule: Offence, now: Millis) -> bool {
        !self.suspended.is_empty() && weight(&self.suspended, &rule, now) > 0
    }

    /// Whether a /48 comes with a new /64 each time (ADV-12).
    pub fn rotates(&self, network: Prefix, now: Millis) -> bool {
        weight(&self.rotating, &network, now) > 0
    }

    /// The newest lessons that hold at `now`, with the times at which they were decided: `most`
    /// of them.
    pub fn newest(&self, most: usize, now: Millis) -> Vec<(Millis, Lesson)> {
        let mut holding: Vec<&Known> = self.all().filter(|known| holds(&known.lesson, now)).collect();
        holding.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.lesson.of.cmp(&b.lesson.of)));
        holding.iter().take(most).map(|known| (known.at.wall, known.lesson.clone())).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Known> {
        let greetings = self.greetings.values().chain(self.no_such_names.values());
        let names = self.names.values().chain(greetings).chain(self.conduct.values());
        let networks = self.networks.values().chain(self.rotating.values());
        self.looks
            .values()
            .chain(names)
            .chain(self.suspended.values())
            .chain(self.trials.values())
            .chain(networks)
    }

    /// Every lesson that holds at `now`, looks first, the heaviest first.
    pub fn holding(&self, now: Millis) -> Vec<Lesson> {
        let mut holding: Vec<Lesson> =
            self.all().map(|known| &known.lesson).filter(|lesson| holds(lesson, now)).cloned().collect();
        holding.sort_by(|a, b| b.quarters.cmp(&a.quarters).then_with(|| a.of.cmp(&b.of)));
        holding
    }

    /// Joins a lesson that was decided at `at`.
    pub(crate) fn learn(&mut self, lesson: &Lesson, at: Hybrid, mode: Mode) {
        let at = (at, mode == Mode::Live);
        match &lesson.of {
            Subject::Look(look) => put(&mut self.looks, *look, lesson, at),
            Subject::Names(name) => put(&mut self.names, name.clone(), lesson, at),
            Subject::Greeting(name) => put(&mut self.greetings, name.clone(), lesson, at),
            Subject::Conduct(domain, slight) => put(&mut self.conduct, (domain.clone(), *slight), lesson, at),
            Subject::Suspended(rule) => put(&mut self.suspended, *rule, lesson, at),
            Subject::Network(network) => put(&mut self.networks, *network, lesson, at),
            Subject::Rotating(network) => put(&mut self.rotating, *network, lesson, at),
            Subject::Trial(rule) => put(&mut self.trials, *rule, lesson, at),
            Subject::NoSuchName(name) => put(&mut self.no_such_names, name.clone(), lesson, at),
        }
    }

    /// Drops what ran out.
    pub(crate) fn sweep(&mut self, now: Millis) {
        sweep(&mut self.looks, now);
        sweep(&mut self.names, now);
        sweep(&mut self.networks, now);
        sweep(&mut self.greetings, now);
        sweep(&mut self.conduct, now);
        sweep(&mut self.suspended, now);
        sweep(&mut self.rotating, now);
        sweep(&mut self.no_such_names, now);
        sweep(&mut self.trials, now);
    }
}

/// The domain of whose conduct a lesson tells; none where it is no domain name, which nobody can
/// ask for.
pub fn domain_of(lesson: &Lesson) -> Option<Domain> {
    let Subject::Conduct(name, _) = &lesson.of else { return None };
    String::from_utf8_lossy(name.as_bytes()).parse().ok()
}

fn weight<K, Q>(table: &Table<K>, key: &Q, now: Millis) -> u8
where
    K: Eq + Hash + Borrow<Q>,
    Q: Eq + Hash + ?Sized,
{
    table.get(key).filter(|known| holds(&known.lesson, now)).map_or(0, |known| known.lesson.quarters)
}

fn holds(lesson: &Lesson, now: Millis) -> bool {
    lesson.quarters > 0 && lesson.until > now
}

fn put<K: Eq + Hash>(table: &mut Table<K>, key: K, lesson: &Lesson, (at, is_live): (Hybrid, bool)) {
    if table.get(&key).is_none_or(|known| at >= known.at) {
        table.insert_mut(key, Known { lesson: lesson.clone(), at, is_live });
    }
}

/// What was taken back stays until its time would have come: an older event may still arrive.
fn sweep<K: Eq + Hash + Clone>(table: &mut Table<K>, now: Millis) {
    let old = now.minus(crate::view::KEPT_AFTER_END);
    let over = |known: &Known| known.lesson.until.max(known.at.wall) < old;
    let gone: Vec<K> = table.iter().filter(|(_, known)| over(known)).map(|(key, _)| key.clone()).collect();
    for key in &gone {
        table.remove_mut(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Hybrid {
        Hybrid { wall: Millis::from_secs(secs), ..Hybrid::default() }
    }

    fn lesson(of: Subject, quarters: u8, until: u64) -> Lesson {
        Lesson { of, quarters, until: Millis::from_secs(until), bad: 3, good: 0 }
    }

    #[test]
    fn a_lesson_holds_until_it_runs_out() {
        let mut lessons = Lessons::default();
        lessons.learn(&lesson(Subject::Look(13), 12, 100), at(1), Mode::Live);
        let look = |secs| lessons.look(13, Millis::from_secs(secs));
        assert_eq!([look(99), look(100)], [12, 0]);
    }

    #[test]
    fn of_two_lessons_the_later_counts_in_any_order() {
        let name = Subject::Names(Name::new(b"isp.example"));
        let (told, back) = (lesson(name.clone(), 12, 100), lesson(name, 0, 0));
        for order in [[(&told, 1), (&back, 2)], [(&back, 2), (&told, 1)]] {
            let mut lessons = Lessons::default();
            order.iter().for_each(|(lesson, secs)| lessons.learn(lesson, at(*secs), Mode::Live));
            assert!(!lessons.names(b"isp.example", Millis::from_secs(50)));
            assert_eq!(lessons.holding(Millis::from_secs(50)), []);
        }
    }

    #[test]
    fn the_newest_come_first() {
        let mut lessons = Lessons::default();
        lessons.learn(&lesson(Subject::Look(13), 12, 100), at(1), Mode::Live);
        lessons.learn(&lesson(Subject::Names(Name::new(b"isp.example")), 12, 100), at(3), Mode::Live);
        lessons.learn(&lesson(Subject::Look(14), 16, 100), at(2), Mode::Live);
        let newest = |most, secs| lessons.newest(most, Millis::from_secs(secs));
        let times: Vec<u64> = newest(9, 50).iter().map(|(at, _)| at.secs()).collect();
        assert_eq!(times, [3, 2, 1]);
        assert_eq!((newest(2, 50).len(), newest(9, 100).len()), (2, 0));
    }

    #[test]
    fn a_sweep_drops_what_ran_out_long_ago() {
        let mut lessons = Lessons::default();
        let network = Prefix::new("192.0.2.0".parse().unwrap(), 24);
        lessons.learn(&lesson(Subject::Network(network), 16, 100), at(1), Mode::Live);
        lessons.sweep(Millis::from_secs(200));
        assert_eq!(lessons.networks.size(), 1);
        lessons.sweep(Millis::from_secs(100 + 31 * 86_400));
        assert_eq!(lessons.networks.size(), 0);
    }
}
