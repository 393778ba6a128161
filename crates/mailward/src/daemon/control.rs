//! The operator's API: JSON over HTTP on a unix socket that only its owner may open.
//!
//! The command line is its first client. Everything that changes something is a command
//! that goes through the journal; the answer waits until the published view shows it.

mod by_hand;
mod counts;
mod domains;
mod exhibits;
mod export;
mod feeds;
mod known;
mod learnt;

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use model::case::Opened;
use model::finding::Measure;
use model::observation::Vote;
use model::{Actor, BlockKind, CaseId, Input, Key, Millis, Mode, Order, Prefix, Secs};
use projections::CaseView;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::inbox::Taken;
use super::{Shared, atlases, utc};
use crate::observe;
pub(crate) use feeds::FeedWish;

/// The most bytes of one request: a reported message, as large as an MX takes.
const BODY_LEN_MAX: usize = 26 << 20;

/// What an operator may order.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub(crate) enum Wish {
    /// Enforce from now on.
    Enforce,
    /// Go back to learning.
    Learn,
    /// Block a key.
    Block(BlockWish),
    /// Read the tables of networks again.
    Tables,
    /// Lift a case, or all of a key.
    Unblock { target: String, error: bool, because: String },
    /// Change the protected list.
    Protect { prefix: String, on: bool },
    /// Lift every automatic block of the last seconds.
    Panic { seconds: u64 },
    /// Credit good mail from old logs.
    Credit { prefix: String, at: u64, people: Vec<String> },
    /// Put a bulk list in force, whose file lies in the data directory.
    AdoptFeed(FeedWish),
    /// Remove a bulk list.
    DropFeed { name: String, because: Option<String> },
    /// Let a test clock go on.
    Advance { seconds: u64 },
}

/// A block by hand.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct BlockWish {
    pub(crate) key: String,
    pub(crate) kind: String,
    pub(crate) seconds: u64,
    pub(crate) because: String,
    /// Whatever it costs.
    #[serde(default)]
    pub(crate) even_so: bool,
    /// Good servers are let through.
    #[serde(default)]
    pub(crate) spare_good: bool,
    /// Its record, if one is kept: a number such as `C-0007`, or `new`.
    #[serde(default)]
    pub(crate) record: Option<String>,
    /// Items of evidence.
    #[serde(default)]
    pub(crate) evidence: Vec<String>,
    /// There is none, and the operator decided so.
    #[serde(default)]
    pub(crate) operator_decision: bool,
}

/// The API's routes.
pub(crate) fn router(daemon: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/order", post(order))
        .route("/v1/observe", post(observe))
        .route("/v1/report", post(report))
        .route("/v1/status", get(status))
        .route("/v1/check", get(check))
        .route("/v1/explain", get(explain))
        .route("/v1/list", get(list))
        .route("/v1/case/{reference}", get(case))
        .route("/v1/protected", get(protected))
        .route("/v1/feeds", get(feeds::feeds))
        .route("/v1/export", get(export::export))
        .layer(axum::extract::DefaultBodyLimit::max(BODY_LEN_MAX))
        .with_state(daemon)
}

/// An error with its status; the text is for the person at the command line.
struct Fault(StatusCode, String);

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn bad(error: impl ToString) -> Fault {
    Fault(StatusCode::BAD_REQUEST, error.to_string())
}

