//! Bulk lists: adopting one whose file lies ready, removing one, and what there are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use model::{FeedAdopted, FeedName, Millis, Order, Secs};
use projections::feeds::FEEDS_MAX;
use projections::{Feed, View};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Fault, bad};
use crate::daemon::feeds::{from_hex, hex, load, prune};
use crate::daemon::{Shared, utc};

/// A list to be adopted.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct FeedWish {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// SHA-256 of the file in the data directory.
    pub(crate) hash: String,
    /// The code of entries without one.
    pub(crate) code: u8,
    /// How long, from now on.
    pub(crate) seconds: u64,
    /// How many entries its lines named.
    pub(crate) entries: u64,
    pub(crate) because: Option<String>,
}

impl FeedWish {
    /// Reads its file, and puts the table where the projector finds it.
    pub(super) fn order(&self, daemon: &Shared) -> Result<Order, Fault> {
        let (view, now) = (daemon.view(), daemon.clock.now());
        let adopted = FeedAdopted {
            name: self.name.parse().map_err(bad)?,
            kind: self.kind.parse().map_err(bad)?,
            hash: from_hex(&self.hash).ok_or_else(|| bad("expected a SHA-256 in hexadecimal"))?,
            code: self.code,
            until: now.plus(Secs(self.seconds)),
            entries: self.entries,
        };
        let others = view.feeds.iter().filter(|feed| feed.name != adopted.name).count();
        if others >= FEEDS_MAX {
            return Err(bad(format!("there are {FEEDS_MAX} lists already (mailward feeds remove NAME)")));
        }
        let table = load(daemon.config.data_dir(), &adopted.hash).map_err(bad)?;
        Feed::new(&adopted, now, Some(&table)).map_err(bad)?;
        daemon.feeds.put(adopted.hash, table);
        prune(daemon.config.data_dir(), &view);
        Ok(Order::AdoptFeed(Box::new(adopted)))
    }
}

/// The order that removes a list which is there.
pub(super) fn drop_order(daemon: &Shared, name: &str) -> Result<Order, Fault> {
    let name: FeedName = name.parse().map_err(bad)?;
    let view = daemon.view();
    let is_there = view.feeds.iter().any(|feed| feed.name == name);
    let unknown = || bad(format!("expected a list that is there, but there is no {name} (mailward feeds)"));
    is_there.then(|| Order::DropFeed(name.clone())).ok_or_else(unknown)
}

pub(super) async fn feeds(State(daemon): State<Arc<Shared>>) -> Json<Value> {
    Json(told(&daemon.view(), daemon.clock.now()))
}

/// All lists, as scripts read them.
pub(super) fn told(view: &View, now: Millis) -> Value {
    view.feeds.iter().map(|feed| row(feed, now)).collect()
}

fn row(feed: &Feed, now: Millis) -> Value {
    json!({
        "name": feed.name.to_string(),
        "kind": feed.kind.to_string(),
        "state": state(feed, now),
        "entries": feed.entries,
        "ranges": feed.flat.len(),
        "names": feed.names.len(),
        "bytes": feed.flat.heap_bytes() + feed.names.heap_bytes(),
        "codes": feed.flat.codes().or(feed.names.codes()).octets().collect::<Vec<_>>(),
        "adopted": utc(feed.adopted_at),
        "until": utc(feed.until),
        "remaining_s": feed.until.since(now).0,
        "source": &*feed.source,
        "hash": hex(&feed.hash),
    })
}

fn state(feed: &Feed, now: Millis) -> &'static str {
    match (feed.holds(now), feed.is_missing) {
        (false, _) => "over",
        (true, true) => "missing",
        (true, false) => "in force",
    }
}
