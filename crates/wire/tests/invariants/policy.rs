//! What must hold for `split_request` whatever the bytes are.
//!
//! Shared by the property tests, the seeded mutations and the fuzz target. The oracle
//! is the same protocol written without any care for speed.

use wire::policy::{ATTRIBUTES_MAX, LINE_LEN_MAX, REQUEST_LEN_MAX, Request, RequestError, split_request};

/// What became of some input, without the data.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Outcome {
    /// Not all there yet.
    More,
    /// A request of so many bytes.
    Request(usize),
    /// A request of so many bytes, with a line that has no `=`.
    NotAnAttribute(usize),
    LineTooLong,
    RequestTooLong,
    TooManyAttributes,
}

/// Holds `split_request` against the oracle and against itself.
pub(crate) fn check(input: &[u8]) -> Outcome {
    let told = split_request(input);
    let outcome = outcome_of(input, &told);
    assert_eq!(outcome, oracle(input), "{}", input.escape_ascii());
    match (&outcome, &told) {
        (Outcome::More, _) => check_more(input),
        (Outcome::Request(len), Ok(Some((request, rest)))) => {
            assert!(std::ptr::eq(*rest, &raw const input[*len..]), "the rest is the input's own end");
            check_values(&input[..*len], request);
            check_whole(input, *len);
        }
        (Outcome::NotAnAttribute(len), _) => check_whole(input, *len),
        _ => assert_eq!(told, split_request(&[input, b"\n\n"].concat()), "a limit once passed stays passed"),
    }
    if let Err(error) = told {
        check_text(&error);
    }
    outcome
}

fn outcome_of(input: &[u8], told: &Result<Option<(Request<'_>, &[u8])>, RequestError>) -> Outcome {
    match told {
        Ok(None) => Outcome::More,
        Ok(Some((_, rest))) => Outcome::Request(input.len() - rest.len()),
        Err(RequestError::NotAnAttribute { request_len, .. }) => Outcome::NotAnAttribute(*request_len),
        Err(RequestError::LineTooLong { .. }) => Outcome::LineTooLong,
        Err(RequestError::RequestTooLong) => Outcome::RequestTooLong,
        Err(RequestError::TooManyAttributes) => Outcome::TooManyAttributes,
        Err(other) => panic!("the oracle does not know {other}"),
    }
}

fn oracle(input: &[u8]) -> Outcome {
    let window = &input[..input.len().min(REQUEST_LEN_MAX)];
    let (mut attributes, mut len, mut all_have_equals) = (0, 0, true);
    for piece in window.split_inclusive(|byte| *byte == b'\n') {
        let line = piece.strip_suffix(b"\n");
        if line.unwrap_or(piece).len() > LINE_LEN_MAX {
            return Outcome::LineTooLong;
        }
        let Some(line) = line else { break };
        len += piece.len();
        if line.is_empty() {
            return if all_have_equals { Outcome::Request(len) } else { Outcome::NotAnAttribute(len) };
        }
        attributes += 1;
        if attributes > ATTRIBUTES_MAX {
            return Outcome::TooManyAttributes;
        }
        all_have_equals &= line.contains(&b'=');
    }
    if window.len() == REQUEST_LEN_MAX { Outcome::RequestTooLong } else { Outcome::More }
}

/// An unfinished request has no empty line, and one empty line finishes it.
fn check_more(input: &[u8]) {
    assert!(!input.starts_with(b"\n") && !input.windows(2).any(|pair| pair == b"\n\n"));
    let closed = [input, b"\n\n"].concat();
    assert_ne!(split_request(&closed), Ok(None), "{}", closed.escape_ascii());
}

/// A whole request is the same with any bytes behind it, and not there without its last.
fn check_whole(input: &[u8], len: usize) {
    let whole = &input[..len];
    assert!(whole == b"\n" || whole.ends_with(b"\n\n"));
    assert_eq!(split_request(&whole[..len - 1]), Ok(None), "{}", whole.escape_ascii());
    let alone = request_of(whole);
    for behind in [b"\n".as_slice(), b"=", b"sender=x\n\n", &input[len..]] {
        assert_eq!(request_of(&[whole, behind].concat()), alone, "{}", whole.escape_ascii());
    }
}

/// The request without its borrow, or the error.
fn request_of(input: &[u8]) -> Result<String, RequestError> {
    split_request(input).map(|found| format!("{:?}", found.map(|(request, _)| request)))
}

fn check_values(whole: &[u8], request: &Request<'_>) {
    for (name, value) in [
        ("request", request.request),
        ("protocol_name", request.protocol_name),
        ("helo_name", request.helo_name),
        ("queue_id", request.queue_id),
        ("sender", request.sender),
        ("recipient", request.recipient),
        ("client_address", request.client_address_raw),
        ("client_name", request.client_name),
        ("reverse_client_name", request.reverse_client_name),
        ("instance", request.instance),
        ("sasl_username", request.sasl_username),
        ("sasl_method", request.sasl_method),
        ("encryption_protocol", request.encryption_protocol),
        ("policy_context", request.policy_context),
        ("server_address", request.server_address),
    ] {
        assert_eq!(value, first(whole, name), "{name} in {}", whole.escape_ascii());
    }
}

/// The first value of that name, or nothing.
fn first<'a>(whole: &'a [u8], name: &str) -> &'a [u8] {
    let start = format!("{name}=");
    whole
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(start.as_bytes()))
        .unwrap_or_default()
}

/// An error can be logged as it is: one line, printable, short.
fn check_text(error: &RequestError) {
    let text = error.to_string();
    assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text}");
    assert!(text.len() < 400, "{text}");
}