async fn order(State(daemon): State<Arc<Shared>>, Json(wish): Json<Wish>) -> Result<Json<Value>, Fault> {
    // A receipt waits for the disk: not on the web's own thread.
    tokio::task::spawn_blocking(move || carry_out(&daemon, &wish))
        .await
        .map_err(|e| Fault(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?
}

fn carry_out(daemon: &Shared, wish: &Wish) -> Result<Json<Value>, Fault> {
    if let Wish::Advance { seconds } = wish {
        let now = daemon.clock.advance(Secs(*seconds)).map_err(bad)?;
        return Ok(Json(json!({"now": utc(now)})));
    }
    if let Wish::Tables = wish {
        return tables(daemon);
    }
    let (order, forgiven) = (to_order(daemon, wish)?, domains::to_forgive(daemon, wish));
    let receipt = daemon
        .desk
        .submit(Actor::Operator, order, because(wish).as_deref())
        .map_err(|e| Fault(StatusCode::CONFLICT, e))?;
    let cases: Vec<Value> = receipt.cases.iter().map(|id| row_of(daemon, *id)).collect();
    let still = still(daemon, wish).map(|case| row_of(daemon, case));
    let price = receipt.price.map(|price| price.to_string());
    let mode = mode_word(daemon.view().mode);
    Ok(Json(json!({"cases": cases, "mode": mode, "still": still, "price": price, "conduct": forgiven})))
}

fn to_order(daemon: &Shared, wish: &Wish) -> Result<Order, Fault> {
    let now = daemon.clock.now();
    Ok(match wish {
        Wish::Enforce => Order::SetMode(Mode::Live),
        Wish::Learn => Order::SetMode(Mode::Shadow),
        Wish::Block(wish) => Order::Enter(Box::new(wish.entry()?)),
        Wish::Unblock { target, error, .. } => match target.parse::<CaseId>() {
            Ok(case) => Order::LiftCase(case, *error),
            Err(_) => Order::LiftKey(client_key(target.parse().map_err(bad)?), *error),
        },
        Wish::Protect { prefix, on } => Order::Protect(prefix.parse::<Prefix>().map_err(bad)?, *on),
        Wish::Panic { seconds } => Order::Panic(now.minus(Secs(*seconds))),
        Wish::Credit { prefix, at, people } => {
            let person =
                |address: &String| daemon.persons.person(address.as_bytes()).map_or(0, |p| p.0 as u32);
            let people = people.iter().map(person).collect();
            Order::Credit(prefix.parse().map_err(bad)?, Millis::from_secs(*at), people)
        }
        Wish::AdoptFeed(wish) => wish.order(daemon)?,
        Wish::DropFeed { name, .. } => feeds::drop_order(daemon, name)?,
        Wish::Advance { .. } | Wish::Tables => return Err(bad("expected an order for the engine")),
    })
}

/// Reads the tables of networks again, and has the engine adopt them.
fn tables(daemon: &Shared) -> Result<Json<Value>, Fault> {
    let hash = atlases::adopt(&daemon.config).map_err(bad)?;
    let sent = daemon.inputs.send_timeout(Input::Atlas(hash), std::time::Duration::from_secs(10));
    sent.map_err(|_| bad("the queue is full: the store may be stuck (see the log)"))?;
    let (systems, countries) = atlases::load(daemon.config.data_dir(), &hash).map_err(bad)?.len();
    Ok(Json(json!({"systems": systems, "countries": countries})))
}

/// What still holds against an address or a domain after its key was lifted: a network or a
/// domain around it.
fn still(daemon: &Shared, wish: &Wish) -> Option<CaseId> {
    let Wish::Unblock { target, .. } = wish else { return None };
    let (view, now) = (daemon.view(), daemon.clock.now());
    let threat = match target.parse::<Key>().ok()? {
        Key::Domain(domain) => view.against_domain(domain.as_str(), Mode::Live, now)?,
        key => view.against(key.prefix().filter(|p| p.is_host())?.addr(), Mode::Live, now)?,
    };
    Some(threat.force.case)
}

/// The text given with a wish.
fn because(wish: &Wish) -> Option<String> {
    match wish {
        Wish::Block(wish) => Some(wish.note()),
        Wish::Unblock { because, .. } => Some(because.clone()),
        Wish::AdoptFeed(FeedWish { because, .. }) | Wish::DropFeed { because, .. } => because.clone(),
        _ => None,
    }
}

/// One IPv6 address as typed means its client's key, the /64.
fn client_key(key: Key) -> Key {
    match key {
        Key::Net(prefix) if prefix.is_host() => Key::of_client(prefix.addr()),
        other => other,
    }
}

fn kind_of(word: &str) -> Result<BlockKind, Fault> {
    match word {
        "rbl" => Ok(BlockKind::Rbl),
        "null-route" => Ok(BlockKind::NullRoute),
        other => Err(bad(format!("expected rbl or null-route, but got {other:?}"))),
    }
}

fn mode_word(mode: Mode) -> &'static str {
    if mode == Mode::Live { "enforce" } else { "learn" }
}

async fn observe(State(daemon): State<Arc<Shared>>, body: String) -> Json<Value> {
    let told = observe::take(&daemon, &body);
    let broken: Vec<Value> =
        told.broken.iter().map(|(line, what)| json!({"line": line, "what": what})).collect();
    Json(
        json!({"taken": told.taken, "broken": broken, "broken_count": told.broken_count, "dropped": told.dropped}),
    )
}

#[derive(Deserialize)]
struct ReportQuery {
    reporter: String,
    /// It is the reported message itself: `junk` or `not-junk`; without it a report.
    #[serde(default)]
    vote: Option<String>,
}

async fn report(
    State(daemon): State<Arc<Shared>>,
    Query(asked): Query<ReportQuery>,
    raw: axum::body::Bytes,
) -> Result<Json<Value>, Fault> {
    let inbox = daemon.servers().inbox.clone().ok_or_else(|| bad("the daemon is stopping"))?;
    let take = move || {
        let reporter = asked.reporter.as_bytes();
        match asked.vote.as_deref() {
            None => inbox.mail(reporter, &raw),
            Some("junk") => inbox.button(reporter, &raw, Vote::Junk),
            Some("not-junk") => inbox.button(reporter, &raw, Vote::NotJunk),
            Some(other) => Err(format!("expected junk or not-junk, but got {other:?}")),
        }
    };
    let taken = tokio::task::spawn_blocking(take).await.map_err(bad)?.map_err(bad)?;
    let count = match taken {
        Taken::Counted(count) => count,
        Taken::Unmatched => 0,
    };
    Ok(Json(json!({"counted": count})))
}

async fn status(State(daemon): State<Arc<Shared>>) -> Json<Value> {
    let (view, now, heard) = (daemon.view(), daemon.clock.now(), &daemon.queue.heard);
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    Json(json!({
        "now": utc(now),
        "mode": mode_word(view.mode),
        "version": env!("CARGO_PKG_VERSION"),
        "arrival": view.arrival,
        "live": view.holding(Mode::Live, now).len(),
        "shadow": view.holding(Mode::Shadow, now).len(),
        "observations": count(&heard.taken),
        "dropped": count(&heard.dropped_ever),
        "refused": count(&heard.refused),
        "would_refuse": count(&heard.would_refuse),
        "waiting": daemon.inputs.len(),
        "policy": counts::policy(&daemon),
        "milter": counts::milter(&daemon),
        "dns": counts::dns(&daemon),
        "judges": counts::judges(&daemon),
        "reports": counts::reports(&daemon),
        "greylist": counts::greylist(&daemon),
        "headers_lost": counts::headers_lost(&daemon),
        "engine": counts::engine(&daemon),
        "lessons": learnt::lessons(&daemon),
        "feeds": feeds::told(&view, now),
        "missing_for_refusals": daemon.config.missing_for_refusals(),
        "portal": view.site.portal,
    }))
}

#[derive(Deserialize)]
struct KeyQuery {
    key: String,
}

async fn check(
    State(daemon): State<Arc<Shared>>,
    Query(asked): Query<KeyQuery>,
) -> Result<Json<Value>, Fault> {
    let key: Key = asked.key.parse().map_err(bad)?;
    if let Key::Domain(domain) = &key {
        return Ok(Json(domains::check(&daemon, domain)));
    }
    let (view, now) = (daemon.view(), daemon.clock.now());
    let prefix = key.prefix().ok_or_else(|| bad("expected an address, a prefix or a domain"))?;
    let row = |mode| view.against(prefix.addr(), mode, now).map(|t| row_of(&daemon, t.force.case));
    let (live, shadow) = (row(Mode::Live), row(Mode::Shadow));
    let standing = view.cases.key(&client_key(key.clone())).and_then(|k| k.standing);
    Ok(Json(json!({
        "key": client_key(key).to_string(),
        "blocked": live.is_some(),
        "case": live,
        "shadow": shadow,
        "class": standing.map_or("unknown", |s| s.class.word()),
        "credit": standing.is_some_and(|s| s.credit),
        "protected": view.protected.lists(prefix.addr()),
    })))
}

async fn explain(
    State(daemon): State<Arc<Shared>>,
    Query(asked): Query<KeyQuery>,
) -> Result<Json<Value>, Fault> {
    let key = client_key(asked.key.parse().map_err(bad)?);
    // The engine's answer and the store's are waited for: not on the web's own thread.
    let explained = tokio::task::spawn_blocking(move || explained(&daemon, &key)).await.map_err(bad)?;
    explained.map(Json).map_err(|e| Fault(StatusCode::CONFLICT, e))
}

fn explained(daemon: &Shared, key: &Key) -> Result<Value, String> {
    let (view, now) = (daemon.view(), daemon.clock.now());
    let against = |mode| match (key, key.prefix()) {
        (Key::Domain(domain), _) => view.against_domain(domain.as_str(), mode, now),
        (_, prefix) => view.against(prefix?.addr(), mode, now),
    };
    let case = [Mode::Live, Mode::Shadow].into_iter().find_map(|mode| Some(against(mode)?.force.case));
    let of_case = case.map(|case| portal::Vault::evidence(&daemon.vault(), case)).unwrap_or_default();
    let client = of_case.last().map(|session| session.client.clone());
    let report = key.prefix().map(|prefix| daemon.questions.ask(prefix, client)).transpose()?.flatten();
    let waiting = report.as_ref().map(|report| report.sessions.clone()).unwrap_or_default();
    let sessions = if of_case.is_empty() { waiting } else { of_case };
    let policy = daemon.policy_now();
    let known =
        known::Known { report: report.as_ref(), sessions: &sessions, policy: &policy, view: &view, now };
    let mut told = known.to_json();
    told["key"] = key.to_string().into();
    told["case"] = case.map_or(Value::Null, |case| row_of(daemon, case));
    told["facts"] = case.map_or(Value::Null, |case| facts_of(&view, case));
    told["text"] = (answers::explain(&view, key, now) + &known.lines().join("\n")).into();
    Ok(told)
}

/// What the rule saw, and the limits in force then.
fn facts_of(view: &projections::View, case: CaseId) -> Value {
    let opened = view.case(case).and_then(|case| case.case.opened.as_ref());
    let facts = opened.iter().flat_map(|opened| answers::explain::facts(opened));
    facts.map(|(label, value)| json!({"label": label, "value": value})).collect()
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    all: bool,
}

async fn list(State(daemon): State<Arc<Shared>>, Query(asked): Query<ListQuery>) -> Json<Value> {
    let (view, now) = (daemon.view(), daemon.clock.now());
    let mode = if asked.mode.as_deref() == Some("shadow") { Mode::Shadow } else { Mode::Live };
    let cases = if asked.all { view.cases.sorted() } else { view.holding(mode, now) };
    Json(cases.iter().map(|c| row(&daemon, c)).collect())
}

async fn case(
    State(daemon): State<Arc<Shared>>,
    Path(reference): Path<String>,
) -> Result<Json<Value>, Fault> {
    let id: CaseId = reference.parse().map_err(bad)?;
    if daemon.view().case(id).is_none() {
        return Err(Fault(StatusCode::NOT_FOUND, format!("no case {id} is known")));
    }
    let shared = daemon.clone();
    let exhibits = tokio::task::spawn_blocking(move || shared.vault().full(id)).await.map_err(bad)?;
    let mut row = row_of(&daemon, id);
    row["exhibits"] = exhibits.iter().map(exhibits::told).collect();
    Ok(Json(row))
}

async fn protected(State(daemon): State<Arc<Shared>>, Query(asked): Query<ProtectedQuery>) -> Json<Value> {
    let protected = daemon.view().protected.clone();
    let special = if asked.all { protected.special() } else { &[] };
    Json(protected.listed().iter().chain(special).map(ToString::to_string).collect())
}

#[derive(Deserialize)]
struct ProtectedQuery {
    /// Ranges that nobody may block, too.
    #[serde(default)]
    all: bool,
}

fn row_of(daemon: &Shared, id: CaseId) -> Value {
    daemon.view().case(id).map_or_else(|| json!({"case": id.to_string()}), |c| row(daemon, c))
}

/// A number behind a decision.
fn fact(opened: &Opened, measure: Measure) -> Option<u64> {
    opened.facts.iter().find(|(known, _)| *known == measure).map(|(_, number)| *number)
}

/// One case as scripts read it.
fn row(daemon: &Shared, view: &CaseView) -> Value {
    let Some(opened) = &view.case.opened else { return json!({"case": view.id.to_string()}) };
    let published = daemon.view();
    let holds =
        published.cases.key(&view.key).is_some_and(|k| view.case.holds(daemon.clock.now(), k.lifted_up_to));
    let attempts = view.case.extended.as_ref().map_or(0, |e| e.attempts);
    json!({
        "case": view.id.to_string(),
        "key": view.key.to_string(),
        "kind": opened.kind.word(),
        "reason": model::reasons::by_number(opened.reason).id,
        "mode": if view.case.mode == Mode::Live { "live" } else { "shadow" },
        "holds": holds,
        "from": utc(opened.from),
        "until": utc(view.case.until()),
        "remaining_s": view.case.until().since(daemon.clock.now()).0,
        "lifted": view.case.lifted.map(|l| utc(l.at)),
        "units": model::case::total(&view.case.units()).to_string(),
        "attempts": attempts,
        "repeats": opened.repeats,
        "severity": opened.severity.word(),
        "class": opened.class.word(),
        "holes": view.case.holes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "record": fact(opened, Measure::RecordNumber).map(|number| format!("C-{number:04}")),
        "earlier_entries": fact(opened, Measure::RecordEarlier),
        "link": answers::link::case_link(&published.site, view.id),
    })
}
