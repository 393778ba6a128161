//! Pages as a stranger gets them: headers, forms, and what no page may hold.

mod fixture;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use model::exhibit::{ShownAttachment, ShownField, ShownOpinion};
use model::policy::TrapKind;
use model::{Evidence, ExhibitId, Redacted};
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use fixture::{BLOCKED, ENDED, LIFTED, NULL_ROUTED, SHADOW, path, view};

const SITE: &str = "https://mw.example.org";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.expect("routers do not fail");
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("a whole body").to_bytes();
    let body = String::from_utf8(bytes.to_vec()).expect("UTF-8");
    Answer { status: parts.status, headers: parts.headers, body }
}

async fn get_with(router: &Router, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(router, request.body(Body::empty()).expect("a request")).await
}

async fn get(router: &Router, path: &str) -> Answer {
    get_with(router, path, &[]).await
}

async fn get_from(router: &Router, path: &str, client: &str) -> Answer {
    get_with(router, path, &[("x-forwarded-for", client)]).await
}

fn usual() -> Router {
    portal::router(fixture::portal(view(SITE), fixture::usual_samples()))
}

fn link(seq: u64) -> String {
    path(&view(SITE), seq)
}

/// Something of every kind.
fn every_page() -> Vec<String> {
    let mut pages: Vec<String> = [BLOCKED, ENDED, LIFTED, SHADOW, NULL_ROUTED].map(link).to_vec();
    let others = [
        "/",
        "/?ip=192.0.2.25",
        "/l?ip=x",
        "/l/192.0.2.25",
        "/l/2001:db8::1",
        "/c/n1-48211",
        "/c/n1-1/X",
        "/h/helo",
        "/h/files",
        "/h/virus",
        "/h/spf",
        "/h/spam",
        "/h/reports",
        "/h/backscatter",
    ];
    pages.extend(others.map(str::to_owned));
    pages.extend(["/h/none", "/nothing", "/c/n1-48211.json", "/l/192.0.2.25.json"].map(str::to_owned));
    pages
}

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let router = usual();
    for page in every_page() {
        let answer = get(&router, &page).await;
        for (name, value) in [
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("x-robots-tag", "noindex, nofollow"),
            ("x-content-type-options", "nosniff"),
            ("strict-transport-security", "max-age=63072000"),
        ] {
            assert_eq!(answer.headers.get(name).and_then(|v| v.to_str().ok()), Some(value), "{page}");
        }
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().expect("ASCII");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{page}: {policy}");
        assert!(!policy.contains("script") && !policy.contains("unsafe"), "{page}: {policy}");
    }
}

#[tokio::test]
async fn without_tls_no_browser_is_told_to_insist_on_it() {
    let plain = "http://127.0.0.1:12380";
    let router = portal::router(fixture::portal(view(plain), Vec::new()));
    assert!(!get(&router, "/").await.headers.contains_key("strict-transport-security"));
}

