//! One clock for the process: monotonic, anchored to wall time at the start.
//!
//! A block ends at its time even when somebody sets the wall clock a year ahead, and no
//! two readings ever go back (SEN-9, ADV-13, DESIGN §4 invariant 5). Wall time is read at
//! the start and at every [`Clock::tick`]; in between the machine's own count of time
//! since boot carries on, which counts suspended time, too. Small differences are
//! followed slowly; a jump is reported and not followed while the process lives.
//!
//! Who is alarmed, and what is delayed at a start with a wrong clock, the daemon decides.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use model::{Millis, Secs};
use rustix::time::{ClockId, clock_gettime};

/// A difference between wall clock and monotonic clock beyond this is a jump (SEN-9).
pub const JUMP: Duration = Duration::from_secs(60);

/// A small difference is followed by at most one part in this many of the time gone by.
///
/// 10 ms a second: faster than any crystal drifts and than time daemons slew (0.5 ms a
/// second), and the longest difference that is no jump is made good within two hours.
pub const SLEW: u64 = 100;

/// The clock; clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    Live { anchor: Anchor, began: u64 },
    Manual { began: u64, now: AtomicU64 },
}

/// How wall time stood to the newest stamp on disk when the clock was started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// There was no stamp: the first start.
    First,
    /// Wall time is at the stamp or later. So long nobody looked, or the clock jumped
    /// ahead while nobody did; here the two are one.
    Later {
        /// Milliseconds since the stamp.
        by_ms: u64,
    },
    /// Wall time is earlier than the stamp: time stands until it has caught up.
    Earlier {
        /// Milliseconds that are missing.
        by_ms: u64,
    },
}

/// The wall clock jumped against the monotonic clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Jump {
    /// By how many milliseconds; negative is back.
    pub by_ms: i64,
    /// Whether our time went along: only forward, and only while time stands because
    /// wall time was too early at the start.
    pub followed: bool,
}

impl Clock {
    /// Starts the clock of a live process; `last_stamp` is the newest time on disk.
    pub fn start(last_stamp: Option<Millis>) -> (Clock, Start) {
        let reading = Reading::take();
        let (anchor, start) = Anchor::new(reading, last_stamp);
        (Clock(Arc::new(Source::Live { anchor, began: reading.boot })), start)
    }

    /// A clock that stands until it is told to go on: for tests.
    pub fn manual(start: Millis) -> Clock {
        Clock(Arc::new(Source::Manual { began: start.0, now: AtomicU64::new(start.0) }))
    }

    /// Wall time; never earlier than any time it gave before. Cheap: no lock, no system
    /// call that leaves user space.
    pub fn now(&self) -> Millis {
        match &*self.0 {
            Source::Live { anchor, .. } => anchor.now(boot_ms()),
            Source::Manual { now, .. } => Millis(now.load(Relaxed)),
        }
    }

    /// Time since the clock was started, by the monotonic clock alone.
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(match &*self.0 {
            Source::Live { began, .. } => boot_ms().saturating_sub(*began),
            Source::Manual { began, now } => now.load(Relaxed).saturating_sub(*began),
        })
    }

    /// Compares wall and monotonic time; to be called about once a second.
    pub fn tick(&self) -> Option<Jump> {
        match &*self.0 {
            Source::Live { anchor, .. } => anchor.tick(Reading::take()),
            Source::Manual { .. } => None,
        }
    }

    /// Lets a manual clock go on by `span`.
    ///
    /// # Errors
    ///
    /// [`NotManual`] for the clock of a live process, which nobody moves.
    pub fn advance(&self, span: Secs) -> Result<Millis, NotManual> {
        let Source::Manual { now, .. } = &*self.0 else { return Err(NotManual) };
        let on = |at: u64| Millis(at).plus(span).0;
        let before = now.fetch_update(Relaxed, Relaxed, |at| Some(on(at)));
        Ok(Millis(before.map_or_else(on, on)))
    }
}

/// The clock of a live process was told to advance. The caller's doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotManual;

impl fmt::Display for NotManual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a test clock, but this process runs on real time")
    }
}

impl std::error::Error for NotManual {}

/// Both clocks of the machine, read together, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// Since 1970, settable by anybody who may.
    wall: u64,
    /// Since boot, suspended time included; nobody can set it.
    boot: u64,
}

impl Reading {
    fn take() -> Reading {
        let wall = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        Reading { wall: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX), boot: boot_ms() }
    }
}

fn boot_ms() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let (secs, nanos) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    secs.unwrap_or(0).saturating_mul(1000).saturating_add(nanos.unwrap_or(0) / 1_000_000)
}

/// The arithmetic of the clock, without a clock.
#[derive(Debug)]
struct Anchor {
    /// What is added to the time since boot.
    offset: AtomicI64,
    /// The latest time given out; at the start, the last stamp.
    latest: AtomicU64,
    watch: Mutex<Watch>,
}

/// What the last tick saw.
#[derive(Debug)]
struct Watch {
    /// Time since boot.
    boot: u64,
    /// How far the wall clock jumped away without being followed.
    refused: i64,
}

impl Anchor {
    fn new(at: Reading, last_stamp: Option<Millis>) -> (Anchor, Start) {
        let anchor = Anchor {
            offset: AtomicI64::new(difference(at.wall, at.boot)),
            latest: AtomicU64::new(last_stamp.unwrap_or_default().0),
            watch: Mutex::new(Watch { boot: at.boot, refused: 0 }),
        };
        let start = match last_stamp {
            None => Start::First,
            Some(stamp) if stamp.0 > at.wall => Start::Earlier { by_ms: stamp.0 - at.wall },
            Some(stamp) => Start::Later { by_ms: at.wall - stamp.0 },
        };
        (anchor, start)
    }

    fn now(&self, boot: u64) -> Millis {
        let now = boot.saturating_add_signed(self.offset.load(Relaxed));
        let latest = self.latest.load(Relaxed);
        // Written once a millisecond, so that threads do not fight for the line.
        if now > latest { Millis(now.max(self.latest.fetch_max(now, Relaxed))) } else { Millis(latest) }
    }

    fn tick(&self, at: Reading) -> Option<Jump> {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = self.offset.load(Relaxed);
        let ours = at.boot.saturating_add_signed(offset).saturating_add_signed(watch.refused);
        let ahead = difference(at.wall, ours);
        if u128::from(ahead.unsigned_abs()) <= JUMP.as_millis() {
            self.slew(offset, ahead, &mut watch, at.boot);
            return None;
        }
        watch.boot = at.boot;
        let stands = at.boot.saturating_add_signed(offset) < self.latest.load(Relaxed);
        let followed = stands && ahead > 0;
        if followed {
            self.offset.store(offset.saturating_add(ahead), Relaxed);
        } else {
            watch.refused = watch.refused.saturating_add(ahead);
        }
        Some(Jump { by_ms: ahead, followed })
    }

    /// Goes a small step towards the wall clock.
    fn slew(&self, offset: i64, ahead: i64, watch: &mut Watch, boot: u64) {
        let most = i64::try_from(boot.saturating_sub(watch.boot) / SLEW).unwrap_or(i64::MAX);
        if most > 0 {
            self.offset.store(offset.saturating_add(ahead.clamp(-most, most)), Relaxed);
            watch.boot = boot;
        }
    }
}

fn difference(a: u64, b: u64) -> i64 {
    i64::try_from(i128::from(a) - i128::from(b)).unwrap_or(if a > b { i64::MAX } else { i64::MIN })
}

#[cfg(test)]
mod tests;
