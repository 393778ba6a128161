//! The zones that others keep copies of: from views to numbered states, step by step.
//!
//! One thread, only where zones may be fetched. It hears which keys changed, asks the newest
//! view what holds on them, and lets each go at its exact end, whether or not an event says so
//! (DESIGN §4, invariant 5). The first change after a quiet second goes out at once; from then
//! on changes are gathered for a second, so that a flood of blocks is one step a second.
//!
//! A number is served when its step is on the disk, so none is given twice; after a restart the
//! state is compared with what was served last, and the difference is one more step.

mod keeper;
mod news;
mod octets;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use edge::dns::transfer::{self, Herald, Outlet, Target};
use edge::dns::{Serials, zone_index};
use edge::{Clock, Published, Views};
use sha2::{Digest, Sha256};

use self::keeper::{Keeper, Limits};
pub(crate) use self::news::News;
use super::pipeline;

/// Steps of one zone come at least so far apart.
const PAUSE: Duration = Duration::from_secs(1);
/// So often is looked for ends without news.
const LOOK: Duration = Duration::from_millis(100);

/// Where zones go.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// What the outlet is told.
    pub(crate) outlet: transfer::Config,
    /// Whom to tell of new numbers.
    pub(crate) notify: Vec<Target>,
}

/// The thread, with what hands zones out; it ends when this is dropped.
pub(crate) struct Zones {
    outlet: Outlet,
    /// What the thread will work with, before it runs.
    work: Option<Work>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread works with.
pub(crate) struct Means {
    pub(crate) published: Arc<Published>,
    pub(crate) news: Arc<News>,
    pub(crate) clock: Clock,
    pub(crate) serials: Arc<Serials>,
}

impl Zones {
    /// Reads what was served last and brings it up to date.
    ///
    /// # Errors
    ///
    /// A text for the operator: the file is something else, the disk, or the system has no
    /// socket.
    pub(crate) fn prepare(settings: Settings, data_dir: &Path, means: Means) -> Result<Zones, String> {
        let Settings { outlet, notify } = settings;
        let print = fingerprint(&outlet);
        let outlet = Outlet::new(outlet, means.clock.clone());
        let herald = if notify.is_empty() { None } else { Some(Herald::start(notify)) };
        let herald = herald.transpose().map_err(|e| format!("secondaries can not be notified: {e}"))?;
        // From here on no change is missed; what was before stands in the view.
        means.news.listen();
        let view = means.published.view();
        let now = means.clock.now();
        let keeper = Keeper::open(&data_dir.join("zones.log"), print, Limits::USUAL, &view, now)?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut work = Work { keeper, means, outlet: outlet.clone(), herald, stop: stop.clone() };
        work.publish(&(0..work.keeper.zones()).collect::<Vec<_>>());
        Ok(Zones { outlet, work: Some(work), stop, thread: None })
    }

    /// Starts the thread, and tells all secondaries: whoever hears of a number comes at once, so
    /// the name server must listen by then.
    ///
    /// # Errors
    ///
    /// A text for the operator: the system has no thread.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        let Some(mut work) = self.work.take() else { return Ok(()) };
        let never = Arc::new(AtomicBool::new(true));
        // It ends before the daemon does, so nobody watches it.
        let thread = pipeline::spawn("zones", &never, move || work.run());
        self.thread = Some(thread.map_err(|e| format!("threads can not be started: {e}"))?);
        Ok(())
    }

    /// What hands zones out.
    pub(crate) fn outlet(&self) -> Outlet {
        self.outlet.clone()
    }
}

impl Drop for Zones {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that keeps zones panicked");
        }
    }
}

/// What stands in all zones beside what is listed: where it changes, old steps do not lead to
/// new copies.
fn fingerprint(config: &transfer::Config) -> [u8; 32] {
    let transfer::Config { base, servers, contact, ttl, negative_ttl, site, .. } = config;
    let all = format!("1 {base} {servers:?} {contact} {ttl} {negative_ttl} {}", site.portal);
    Sha256::digest(all.to_ascii_lowercase()).into()
}

struct Work {
    keeper: Keeper,
    means: Means,
    outlet: Outlet,
    herald: Option<Herald>,
    stop: Arc<AtomicBool>,
}

impl Work {
    fn run(&mut self) {
        let (mut last, mut told) = (None::<Instant>, false);
        self.tell(&(0..self.keeper.zones()).collect::<Vec<_>>());
        while !self.stop.load(Ordering::Acquire) {
            let pause = last.map_or(Duration::ZERO, |last: Instant| PAUSE.saturating_sub(last.elapsed()));
            let news = self.means.news.wait(if self.keeper.has_changes() { pause.min(LOOK) } else { LOOK });
            let (view, now) = (self.means.published.view(), self.means.clock.now());
            self.keeper.take(&news, &view, now);
            if !self.keeper.has_changes() || last.is_some_and(|last| last.elapsed() < PAUSE) {
                continue;
            }
            last = Some(Instant::now());
            match self.keeper.step(now) {
                Ok(zones) => {
                    self.publish(&zones);
                    self.tell(&zones);
                    told = false;
                }
                Err(error) if !std::mem::replace(&mut told, true) => {
                    tracing::error!(%error, "zones keep their numbers: the next step can not be written");
                }
                Err(_) => {}
            }
        }
    }

    /// Hands out the new states of some zones.
    fn publish(&mut self, zones: &[usize]) {
        for zone in zones {
            let edition = self.keeper.edition(*zone);
            if let Some(number) = zone_index(edition.zone.label) {
                self.means.serials.set(number, edition.serial);
            }
            self.outlet.publish(*zone, edition);
        }
    }

    /// Tells secondaries of their numbers.
    fn tell(&self, zones: &[usize]) {
        let Some(herald) = &self.herald else { return };
        for zone in zones {
            if let Some(name) = self.outlet.name(*zone) {
                herald.tell(*zone, name, self.keeper.edition(*zone).serial);
            }
        }
    }
}
