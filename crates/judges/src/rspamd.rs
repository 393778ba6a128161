//! rspamd over HTTP: `POST /checkv2`, as rspamd's protocol documentation describes it.
//!
//! The envelope goes in header fields, the message in the body; back comes JSON with action,
//! score and symbols. Connections are kept. Of the JSON only these are read; depth, length
//! and number of symbols are bounded.

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONNECTION, HOST, HeaderName, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use model::exhibit::TESTS_MAX;
use model::letter::Letter;
use model::{Judgement, Name, Rdns};
use tokio::task::JoinSet;

use crate::judge::{Answer, Asking, Judge, Paper, Said, Unknown, hundredths, printable};
use crate::place::{Idle, Place};
use crate::rspamd::reply::Reply;

mod reply;

/// The longest response we read; a real one has some KiB.
const RESPONSE_LEN_MAX: usize = 1024 * 1024;
/// The longest header of a response that we read.
const HEAD_LEN_MAX: usize = 16 * 1024;
/// How many recipients rspamd is told; HTTP servers bound the number of fields.
const RECIPIENTS_MAX: usize = 50;
/// The longest value of a field that we send: an address of 254 octets and some.
const VALUE_LEN_MAX: usize = 512;

/// An rspamd.
pub struct Rspamd {
    place: Place,
    mark: Option<i32>,
    idle: Idle<Link>,
}

/// One HTTP connection; its task ends with it.
struct Link {
    sender: SendRequest<Full<Bytes>>,
    _task: JoinSet<()>,
}

impl Rspamd {
    /// The rspamd worker that listens there. From `mark` on, in hundredths, a message is spam;
    /// without it rspamd's action decides.
    pub fn new(place: Place, mark: Option<i32>) -> Rspamd {
        Rspamd { place, mark, idle: Idle::new() }
    }

    async fn check(&self, paper: &Paper) -> Result<Said, Unknown> {
        if let Some(link) = self.idle.take() {
            match self.ask_over(link, paper).await {
                // It had closed the connection meanwhile: that is its right.
                Err(Unknown::Unreachable(_)) => {}
                result => return result,
            }
        }
        self.ask_over(self.connect().await?, paper).await
    }

    async fn connect(&self) -> Result<Link, Unknown> {
        let stream = TokioIo::new(self.place.connect().await?);
        let opened = http1::Builder::new().max_buf_size(HEAD_LEN_MAX).handshake(stream).await;
        let (sender, connection) = opened.map_err(|error| failed(&error))?;
        let mut task = JoinSet::new();
        task.spawn(async {
            // Its error also reaches who asked.
            let _ = connection.await;
        });
        Ok(Link { sender, _task: task })
    }

    async fn ask_over(&self, mut link: Link, paper: &Paper) -> Result<Said, Unknown> {
        link.sender.ready().await.map_err(|error| failed(&error))?;
        let response = link.sender.send_request(request(paper)).await.map_err(|error| failed(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, RESPONSE_LEN_MAX).collect().await;
        let body = body
            .map_err(|error| match error.is::<LengthLimitError>() {
                true => Unknown::Garbled(format!("expected {RESPONSE_LEN_MAX} octets at most, but got more")),
                false => Unknown::Unreachable(error.to_string()),
            })?
            .to_bytes();
        if !head.status.is_success() {
            return Err(Unknown::Declined(format!("{}: {}", head.status.as_u16(), printable(&body))));
        }
        let said = judgement(&body, self.mark)?;
        self.idle.put(link);
        Ok(said)
    }
}

impl Judge for Rspamd {
    fn ask<'a>(&'a self, paper: &'a Paper) -> Asking<'a> {
        Box::pin(async { Answer::from(self.check(paper).await) })
    }
}

/// What hyper's error says of the other side.
fn failed(error: &hyper::Error) -> Unknown {
    if error.is_parse() {
        return Unknown::Garbled(printable(error.to_string().as_bytes()));
    }
    Unknown::Unreachable(error.to_string())
}

fn request(paper: &Paper) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(paper.raw.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = hyper::Uri::from_static("/checkv2");
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_static("rspamd"));
    headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    for (name, value) in envelope(&paper.letter) {
        headers.append(HeaderName::from_static(name), value);
    }
    request
}

