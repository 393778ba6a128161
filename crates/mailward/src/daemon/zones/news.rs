//! Which keys changed, from the projector to those who keep zones.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use model::{Body, Envelope, Key};
use projections::domain_of;

/// Keys that wait at most; with more, everything is compared, which takes no longer.
const KEYS_MAX: usize = 100_000;

/// A letter box: never blocks who puts in.
#[derive(Debug, Default)]
pub(crate) struct News {
    state: Mutex<State>,
    come: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Somebody takes out.
    is_heard: bool,
    told: Told,
}

/// What came since the last look.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Keys whose cases changed, and domains whose conduct did.
    pub(crate) keys: Vec<Key>,
    /// There were more than can be held.
    pub(crate) all: bool,
}

impl News {
    /// From now on somebody listens.
    pub(crate) fn listen(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_heard = true;
    }

    /// Tells what events changed; the view that shows it is published.
    pub(crate) fn tell<'e>(&self, events: impl Iterator<Item = &'e Envelope>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.is_heard {
            return;
        }
        state.told.keys.extend(events.filter_map(about));
        if state.told.keys.len() > KEYS_MAX {
            state.told = Told { keys: Vec::new(), all: true };
        }
        self.come.notify_one();
    }

    /// Takes out what came, waiting for it at most so long.
    pub(crate) fn wait(&self, at_most: Duration) -> Told {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = |state: &mut State| state.told.keys.is_empty() && !state.told.all;
        let (mut state, _) =
            self.come.wait_timeout_while(state, at_most, empty).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.told)
    }
}

/// On which key something may hold that did not before, or no longer.
fn about(event: &Envelope) -> Option<Key> {
    match &event.body {
        Body::StandingChanged(_) | Body::GreylistPassed(_) => None,
        Body::Learnt(lesson) => domain_of(lesson).map(Key::Domain),
        _ => event.key.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{learnt, lifted};
    use super::*;

    #[test]
    fn nothing_is_kept_before_anybody_listens_and_never_too_much() {
        let news = News::default();
        let event = lifted("192.0.2.1");
        news.tell([&event].into_iter());
        assert!(news.wait(Duration::ZERO).keys.is_empty());
        news.listen();
        news.tell([&event, &event].into_iter());
        assert_eq!(news.wait(Duration::ZERO).keys.len(), 2);
        news.tell([&learnt(2, 1_000, None)].into_iter());
        assert_eq!(news.wait(Duration::ZERO).keys, ["shop.example".parse().unwrap()], "OFF-24");
        news.tell(std::iter::repeat_n(&event, KEYS_MAX + 1));
        let told = news.wait(Duration::ZERO);
        assert!(told.all && told.keys.is_empty());
    }
}
