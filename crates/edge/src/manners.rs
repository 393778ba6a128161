//! How clients behaved lately, for those who answer (OFF-18, OFF-19).
//!
//! Who speaks before our greeting is refused in that very session, and faults weigh in the
//! score of the next connection: both before the engine has decided anything. So those who
//! answer remember faults themselves, all servers of a process the same ones, and those who
//! read logs tell them. It is a meter (DESIGN §4, invariant 3): bounded, lossy, forgotten at
//! a restart, never evidence. What a key did counts with the engine.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};

use model::key::{client_prefix, fold};
use model::{Habit, Habits, Millis, Prefix, Secs};

/// Clients that are told apart: several times the misbehaving clients of a busy site's day;
/// about 1 MB.
const CLIENTS_MAX: usize = 16_384;
/// A fault weighs so long.
const REMEMBERED: Secs = Secs::DAY;
/// Where there is no room, older ones than this give way.
const CROWDED: Secs = Secs::HOUR;
/// What a log and a session tell of the same connection is at most so far apart (DESIGN §4).
const SAME_SESSION: Secs = Secs(120);

/// What is remembered of clients.
#[derive(Debug, Default)]
pub struct Manners {
    /// Early talk refuses its session.
    refuses: bool,
    /// Somebody stands in the table.
    any: AtomicBool,
    table: RwLock<Table>,
}

/// How one client behaved.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Lately {
    /// The faults of the last 24 hours.
    pub faults: Habits,
    /// It spoke before our greeting in this session, and is refused for that.
    pub early: bool,
}

#[derive(Debug, Default)]
struct Table {
    clients: HashMap<Prefix, Shown>,
    swept_at: u64,
}

/// When a client last showed each fault; 0: never. And the address that last spoke early: a
/// network of IPv6 is one client, but not one session.
#[derive(Clone, Copy, Debug)]
struct Shown {
    at: [Millis; Habit::COUNT],
    early: Option<IpAddr>,
}

impl Manners {
    /// Nobody is known yet; `refuses` says that early talk refuses its session.
    pub fn new(refuses: bool) -> Manners {
        Manners { refuses, ..Manners::default() }
    }

    /// A client showed a habit at `at`. Leaving with or without QUIT is no fault by itself.
    pub fn note(&self, addr: IpAddr, habit: Habit, at: Millis, now: Millis) {
        if matches!(habit, Habit::Quit | Habit::NoQuit) || now.since(at) >= REMEMBERED {
            return;
        }
        let addr = fold(addr);
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let Some(shown) = table.client(client_prefix(addr), now) else { return };
        let place = &mut shown.at[habit as usize];
        *place = (*place).max(at.min(now));
        if habit == Habit::EarlyTalk {
            shown.early = Some(addr);
        }
        self.any.store(true, Relaxed);
    }

    /// How a client behaved up to `now`.
    pub fn of(&self, addr: IpAddr, now: Millis) -> Lately {
        if !self.any.load(Relaxed) {
            return Lately::default();
        }
        let addr = fold(addr);
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let Some(shown) = table.clients.get(&client_prefix(addr)) else { return Lately::default() };
        let within = |habit: Habit, span: Secs| {
            let at = shown.at[habit as usize];
            at > Millis(0) && now.since(at) < span
        };
        let faults = Habits::of(|habit| within(habit, REMEMBERED));
        let early = self.refuses && shown.early == Some(addr) && within(Habit::EarlyTalk, SAME_SESSION);
        Lately { faults, early }
    }
}

impl Table {
    /// A client's place; `None` when there is no room.
    fn client(&mut self, key: Prefix, now: Millis) -> Option<&mut Shown> {
        if self.clients.len() >= CLIENTS_MAX && !self.clients.contains_key(&key) {
            self.sweep(now);
            if self.clients.len() >= CLIENTS_MAX {
                return None;
            }
        }
        Some(self.clients.entry(key).or_insert(Shown { at: [Millis(0); Habit::COUNT], early: None }))
    }

    /// Forgets who showed nothing for an hour, once a second at most: a flood of addresses must
    /// not make each look at all.
    fn sweep(&mut self, now: Millis) {
        if self.swept_at != now.secs() {
            self.swept_at = now.secs();
            self.clients.retain(|_, shown| shown.at.iter().any(|at| now.since(*at) < CROWDED));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Millis {
        Millis::from_secs(1_795_300_800 + secs)
    }

    fn addr(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const DAY: u64 = 86_400;

    #[test]
    fn off_19_faults_of_a_day_are_known_and_endings_are_none() {
        let manners = Manners::new(true);
        assert_eq!(manners.of(addr("192.0.2.1"), at(0)), Lately::default());
        for habit in [Habit::BareLf, Habit::BareLf, Habit::Pipelining, Habit::Quit, Habit::NoQuit] {
            manners.note(addr("192.0.2.1"), habit, at(0), at(0));
        }
        let faults = |text, secs| manners.of(addr(text), at(secs)).faults;
        assert_eq!(faults("::ffff:192.0.2.1", DAY - 1).count(), 2);
        assert_eq!([faults("192.0.2.1", DAY), faults("192.0.2.2", 0)], [Habits::NONE; 2]);
    }

    #[test]
    fn off_18_early_talk_is_of_its_session_for_two_minutes_and_of_one_address() {
        let manners = Manners::new(true);
        manners.note(addr("2001:db8::1"), Habit::EarlyTalk, at(0), at(1));
        let early = |text, secs| manners.of(addr(text), at(secs)).early;
        assert_eq!(["2001:db8::1", "2001:db8::2"].map(|text| early(text, 119)), [true, false]);
        assert!(!early("2001:db8::1", 120));
        assert!(manners.of(addr("2001:db8::2"), at(0)).faults.has(Habit::EarlyTalk), "one client");
        let mild = Manners::new(false);
        mild.note(addr("192.0.2.1"), Habit::EarlyTalk, at(0), at(0));
        assert!(!mild.of(addr("192.0.2.1"), at(0)).early);
    }

    #[test]
    fn lines_of_an_old_log_say_nothing_and_none_lie_ahead() {
        let manners = Manners::new(true);
        manners.note(addr("192.0.2.1"), Habit::EarlyTalk, at(0), at(DAY));
        assert_eq!(manners.of(addr("192.0.2.1"), at(DAY)), Lately::default());
        manners.note(addr("192.0.2.1"), Habit::EarlyTalk, at(9 * DAY), at(DAY));
        assert!(!manners.of(addr("192.0.2.1"), at(DAY + 120)).early);
    }

    #[test]
    fn adv_11_the_table_has_a_bound_and_the_oldest_give_way() {
        let manners = Manners::new(true);
        let note =
            |n: u32, secs| manners.note(IpAddr::from(n.to_be_bytes()), Habit::BareLf, at(secs), at(secs));
        (0..20_000).for_each(|n| note(n, 0));
        assert_eq!(manners.table.read().unwrap().clients.len(), CLIENTS_MAX);
        note(50_000, 10);
        assert_eq!(manners.of(IpAddr::from(50_000u32.to_be_bytes()), at(10)).faults, Habits::NONE);
        note(50_000, 3600);
        assert_eq!(manners.of(IpAddr::from(50_000u32.to_be_bytes()), at(3600)).faults.count(), 1);
    }
}
