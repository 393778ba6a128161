//! Looks up the names with which strangers greet (S78), beside everything that answers.
//!
//! A thread of its own takes names from `edge::Greetings`, asks DNS by the judges' resolver, hands
//! the answer back, and tells the engine: each ‘no such name’, and that a name exists where that
//! is new. It ends with those who answer, whatever DNS does.

use std::sync::{Arc, Weak};
use std::time::Duration;

use edge::{Clock, Existence, Greetings, Intake};
use judges::auth::{Names, Settings};
use model::observation::Resolved;
use model::{Fact, Name, Observation, Sensor};
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;

use super::intake::Queue;
use crate::config::Config;

/// Names that are asked for at once.
const AT_ONCE: usize = 32;
/// How long one name may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// What looks need.
#[derive(Clone)]
struct Looker {
    names: Arc<Names>,
    /// Gone with those who answer; then this ends, too.
    greetings: Weak<Greetings>,
    queue: Arc<Queue>,
    clock: Clock,
}

/// Starts to look names up, where the rule is on.
///
/// # Errors
///
/// A text for the operator.
pub(crate) fn start(
    config: &Config,
    queue: &Arc<Queue>,
    clock: &Clock,
) -> Result<Option<Arc<Greetings>>, String> {
    if !config.asks_for_names() {
        return Ok(None);
    }
    let settings = Settings { servers: config.judges().resolvers, deadline: DEADLINE, ..Settings::default() };
    let names = Names::new(settings)
        .map_err(|e| format!("judges.resolvers: {e}; or set rules.helo-name.mode = \"off\""))?;
    let (greetings, asked) = Greetings::new();
    let greetings = Arc::new(greetings);
    let known = Arc::downgrade(&greetings);
    let looker =
        Looker { names: Arc::new(names), greetings: known, queue: queue.clone(), clock: clock.clone() };
    let told = |e: std::io::Error| format!("threads can not be started: {e}");
    let runtime = Builder::new_current_thread().enable_all().build().map_err(told)?;
    let run = move || runtime.block_on(looker.run(asked));
    std::thread::Builder::new().name("names".to_owned()).spawn(run).map_err(told)?;
    Ok(Some(greetings))
}

impl Looker {
    async fn run(self, mut asked: Receiver<Name>) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        while let Some(name) = asked.recv().await {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let looker = self.clone();
            // A task of its own keeps a panic over hostile bytes from the others.
            tokio::spawn(async move {
                let _place = place;
                looker.look(name).await;
            });
        }
    }

    async fn look(&self, name: Name) {
        let existence = match self.names.exists(name.as_bytes()).await {
            Some(true) => Existence::Exists,
            Some(false) => Existence::Absent,
            None => Existence::Unknown,
        };
        let at = self.clock.now();
        let Some(greetings) = self.greetings.upgrade() else { return };
        let before = greetings.found(&name, existence, at);
        let news = match (existence, before) {
            (Existence::Absent, _) => Some(false),
            (Existence::Exists, Existence::Absent | Existence::Unknown) => Some(true),
            _ => None,
        };
        if let Some(exists) = news {
            let fact = Fact::Resolved(Resolved { name, exists });
            // A full queue counts for itself.
            let _ = self.queue.offer(Observation { at, sensor: Sensor::Policy, session: 0, fact });
        }
    }
}
