//! Which address shows what.

use answers::{case_page, help, help_page, link, lookup_page, reference_page};
use askama::Template;
use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use model::Site;
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::form::{self, Form};
use crate::headers;
use crate::html::{Case, Frame, Help, Home, Lookup, STYLE, Short};
use crate::state::Portal;

/// The methods of every page; none changes anything.
const ALLOW: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// All pages.
pub fn router(portal: Portal) -> Router {
    let page = |shown: MethodRouter<Portal>| shown.options(options).fallback(not_allowed);
    Router::new()
        .route("/", page(get(home)))
        .route("/c/{reference}", page(get(reference)))
        .route("/c/{reference}/{secret}", page(get(case)))
        .route("/l", page(get(ask)))
        .route("/l/{ip}", page(get(lookup)))
        .route("/h/{topic}", page(get(topic)))
        .fallback(anything_else)
        .layer(middleware::from_fn_with_state(portal.clone(), headers::add))
        .with_state(portal)
}

/// What the look-up form sends.
#[derive(Deserialize)]
struct Asked {
    ip: Option<String>,
}

async fn home(
    portal: State<Portal>,
    caller: Caller,
    headers: HeaderMap,
    query: Result<Query<Asked>, QueryRejection>,
) -> Response {
    if query.as_ref().is_ok_and(|q| q.ip.is_some()) {
        return ask(portal, caller, headers, query).await;
    }
    front(&portal, StatusCode::OK, false)
}

fn front(portal: &Portal, status: StatusCode, refused: bool) -> Response {
    let frame = frame(&portal.view().site);
    show(status, &Home { frame: &frame, topics: help::topics().collect(), refused })
}

/// The look-up form's target.
async fn ask(
    State(portal): State<Portal>,
    caller: Caller,
    headers: HeaderMap,
    query: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let asked = query.ok().and_then(|Query(q)| q.ip).unwrap_or_default();
    look_up(&portal, caller, form::of_headers(&headers), &asked)
}

async fn lookup(
    State(portal): State<Portal>,
    caller: Caller,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    let asked = path.map_or_else(|_| String::new(), |Path(ip)| ip);
    let form = if asked.ends_with(".json") { Form::Json } else { form::of_headers(&headers) };
    look_up(&portal, caller, form, asked.trim_end_matches(".json"))
}

fn look_up(portal: &Portal, caller: Caller, form: Form, asked: &str) -> Response {
    // People paste the address with the brackets of our reply around it.
    let Ok(addr) = asked.trim().trim_matches(['[', ']']).parse() else {
        return match form {
            Form::Html => front(portal, StatusCode::BAD_REQUEST, true),
            Form::Json => error(StatusCode::BAD_REQUEST, "expected an IPv4 or IPv6 address"),
        };
    };
    // Whoever sits at this machine may look up what he likes.
    let now = portal.now();
    if !caller.0.is_loopback() && !portal.lookups().take(caller.0, now) {
        return too_many(portal, form);
    }
    let view = portal.view();
    let page = lookup_page(&view, addr, now);
    match form {
        Form::Json => json(StatusCode::OK, page.get()),
        Form::Html => show(StatusCode::OK, &Lookup { frame: &frame(&view.site), page: page.get() }),
    }
}

async fn reference(
    State(portal): State<Portal>,
    caller: Caller,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    let Ok(Path(last)) = path else { return missed(&portal, caller, Form::Html) };
    let (form, reference) = form::wanted(&last, &headers);
    let (view, now) = (portal.view(), portal.now());
    let page = link::reference_of(reference).and_then(|id| reference_page(&view, id, now));
    let Some(page) = page else { return missed(&portal, caller, form) };
    if !caller.0.is_loopback() && !portal.lookups().take(caller.0, now) {
        return too_many(&portal, form);
    }
    match form {
        Form::Json => json(StatusCode::OK, page.get()),
        Form::Html => show(StatusCode::OK, &Lookup { frame: &frame(&view.site), page: page.get() }),
    }
}