/// The envelope in rspamd's field names.
fn envelope(letter: &Letter) -> Vec<(&'static str, HeaderValue)> {
    let client = &letter.client;
    let mut fields = vec![
        ("ip", value(client.addr.to_string().as_bytes())),
        ("mta-name", value(letter.mx.as_bytes())),
        ("from", value(&[b"<", &letter.sender[..], b">"].concat())),
    ];
    let mut add = |name, text: &[u8]| {
        if !text.is_empty() {
            fields.push((name, value(text)));
        }
    };
    add("helo", client.helo.as_ref().map_or(b"", Name::as_bytes));
    if let Rdns::Confirmed(name) = &client.rdns {
        add("hostname", name.as_bytes());
    }
    add("queue-id", &letter.queue_id);
    if client.authenticated {
        // Who it is stays with us; that somebody logged in is what counts.
        add("user", b"authenticated");
    }
    if let Some(tls) = &letter.tls {
        add("tls-version", &tls.version);
        add("tls-cipher", &tls.cipher);
    }
    for recipient in letter.recipients.iter().take(RECIPIENTS_MAX) {
        add("rcpt", &[b"<", &recipient[..], b">"].concat());
    }
    fields
}

/// A value for HTTP: cut, and whatever could end a field or confuse a parser is `?`.
fn value(text: &[u8]) -> HeaderValue {
    let plain = |byte: &u8| if (b' '..=b'~').contains(byte) || *byte >= 0x80 { *byte } else { b'?' };
    let clean: Vec<u8> = text.iter().take(VALUE_LEN_MAX).map(plain).collect();
    HeaderValue::from_bytes(&clean).unwrap_or(HeaderValue::from_static("?"))
}

