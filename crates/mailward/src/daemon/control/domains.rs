//! What is known of a domain: cases against it and its conduct (OFF-24).

use model::{Domain, Key, Mode, Name};
use serde_json::{Value, json};

use super::{Shared, Wish, row_of};
use crate::daemon::utc;

/// What holds against a domain, with names around it, as `check` shows it.
pub(super) fn check(daemon: &Shared, domain: &Domain) -> Value {
    let (view, now) = (daemon.view(), daemon.clock.now());
    let row = |mode| view.against_domain(domain.as_str(), mode, now).map(|t| row_of(daemon, t.force.case));
    let (live, shadow) = (row(Mode::Live), row(Mode::Shadow));
    json!({
        "key": domain.as_str(),
        "blocked": live.is_some(),
        "case": live,
        "shadow": shadow,
        "class": "unknown",
        "credit": false,
        "protected": false,
        "conduct": conduct(daemon, domain),
    })
}

/// The entries of a domain's conduct that a lift is about to take back.
pub(super) fn to_forgive(daemon: &Shared, wish: &Wish) -> Value {
    let Wish::Unblock { target, .. } = wish else { return Value::Null };
    match target.parse() {
        Ok(Key::Domain(domain)) => conduct(daemon, &domain),
        _ => Value::Null,
    }
}

fn conduct(daemon: &Shared, domain: &Domain) -> Value {
    let (view, name) = (daemon.view(), Name::new(domain.as_str().as_bytes()));
    let entries = view.lessons.conduct_entries(&name, daemon.clock.now());
    let told = |entry: projections::lessons::ConductEntry| {
        let (since, until) = (utc(entry.since), utc(entry.until));
        json!({"what": entry.slight.words(), "since": since, "until": until})
    };
    entries.map(told).collect()
}
