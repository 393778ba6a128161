//! The connection score for those who answer: the detectors' classifiers, called at RCPT.

use std::sync::Arc;

use answers::{ConnectionScore, MailPath};
use detectors::greylist;
use detectors::seen::Traits;
use edge::policy::Scorer;
use model::{Client, Key, Millis, Policy};
use projections::View;

/// Scores by our own names and shared senders.
struct ByPolicy(Policy);

/// The scorer of a policy; none where the score neither refuses nor decides whom greylisting
/// asks to come back.
pub(crate) fn of(policy: &Policy) -> Option<Arc<dyn Scorer>> {
    let needed = super::Shared::scores(policy) || policy.greylist.is_some();
    // The traps are many, and say nothing of a connection.
    let by_policy = ByPolicy(Policy { traps: Vec::new(), ..policy.clone() });
    needed.then(|| Arc::new(by_policy) as Arc<dyn Scorer>)
}

impl Scorer for ByPolicy {
    fn score(&self, client: &Client, path: MailPath, view: &View, now: Millis) -> ConnectionScore {
        let traits = Traits::of(client, path.sender_fits, &self.0);
        answers::connection_score(client, &traits, path.weighed(&self.0), view, now)
    }

    fn refuses(&self) -> bool {
        super::Shared::scores(&self.0)
    }

    fn pool(&self, client: &Client, score: &ConnectionScore, view: &View, now: Millis) -> Option<Key> {
        let rule = self.0.greylist.as_ref()?;
        let asked = answers::connection::asks(rule, client, score.quarters, view, now);
        // Whether HELO and sender fit says nothing of a pool.
        asked.then(|| greylist::pool(client, &Traits::of(client, false, &self.0)))
    }
}
