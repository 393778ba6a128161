//! One log line for each decision, in the past tense, with fields (STYLE).
//!
//! No sender, recipient or trap stands in it.

use model::{Body, Envelope, FeedNews, Mode, NetworkNews};

use super::pipeline::utc;

/// Logs one durable event.
pub(crate) fn event(arrival: u64, event: &Envelope) {
    let key = event.key.as_ref().map(ToString::to_string).unwrap_or_default();
    let case = event.case.map(|c| c.to_string()).unwrap_or_default();
    let shadow = event.mode == Mode::Shadow;
    match &event.body {
        Body::CaseOpened(opened) => {
            let reason = model::reasons::by_number(opened.reason).id;
            let rule = event.rule.map_or_else(|| "operator".to_owned(), |r| r.offence.id());
            let (kind, until) = (opened.kind.word(), utc(opened.until));
            let action = if shadow { "would block" } else { "block" };
            tracing::info!(key, case, rule, reason, kind, until, action, seq = arrival, "key blocked");
        }
        Body::CaseExtended(extended) => {
            tracing::info!(key, case, until = utc(extended.until), shadow, seq = arrival, "case extended");
        }
        Body::CaseLifted(_) => tracing::info!(key, case, shadow, seq = arrival, "case lifted"),
        Body::KeyLifted(_) => tracing::info!(key, seq = arrival, "key lifted"),
        Body::CaseEnded(_) => tracing::info!(key, case, shadow, seq = arrival, "case ended"),
        Body::CaseResentenced(until) => {
            tracing::info!(key, case, until = utc(*until), seq = arrival, "case resentenced");
        }
        Body::ModeChanged(mode) => {
            tracing::info!(learning = *mode == Mode::Shadow, seq = arrival, "mode changed");
        }
        Body::ProtectedChanged(prefix, on) => {
            tracing::info!(%prefix, on, seq = arrival, "protected list changed");
        }
        Body::Learnt(lesson) => {
            let (of, quarters, bad, good) = (&lesson.of, lesson.quarters, lesson.bad, lesson.good);
            tracing::info!(seq = arrival, ?of, quarters, bad, good, "lesson learnt");
        }
        Body::PolicyAdopted(_) => tracing::info!(seq = arrival, "policy adopted"),
        Body::Network(NetworkNews::Holes(holes)) => {
            tracing::info!(key, case, spared = holes.len(), shadow, seq = arrival, "network spares servers");
        }
        Body::Network(NetworkNews::As(system, on, impacts, size)) => {
            tracing::info!(system, on, impacts, size, shadow, seq = arrival, "provider listed or not");
        }
        Body::Network(NetworkNews::AtlasAdopted(_)) => {
            tracing::info!(seq = arrival, "table of networks adopted");
        }
        Body::Feed(FeedNews::Adopted(feed)) => {
            let (name, kind, entries, until) = (&feed.name, feed.kind, feed.entries, utc(feed.until));
            tracing::info!(%name, %kind, entries, until, seq = arrival, "bulk list adopted");
        }
        Body::Feed(FeedNews::Dropped(name)) => tracing::info!(%name, seq = arrival, "bulk list removed"),
        Body::StandingChanged(change) => {
            tracing::debug!(key, class = change.class.word(), seq = arrival, "standing changed");
        }
        Body::GreylistPassed(until) => {
            tracing::debug!(key, until = utc(*until), seq = arrival, "greylisting passed");
        }
        Body::Unknown(kind, _) => {
            tracing::warn!(kind, seq = arrival, "event of a later version kept, not applied");
        }
    }
}
