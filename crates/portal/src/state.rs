//! What the portal needs from the rest of the house, and its few meters.

use std::fmt;
use std::sync::Arc;

use model::{CaseId, Evidence, ExhibitId, Millis, Redacted};
use projections::View;

use crate::meter::Meter;

/// Where the newest view comes from.
pub trait Views: Send + Sync + 'static {
    /// The view that is published now; a page reads one from beginning to end.
    fn view(&self) -> Arc<View>;
}

/// Where evidence comes from.
pub trait Vault: Send + Sync + 'static {
    /// The samples of a case, at most a handful; empty when none are kept.
    ///
    /// May read a disk: it is called outside the threads that serve. Its result goes
    /// through `answers`, which redacts it.
    fn evidence(&self, case: CaseId) -> Vec<Evidence>;

    /// The redacted exhibits that evidence names, as far as they are kept.
    ///
    /// May read a disk, like [`Vault::evidence`].
    fn exhibits(&self, ids: &[ExhibitId]) -> Vec<(ExhibitId, Redacted)>;
}

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Millis + Send + Sync>;

/// Everything that a page is made from. Clones share all of it.
#[derive(Clone)]
pub struct Portal(Arc<Parts>);

struct Parts {
    views: Arc<dyn Views>,
    vault: Arc<dyn Vault>,
    clock: Clock,
    misses: Meter,
    lookups: Meter,
}

/// Wrong links of one network in an hour (UNB-2).
const MISSES_MAX: u32 = 20;
/// Look-ups of one network in an hour (ADV-9).
const LOOKUPS_MAX: u32 = 30;

impl Portal {
    /// A portal that reads from these.
    pub fn new(views: Arc<dyn Views>, vault: Arc<dyn Vault>, clock: Clock) -> Portal {
        let (misses, lookups) = (Meter::new(MISSES_MAX), Meter::new(LOOKUPS_MAX));
        Portal(Arc::new(Parts { views, vault, clock, misses, lookups }))
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.0.views.view()
    }

    pub(crate) fn now(&self) -> Millis {
        (self.0.clock)()
    }

    pub(crate) fn misses(&self) -> &Meter {
        &self.0.misses
    }

    pub(crate) fn lookups(&self) -> &Meter {
        &self.0.lookups
    }

    /// The samples of a case with the headers of their messages, read on a thread that may
    /// wait; none if reading failed.
    pub(crate) async fn evidence(&self, case: CaseId) -> (Vec<Evidence>, Vec<(ExhibitId, Redacted)>) {
        let parts = Arc::clone(&self.0);
        let read = tokio::task::spawn_blocking(move || {
            let evidence = parts.vault.evidence(case);
            let ids: Vec<ExhibitId> = evidence.iter().filter_map(|e| e.exhibit).collect();
            let exhibits = if ids.is_empty() { Vec::new() } else { parts.vault.exhibits(&ids) };
            (evidence, exhibits)
        });
        read.await.unwrap_or_default()
    }
}

impl fmt::Debug for Portal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Portal")
    }
}