/// What a response means.
fn judgement(body: &[u8], mark: Option<i32>) -> Result<Said, Unknown> {
    let garbled = |why: String| Unknown::Garbled(format!("expected a checkv2 reply, but got {why}"));
    let reply: Reply =
        serde_json::from_slice(body).map_err(|e| garbled(printable(e.to_string().as_bytes())))?;
    let score = hundredths(reply.score).ok_or_else(|| garbled(format!("score {}", reply.score)))?;
    let by_action = match reply.action.as_str() {
        // It has not looked, which is no praise. (A pattern that ends the scan at once, such as
        // GTUBE, also counts as skipped, but has its action.)
        "no action" if reply.is_skipped => None,
        "no action" => Some(Judgement::Ham),
        "add header" | "rewrite subject" | "reject" | "discard" | "quarantine" => Some(Judgement::Spam),
        // It wants to see it again, or asks for another rate: no opinion on the content.
        "greylist" | "soft reject" => None,
        other => return Err(garbled(format!("action {}", printable(other.as_bytes())))),
    };
    let judgement = match mark {
        Some(mark) if score >= mark => Some(Judgement::Spam),
        Some(_) => by_action.filter(|&by_action| by_action == Judgement::Ham),
        None => by_action,
    };
    let symbols = reply.symbols.heaviest(TESTS_MAX);
    Ok(Said {
        judgement,
        score: Some(score),
        tests: symbols.iter().map(|name| Name::new(name.as_bytes())).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::letter;

    #[track_caller]
    fn check(body: &str, mark: Option<i32>, expect: &str) {
        let got = match judgement(body.as_bytes(), mark) {
            Ok(Said { judgement, score, tests }) => format!("{judgement:?} {score:?} {tests:?}"),
            Err(why) => why.to_string(),
        };
        assert_eq!(got, expect, "{body}");
    }

    fn reply(action: &str, score: &str) -> String {
        let symbols = r#"{"LIGHT":{"name":"LIGHT","score":0.1,"options":["x"]},"GTUBE":{"score":9},"MIME_GOOD":{"score":-1}}"#;
        format!(
            r#"{{"is_skipped":false,"score":{score},"required_score":15.0,"action":"{action}","symbols":{symbols},"urls":[]}}"#
        )
    }

    #[test]
    fn the_action_decides() {
        let tests = r#"["gtube", "mime_good", "light"]"#;
        check(&reply("add header", "6.25"), None, &format!("Some(Spam) Some(625) {tests}"));
        check(&reply("reject", "16"), None, &format!("Some(Spam) Some(1600) {tests}"));
        check(&reply("no action", "-1.5"), None, &format!("Some(Ham) Some(-150) {tests}"));
        check(&reply("greylist", "4.5"), None, &format!("None Some(450) {tests}"));
        check(&reply("soft reject", "1"), None, &format!("None Some(100) {tests}"));
    }

    #[test]
    fn an_own_mark_goes_before_the_action() {
        let tests = r#"["gtube", "mime_good", "light"]"#;
        check(&reply("no action", "3.5"), Some(350), &format!("Some(Spam) Some(350) {tests}"));
        check(&reply("no action", "3.4"), Some(350), &format!("Some(Ham) Some(340) {tests}"));
        check(&reply("add header", "7"), Some(900), &format!("None Some(700) {tests}"));
    }

    #[test]
    fn a_message_that_was_let_through_unseen_has_no_judgement() {
        check(r#"{"is_skipped":true,"score":0.0,"action":"no action"}"#, None, "None Some(0) []");
        check(r#"{"is_skipped":true,"score":15,"action":"reject"}"#, None, "Some(Spam) Some(1500) []");
    }

    #[test]
    fn what_is_no_reply_is_no_answer() {
        for body in [
            "",
            "<html>",
            "[]",
            r#"{"score":"high","action":"reject"}"#,
            r#"{"score":1e999,"action":"reject"}"#,
            r#"{"score":1,"action":"explode"}"#,
            r#"{"score":1}"#,
            r#"{"score":1,"action":"reject","symbols":[1,2]}"#,
        ] {
            let got = judgement(body.as_bytes(), None);
            assert!(matches!(got, Err(Unknown::Garbled(_))), "{body:.80}: {got:?}");
        }
    }

    #[test]
    fn what_we_do_not_read_may_be_as_deep_as_it_likes() {
        let deep = "[".repeat(400_000) + &"]".repeat(400_000);
        check(&format!(r#"{{"urls":{deep},"score":1,"action":"reject"}}"#), None, "Some(Spam) Some(100) []");
    }

    #[test]
    fn no_more_symbols_are_kept_than_an_exhibit_names() {
        let many: Vec<String> = (0..40_000).map(|i| format!(r#""S{i}":{{"score":{i}}}"#)).collect();
        let body = format!(r#"{{"score":1,"action":"reject","symbols":{{{}}}}}"#, many.join(","));
        assert_eq!(judgement(body.as_bytes(), None).unwrap().tests.len(), TESTS_MAX);
    }

    #[test]
    fn nothing_from_the_envelope_ends_a_field() {
        let mut letter = letter("Subject: hello\r\n\r\n");
        letter.sender = b"a\r\nSettings-ID: none\r\n\r\n\0@example.org".to_vec();
        letter.recipients = vec![vec![b'x'; 5000]; 5000];
        letter.queue_id = "Ü".as_bytes().to_vec();
        let fields = envelope(&letter);
        let from = fields.iter().find(|(name, _)| *name == "from").unwrap();
        assert_eq!(from.1.as_bytes(), b"<a??Settings-ID: none?????@example.org>");
        assert!(fields.len() <= RECIPIENTS_MAX + 10, "{}", fields.len());
        assert!(fields.iter().all(|(_, value)| value.len() <= VALUE_LEN_MAX));
    }
}
