//! What the servers and judges have counted, as `status` shows it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use engine::networks::Why;
use engine::{Burnt, BurntBy, PassesOn};
use judges::breaker::State;
use judges::judge::Unknown;
use model::PersonHash;
use serde_json::{Map, Value, json};

use crate::daemon::pipeline::Insight;
use crate::daemon::{Shared, utc};

/// The policy server.
pub(super) fn policy(daemon: &Shared) -> Value {
    let Some(counts) = daemon.servers().policy.as_ref().map(edge::policy::Running::counters) else {
        return Value::Null;
    };
    json!({
        "requests": counts.requests,
        "refused": counts.refused,
        "connections": counts.connections,
        "turned_away": counts.turned_away,
        "malformed": counts.malformed,
        "oversize": counts.oversize,
        "slow": counts.slow,
    })
}

/// The name server: questions and answers by zone, codes by their last octet.
pub(super) fn dns(daemon: &Shared) -> Value {
    let Some(counts) = daemon.servers().dns.as_ref().map(edge::dns::Running::counts) else {
        return Value::Null;
    };
    let labels = std::iter::once("base").chain(model::SUB_ZONES.iter().map(|zone| zone.label));
    let zones: Map<String, Value> =
        labels.zip(&counts.zones).map(|(label, zone)| (label.to_owned(), dns_zone(zone))).collect();
    json!({
        "zones": zones,
        "connections": counts.connections,
        "silent": counts.silent,
        "malformed": counts.malformed,
        "refused": counts.refused,
        "errors": counts.errors,
        "dropped": counts.dropped,
        "slipped": counts.slipped,
        "truncated": counts.truncated,
        "transfers": counts.transfers,
        "unsent": counts.unsent,
        "frames": {"taken": counts.frames.0, "unread": counts.frames.1},
        "turned_away": counts.turned_away,
    })
}

fn dns_zone(zone: &edge::dns::ZoneCounts) -> Value {
    let codes = zone.listed.iter().enumerate().filter(|(_, count)| **count > 0);
    let listed: Map<String, Value> = codes.map(|(last, count)| (last.to_string(), json!(count))).collect();
    json!({
        "questions": zone.questions,
        "listed": listed,
        "unlisted": zone.unlisted,
        "no_data": zone.no_data,
    })
}

/// The milter.
pub(super) fn milter(daemon: &Shared) -> Value {
    let Some(counts) = daemon.servers().milter.as_ref().map(edge::milter::Running::counters) else {
        return Value::Null;
    };
    json!({
        "connections": counts.connections,
        "accepted": counts.accepted,
        "turned_away": counts.turned_away,
        "recipients": counts.recipients,
        "refused": counts.refused,
        "rejected_by_mta": counts.rejected,
        "messages": counts.messages,
        "stopped": counts.stopped,
        "forged_results": counts.forged,
        "malformed": counts.malformed,
        "oversize": counts.oversize,
        "slow": counts.slow,
    })
}

/// Each judge by name.
pub(super) fn judges(daemon: &Shared) -> Value {
    let servers = daemon.servers();
    let Some(hearing) = &servers.hearing else { return Value::Null };
    let seats = hearing.panel().seats().map(|seat| {
        let counts = seat.counts();
        let unknown: Map<String, Value> = Unknown::KINDS
            .iter()
            .zip(counts.unknown)
            .map(|(kind, n)| ((*kind).to_owned(), n.into()))
            .collect();
        let resting = matches!(counts.breaker, State::Resting { .. });
        let told = json!({
            "asked": counts.asked,
            "answered": counts.answered,
            "unknown": unknown,
            "resting": resting,
        });
        (seat.name().to_string(), told)
    });
    Value::Object(seats.collect())
}

/// Reports on the shelf, and those that came in as mail.
pub(super) fn reports(daemon: &Shared) -> Value {
    let servers = daemon.servers();
    let shelved = servers.inbox.as_ref().map_or(0, |inbox| inbox.shelved());
    json!({"shelved": shelved, "lmtp": servers.lmtp.is_some()})
}

/// Messages that were no evidence because their headers could not be kept.
pub(super) fn headers_lost(daemon: &Shared) -> Value {
    daemon.keeper_now().map_or(Value::Null, |keeper| keeper.lost.load(Relaxed).into())
}

/// Greylisting; the engine's numbers are some seconds old.
pub(super) fn greylist(daemon: &Shared) -> Value {
    let insight = daemon.insight.lock().unwrap_or_else(PoisonError::into_inner).clone();
    json!({
        "on": daemon.view().site.greylist.is_some(),
        "deferred": daemon.queue.heard.deferred.load(Relaxed),
        "waiting": insight.waiting,
        "passes": insight.passes,
    })
}

/// Networks and providers of which a person may think something.
fn networks(insight: &Insight) -> Value {
    let proposals = insight.proposals.iter().map(|(network, told)| {
        json!({
            "network": network.to_string(),
            "since": utc(told.since),
            "blocked": told.keys,
            "good_messages": told.good,
            "good_servers": told.holes,
            "why": match told.why {
                Why::Wide => "wider than a rule may block",
                Why::GoodMail => "too much good mail",
            },
        })
    });
    let due = insight
        .records_due
        .iter()
        .map(|(number, case)| json!({"record": format!("C-{number:04}"), "case": case.to_string()}));
    json!({
        "proposals": proposals.collect::<Vec<_>>(),
        "systems": insight.systems,
        "records_due": due.collect::<Vec<_>>(),
    })
}

/// What only the engine knows, some seconds old.
pub(super) fn engine(daemon: &Shared) -> Value {
    let insight = daemon.insight.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let upstream = insight.upstream.iter().map(|(key, why)| {
        let why = match why {
            PassesOn::CarriesMuch => "it carries more than a fifth of the accepted mail",
            PassesOn::FailsForMany => "SPF fails for many of its senders, and its mail is good",
            PassesOn::WasHere => "its mail was here before",
            PassesOn::SendsOn => "a few people have mail of many domains sent on by it",
        };
        json!({"key": key.to_string(), "why": why})
    });
    json!({
        "keys": insight.keys,
        "sessions": insight.sessions,
        "deliveries": insight.deliveries,
        "observations": insight.counters.observations,
        "guarded": insight.counters.guarded,
        "without_evidence": insight.counters.without_evidence,
        "unmatched_verdicts": insight.counters.unmatched_verdicts,
        "unmatched_reports": insight.counters.unmatched_reports,
        "ignored_reports": insight.counters.ignored_reports,
        "upstream": upstream.collect::<Vec<_>>(),
        "networks": networks(&insight),
        "burnt": burnt(daemon, &insight.burnt),
    })
}

/// Traps that are none any more, by address: for the operator alone.
fn burnt(daemon: &Shared, told: &[(PersonHash, Burnt)]) -> Vec<Value> {
    let addresses = daemon.config.trap_addresses();
    let hash = |address: &&str| daemon.persons.person(address.as_bytes());
    let named = addresses.filter_map(|address| {
        let (_, burnt) = told.iter().find(|(who, _)| Some(*who) == hash(&address))?;
        let why = match burnt.by {
            BurntBy::Senders => "unrelated decent servers wrote to it within an hour: it was subscribed",
            BurntBy::OurOwn => "one of your own people wrote to it",
        };
        Some(json!({"trap": address, "at": burnt.at.secs(), "senders": burnt.senders, "why": why}))
    });
    named.collect()
}
