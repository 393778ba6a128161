//! The connection score for those who answer: the detectors' classifiers, called at RCPT.

use std::sync::Arc;

use answers::ConnectionScore;
use detectors::seen::Traits;
use edge::policy::Scorer;
use model::{Client, Millis, Policy};
use projections::View;

/// Scores by our own names and shared senders.
struct ByPolicy(Policy);

/// The scorer of a policy; none where the score does not refuse.
pub(crate) fn of(policy: &Policy) -> Option<Arc<dyn Scorer>> {
    // The traps are many, and say nothing of a connection.
    let by_policy = ByPolicy(Policy { traps: Vec::new(), ..policy.clone() });
    super::Shared::scores(policy).then(|| Arc::new(by_policy) as Arc<dyn Scorer>)
}

impl Scorer for ByPolicy {
    fn score(&self, client: &Client, sender_fits: bool, view: &View, now: Millis) -> ConnectionScore {
        let traits = Traits::of(client, sender_fits, &self.0);
        answers::connection_score(client, &traits, view, now)
    }
}
