//! Own bulk lists, as far as they go into zones (STD-83: those of others do not).

use std::sync::Arc;

use model::{Codes, FeedKind, Millis};

use super::{Bulk, Scope};
use crate::View;
use crate::feeds::{Feed, FeedEntry, Said};
use crate::spans::prefixes;

/// One list as zones show it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The list's file.
    pub hash: [u8; 32],
    /// Its addresses.
    pub bulk: Arc<Bulk>,
    /// Names with how far they reach.
    pub names: Vec<(Box<str>, Scope)>,
    /// When something of it ends next.
    pub due: Millis,
}

/// The lists in force that are ours, of which nothing has ended since it was made.
pub fn is_current(shown: &[Shown], view: &View, now: Millis) -> bool {
    let ours: Vec<_> = ours(view, now).collect();
    ours.len() == shown.len()
        && ours.iter().zip(shown).all(|(feed, shown)| feed.hash == shown.hash && shown.due > now)
}

/// The same lists, made anew where it must be.
pub fn show(shown: &[Shown], view: &View, now: Millis) -> Vec<Shown> {
    let known = |feed: &Feed| shown.iter().find(|shown| shown.hash == feed.hash && shown.due > now).cloned();
    ours(view, now).map(|feed| known(feed).unwrap_or_else(|| of(feed, now))).collect()
}

fn ours(view: &View, now: Millis) -> impl Iterator<Item = &Feed> {
    let in_force = move |feed: &&Feed| feed.kind == FeedKind::Curated && !feed.is_missing && feed.until > now;
    view.feeds.iter().map(Arc::as_ref).filter(in_force)
}

fn of(feed: &Feed, now: Millis) -> Shown {
    let (now_min, mut due) = (now.minute(), feed.until);
    let mut hold = |entry: FeedEntry| {
        let holds = entry.holds(now_min);
        if let Some(end) = entry.until_min.filter(|_| holds) {
            due = due.min(Millis::from_secs(u64::from(end) * 60));
        }
        holds
    };
    let spans: Vec<_> = feed.flat.entries().filter(|span| hold(span.entry)).collect();
    let mut codes = |said| match said {
        Said::Listed(entry) if hold(entry) => Codes::of(entry.code),
        _ => Codes::NONE,
    };
    let named = feed
        .names
        .entries()
        .map(|named| (Box::from(named.name), Scope { name: codes(named.own), below: codes(named.below) }));
    let names = named.filter(|(_, scope)| *scope != Scope::default()).collect();
    let prefixes =
        spans.iter().flat_map(|span| prefixes(span.first, span.last).map(|prefix| (prefix, span.entry.code)));
    Shown { hash: feed.hash, bulk: Arc::new(Bulk::new(prefixes)), names, due }
}