async fn case(
    State(portal): State<Portal>,
    caller: Caller,
    headers: HeaderMap,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Response {
    let Ok(Path((reference, last))) = path else { return missed(&portal, caller, Form::Html) };
    let (form, secret) = form::wanted(&last, &headers);
    let view = portal.view();
    // A right link is never refused for the wrong ones of others behind the same network.
    let Some(id) = link::open(&view, &reference, secret) else { return missed(&portal, caller, form) };
    let (evidence, exhibits) = portal.evidence(id).await;
    let Some(page) = case_page(&view, id, &evidence, &exhibits, portal.now()) else {
        return missed(&portal, caller, form);
    };
    match form {
        Form::Json => json(StatusCode::OK, page.get()),
        Form::Html => show(StatusCode::OK, &Case { frame: &frame(&view.site), page: page.get() }),
    }
}

async fn topic(State(portal): State<Portal>, path: Result<Path<String>, PathRejection>) -> Response {
    let page = path.ok().and_then(|Path(topic)| help_page(&topic));
    match page {
        Some(page) => show(StatusCode::OK, &Help { frame: &frame(&portal.view().site), page: page.get() }),
        None => not_found(&portal, Form::Html),
    }
}

async fn options() -> Response {
    (StatusCode::NO_CONTENT, [(header::ALLOW, ALLOW)]).into_response()
}

async fn not_allowed(State(portal): State<Portal>, headers: HeaderMap) -> Response {
    let text = "This page can only be read.";
    let shown =
        brief(&portal, form::of_headers(&headers), StatusCode::METHOD_NOT_ALLOWED, "Not allowed", text);
    ([(header::ALLOW, ALLOW)], shown).into_response()
}

async fn anything_else(State(portal): State<Portal>, headers: HeaderMap) -> Response {
    not_found(&portal, form::of_headers(&headers))
}

/// A link that opens nothing: counted, and answered alike whatever was wrong with it.
fn missed(portal: &Portal, caller: Caller, form: Form) -> Response {
    if portal.misses().take(caller.0, portal.now()) {
        not_found(portal, form)
    } else {
        too_many(portal, form)
    }
}

fn not_found(portal: &Portal, form: Form) -> Response {
    let text = "There is no such page here. If you followed a link from an error message, see that it was not \
                cut off at the end of a line. Pages of blocks are deleted some time after the block has ended.";
    brief(portal, form, StatusCode::NOT_FOUND, "Not found", text)
}

fn too_many(portal: &Portal, form: Form) -> Response {
    let text = "Your network has asked very often in the last hour. Please come again later; a whole link from \
                an error message works at any time.";
    let shown = brief(portal, form, StatusCode::TOO_MANY_REQUESTS, "Too many requests", text);
    ([(header::RETRY_AFTER, HeaderValue::from_static("3600"))], shown).into_response()
}

fn brief(
    portal: &Portal,
    form: Form,
    status: StatusCode,
    title: &'static str,
    text: &'static str,
) -> Response {
    match form {
        Form::Json => error(status, text),
        Form::Html => show(status, &Short { frame: &frame(&portal.view().site), title, text }),
    }
}

fn error(status: StatusCode, text: &str) -> Response {
    json(status, &serde_json::json!({ "error": text }))
}

fn frame(site: &Site) -> Frame {
    let name = if site.name.is_empty() { "this site" } else { &site.name };
    Frame { site: name.to_owned(), contact: site.contact.clone(), style: STYLE }
}

fn show(status: StatusCode, page: &impl Template) -> Response {
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    match page.render() {
        Ok(text) => (status, [(header::CONTENT_TYPE, html)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn json(status: StatusCode, page: &impl Serialize) -> Response {
    let kind = HeaderValue::from_static("application/json");
    match serde_json::to_string_pretty(page) {
        Ok(text) => (status, [(header::CONTENT_TYPE, kind)], text + "\n").into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