/// The opposite way of what the portal does, so that a slip in one shows.
fn from_base64(text: &str) -> Vec<u8> {
    let value = |c: char| match c {
        'A'..='Z' => c as u32 - 65,
        'a'..='z' => c as u32 - 71,
        '0'..='9' => c as u32 + 4,
        '+' => 62,
        _ => 63,
    };
    let (mut bits, mut held, mut bytes) = (0u32, 0, Vec::new());
    for digit in text.trim_end_matches('=').chars().map(value) {
        (bits, held) = (bits << 6 | digit, held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    bytes
}

#[tokio::test]
async fn the_style_is_the_one_that_the_policy_lets_through() {
    let answer = get(&usual(), "/").await;
    let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().expect("ASCII");
    let told = policy.split("'sha256-").nth(1).and_then(|p| p.split('\'').next()).expect("a hash");
    let style =
        answer.body.split("<style>").nth(1).and_then(|p| p.split("</style>").next()).expect("a style");
    assert_eq!(from_base64(told), Sha256::digest(style).to_vec());
}

#[tokio::test]
async fn pages_load_nothing_and_run_nothing() {
    let router = usual();
    for page in every_page() {
        let body = get(&router, &page).await.body.to_lowercase();
        let tags: Vec<&str> = body.split('<').skip(1).filter_map(|tag| tag.split('>').next()).collect();
        for part in ["script", " style=", " src=", " onload", " onerror", " onclick"] {
            assert!(!tags.iter().any(|tag| tag.contains(part)), "{page}: {part}");
        }
        for part in ["javascript:", "@import", "url("] {
            assert!(!body.contains(part), "{page}: {part}");
        }
        let targets = body.split("href=\"").skip(1).filter_map(|t| t.split('"').next());
        for target in targets {
            assert!(target.starts_with(['/', '#']) || target.starts_with("mailto:"), "{page}: {target}");
        }
    }
}

#[tokio::test]
async fn a_case_page_is_in_the_order_of_the_requirements() {
    let body = get(&usual(), &link(BLOCKED)).await.body;
    let places = [
        "<h1>Your mail server 192.0.2.25 is blocked at Example Networks</h1>",
        "Mail from it is refused here because we received spam from it.",
        "2026-11-21 19:40 UTC",
        "id=\"saw\"",
        "Here: 100 units × 6 min × 2 (1 earlier block) = 20 h.",
        "Later: 8 different refused attempts",
        "id=\"samples\"",
        "connection facts only",
        "id=\"check\"",
        "victims",
        "id=\"tracks\"",
        "<pre",
        "id=\"earlier\"",
        "2026-10-22",
        "Other sites keep lists",
        "id=\"contact\"",
        "mailto:postmaster@example.org",
        "deleted after 90 days",
        "id=\"end\"",
        "to ask for an earlier end write to",
    ];
    let found: Vec<_> =
        places.iter().map(|p| body.find(p).unwrap_or_else(|| panic!("no {p} in\n{body}"))).collect();
    assert!(found.is_sorted(), "{found:?}");
}

#[tokio::test]
async fn the_bar_has_a_text_for_those_who_do_not_see_it() {
    let body = get(&usual(), &link(BLOCKED)).await.body;
    assert!(body.contains("role=\"img\" aria-label=\"14 percent of the time has passed; 18 h 24 min left\""));
}

#[tokio::test]
async fn what_is_over_shows_no_evidence_and_no_bar() {
    for (seq, word) in [(ENDED, "Ended at"), (LIFTED, "Lifted at")] {
        let body = get(&usual(), &link(seq)).await.body;
        assert!(body.contains(word) && !body.contains("41822") && !body.contains("<svg"), "{body}");
    }
}

#[tokio::test]
async fn a_shadow_case_does_not_say_that_mail_is_refused() {
    let body = get(&usual(), &link(SHADOW)).await.body;
    assert!(body.contains("192.0.2.28 is not blocked") && !body.contains("id=\"end\""), "{body}");
}

#[tokio::test]
async fn a_wrong_link_is_answered_alike_whatever_is_wrong() {
    let router = usual();
    let right = link(BLOCKED);
    let wrong = [
        right.replace("n1-48211", "n1-1"),
        right.replace("n1-48211", "n1-48212"),
        right.replace("n1-48211", "nonsense"),
        format!("/c/n1-48211/{}", "0".repeat(26)),
        "/c/n1-48211/short".into(),
        "/c/n1-48211/%ff".into(),
        "/c/n1-1".into(),
        "/nothing/at/all".into(),
    ];
    for form in ["text/html", "application/json"] {
        let first = get_with(&router, &wrong[0], &[("accept", form)]).await;
        assert_eq!(first.status, StatusCode::NOT_FOUND);
        for path in wrong.iter().filter(|p| form == "text/html" || !p.contains('%')) {
            let answer =
                get_with(&router, path, &[("accept", form), ("x-forwarded-for", "203.0.113.9")]).await;
            assert_eq!((answer.status, &answer.body), (first.status, &first.body), "{path}");
            assert_eq!(answer.headers, first.headers, "{path}");
        }
    }
}

#[tokio::test]
async fn a_link_works_as_people_and_mail_programs_write_it() {
    let router = usual();
    let right = link(BLOCKED);
    let (rest, secret) = right.rsplit_once('/').expect("a secret");
    for path in [
        right.clone(),
        right.to_lowercase(),
        format!("{rest}/{}", secret.replace('0', "O").replace('1', "l")),
        format!("{right}."),
        format!("{right}%3E"),
    ] {
        assert_eq!(get(&router, &path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn the_json_twin_says_the_same() {
    let router = usual();
    let by_name = get(&router, &format!("{}.json", link(BLOCKED))).await;
    let by_header = get_with(&router, &link(BLOCKED), &[("accept", "application/json")]).await;
    assert_eq!(by_name.body, by_header.body);
    assert_eq!(by_name.headers[header::CONTENT_TYPE], "application/json");
    let json: serde_json::Value = serde_json::from_str(&by_name.body).expect("JSON");
    assert_eq!((&json["case"], &json["state"]), (&"n1-48211".into(), &"extended".into()));
    assert_eq!((&json["sentence_s"], &json["factor"]), (&72_000.into(), &2.into()));
    assert_eq!(json["samples"].as_array().map(Vec::len), Some(3));
    let looked: serde_json::Value =
        serde_json::from_str(&get(&router, "/l/192.0.2.25.json").await.body).expect("JSON");
    assert_eq!((&looked["blocked"], &looked["reason"]), (&true.into(), &"spam-volume".into()));
}

#[tokio::test]
async fn reading_is_all_that_can_be_done() {
    let router = usual();
    for page in [
        "/".to_owned(),
        link(BLOCKED),
        "/c/n1-48211".into(),
        "/l/192.0.2.25".into(),
        "/l".into(),
        "/h/helo".into(),
    ] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let request =
                Request::builder().method(&method).uri(&page).body(Body::empty()).expect("a request");
            let answer = send(&router, request).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {page}");
            assert_eq!(answer.headers[header::ALLOW], "GET, HEAD, OPTIONS", "{method} {page}");
            assert!(answer.headers.contains_key("content-security-policy"), "{method} {page}");
        }
        let options = Request::options(&page).body(Body::empty()).expect("a request");
        let answer = send(&router, options).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NO_CONTENT, ""));
        let head = send(&router, Request::head(&page).body(Body::empty()).expect("a request")).await;
        assert_eq!((head.status, head.body.as_str()), (get(&router, &page).await.status, ""));
    }
}

#[tokio::test]
async fn a_page_shows_a_hundred_times_what_it_showed_first() {
    // ADV-7: scanners that fetch every link of a bounce change nothing.
    let router = usual();
    let first = get(&router, &link(BLOCKED)).await.body;
    for _ in 0..100 {
        assert_eq!(get(&router, &link(BLOCKED)).await.body, first);
    }
}

#[tokio::test]
async fn guessing_is_stopped_after_twenty_misses_and_costs_nobody_else() {
    let router = usual();
    let guess = format!("/c/n1-48211/{}", "0".repeat(26));
    for _ in 0..20 {
        assert_eq!(get_from(&router, &guess, "203.0.113.9").await.status, StatusCode::NOT_FOUND);
    }
    let over = get_from(&router, &guess, "203.0.113.77").await;
    assert_eq!(over.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(over.headers[header::RETRY_AFTER], "3600");
    assert_eq!(get_from(&router, &guess, "198.51.100.1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get_from(&router, &link(BLOCKED), "203.0.113.9").await.status, StatusCode::OK);
}

#[tokio::test]
async fn nobody_walks_through_the_addresses() {
    let router = usual();
    for n in 0..30 {
        let answer = get_from(&router, &format!("/l/192.0.2.{n}"), "203.0.113.9").await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let over = get_from(&router, "/l/192.0.2.25", "203.0.113.9").await;
    assert_eq!(over.status, StatusCode::TOO_MANY_REQUESTS);
    let by_reference = get_from(&router, "/c/n1-48211", "203.0.113.9").await;
    assert_eq!(by_reference.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn an_address_is_looked_up_however_it_is_written() {
    let router = usual();
    for path in ["/l/192.0.2.25", "/l?ip=192.0.2.25", "/?ip=%20%5B192.0.2.25%5D", "/l/::ffff:192.0.2.25"] {
        let answer = get(&router, path).await;
        assert!(answer.body.contains("</span> is blocked</h1>"), "{path}");
        assert!(answer.body.contains("2026-11-21 19:00 UTC"), "{path}");
        assert!(!answer.body.contains("41822") && !answer.body.contains("2B4SXG2RR2"), "{path}");
    }
    assert!(get(&router, "/l/192.0.2.99").await.body.contains("is not blocked</h1>"));
    for path in ["/l/nonsense", "/l?ip=", "/l?ip=%3Cscript%3E", "/l", "/l/%ff"] {
        let answer = get(&router, path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(answer.body.contains("That is no IP address"), "{path}");
    }
}

#[tokio::test]
async fn a_reference_alone_tells_no_address() {
    let answer = get(&usual(), "/c/n1-48211").await;
    assert!(
        answer.body.contains("n1-48211</span> is blocked") && !answer.body.contains("192.0.2.25"),
        "{}",
        answer.body
    );
    assert_eq!(get(&usual(), "/c/n1-48214").await.status, StatusCode::NOT_FOUND, "a shadow case");
}

#[tokio::test]
async fn no_person_and_no_trap_is_on_any_page() {
    let canary = 0xdead_beef_cafe_f00d_u64;
    let router = usual();
    for page in every_page() {
        let body = get(&router, &page).await.body.to_lowercase();
        for word in [canary.to_string(), format!("{canary:x}"), "pristine".into()] {
            assert!(!body.contains(&word), "{page}: {word}");
        }
    }
}

/// ADV-10: what a hostile client puts into its names.
const HOSTILE: [&str; 24] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "</style><style>*{display:none}",
    "</title><script>",
    "<!--",
    "-->",
    "<![CDATA[",
    "&lt;script&gt;",
    "&#60;b&#62;",
    "javascript:alert(1)",
    "{{7*7}}",
    "{% include \"x\" %}",
    "${7*7}",
    "%3Cscript%3E",
    "\u{202e}gro.elpmaxe",
    "\u{200b}\u{feff}zero",
    "\u{0}\u{1}\u{7f}",
    "a\r\nSet-Cookie: x=1",
    "a\u{2028}b",
    "\\u003cscript\\u003e",
    "`${alert(1)}`",
    "<bdo dir=rtl>x</bdo>",
    "</dd></dl><h1>owned</h1>",
];

/// What stands on the page for these bytes: made printable, then escaped.
fn escaped(bytes: &[u8]) -> String {
    let printable = bytes.to_ascii_lowercase().escape_ascii().to_string();
    let each = printable.chars().map(|c| match c {
        '&' | '<' | '>' | '"' | '\'' => format!("&#{};", c as u32),
        other => other.to_string(),
    });
    each.collect()
}

#[tokio::test]
async fn hostile_names_stand_escaped_byte_for_byte() {
    let page = |helo: Vec<u8>, ptr: Vec<u8>| async move {
        let samples = vec![fixture::evidence(&helo, &ptr, None, 1)];
        let router = portal::router(fixture::portal(view(SITE), samples));
        get(&router, &link(BLOCKED)).await.body
    };
    let harmless = page(b"mail.example.net".to_vec(), b"mail.example.net".to_vec()).await;
    let long = "<".repeat(600);
    let raw = [b"\xff\xfe<".to_vec(), long.into_bytes()[..255].to_vec()];
    for payload in HOSTILE.iter().map(|p| p.as_bytes().to_vec()).chain(raw) {
        let body = page(payload.clone(), payload.clone()).await;
        let expect = format!("<bdi>{}</bdi>", escaped(&payload));
        assert_eq!(body.matches(&expect).count(), 2, "{expect}\n{body}");
        assert_eq!(body.matches('<').count(), harmless.matches('<').count(), "{expect}");
        assert!(body.chars().all(|c| !c.is_control() || c == '\n'), "{expect}");
    }
}

/// The page of a case whose five messages have these headers.
async fn page_with(of: impl Fn(u8) -> Redacted, helo: &[u8], trap: Option<TrapKind>) -> Answer {
    let ids = [0, 1, 2, 3, 4].map(|n| (n, ExhibitId([n; 16])));
    let sample =
        |(n, id)| Evidence { exhibit: Some(id), ..fixture::evidence(helo, helo, trap, u64::from(n)) };
    let exhibits = ids.map(|(n, id)| (id, of(n))).to_vec();
    let samples = ids.map(sample).to_vec();
    get(&portal::router(fixture::portal_with(view(SITE), samples, exhibits)), &link(BLOCKED)).await
}

fn shown(name: &str, value: &str, proven_only: bool) -> ShownField {
    ShownField { name: name.into(), value: value.into(), proven_only }
}

/// As much as `answers::redact` can make, in the widest characters.
fn largest(_: u8) -> Redacted {
    let wide = "<".repeat(4096);
    Redacted {
        fields: (0..60).map(|_| shown("Received", &wide, false)).collect(),
        withheld: (0..60).map(|n| format!("{n:a<60}")).collect(),
        attachments: vec![ShownAttachment { name: wide[..200].into(), kind: "exe".into(), fault: None }; 50],
        size: Some(u64::MAX),
        body_hash: Some("0".repeat(64)),
        opinions: vec![
            ShownOpinion {
                source: wide[..255].into(),
                judgement: "spam".into(),
                score: Some("-21474836.48".into()),
                tests: vec![wide[..255].into(); 50],
            };
            9
        ],
    }
}

#[tokio::test]
async fn the_largest_page_is_small() {
    let body = page_with(largest, &[b'<'; 255], None).await.body;
    assert_eq!(body.matches("class=\"sample\"").count(), 5);
    assert_eq!(body.matches("<pre tabindex=\"0\" aria-label=\"Headers of this message\">").count(), 5);
    assert!(body.len() < 50_000, "{} octets", body.len());
    println!("the largest page has {} octets", body.len());
}

#[tokio::test]
async fn a_case_page_shows_the_headers_that_may_be_shown() {
    let of = |n| Redacted {
        fields: vec![
            shown("Received", "from mail.example.net by mx.example.org; today", false),
            shown("Subject", &format!("<b>offer {n}</b>"), false),
            shown("X-Mailer", "Example 1.0", true),
        ],
        withheld: vec!["DKIM-Signature".into(), "List-Unsubscribe".into()],
        attachments: vec![ShownAttachment {
            name: "a.zip/b.exe".into(),
            kind: "exe".into(),
            fault: Some("executable".into()),
        }],
        size: Some(4711),
        body_hash: None,
        opinions: vec![ShownOpinion {
            source: "clamav".into(),
            judgement: "virus".into(),
            score: None,
            tests: vec!["eicar".into()],
        }],
    };
    let body = page_with(of, b"mail.example.net", None).await.body;
    for part in [
        "Received: <bdi>from mail.example.net by mx.example.org; today</bdi>\nSubject: <bdi>&#60;b&#62;offer 3&#60;/b&#62;</bdi>\n",
        "DKIM-Signature, List-Unsubscribe",
        "<bdi>a.zip/b.exe</bdi>, exe: executable",
        "clamav: virus (eicar)",
        "4711 octets",
    ] {
        assert!(body.contains(part), "no {part} in\n{body}");
    }
    for part in ["X-Mailer", "connection facts only"] {
        assert!(!body.contains(part), "{part} in\n{body}");
    }
    let trapped = page_with(of, b"mail.example.net", Some(TrapKind::Pristine)).await.body;
    for part in ["Received:", "offer", "mail.example.net", "clamav"] {
        assert!(!trapped.contains(part), "{part} in\n{trapped}");
    }
}

#[tokio::test]
async fn a_trap_s_session_shows_a_day_and_no_port() {
    let samples = vec![fixture::evidence(b"mail.example.net", b"x.example.net", Some(TrapKind::Recycled), 1)];
    let router = portal::router(fixture::portal(view(SITE), samples));
    let body = get(&router, &link(BLOCKED)).await.body;
    assert!(
        body.contains("<time datetime=\"2026-11-21\">2026-11-21</time>") && !body.contains("41822"),
        "{body}"
    );
}
