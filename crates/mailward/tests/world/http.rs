//! A GET over HTTP/1.1, on this machine.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::PATIENCE;

/// Fetches a link to this machine: status and body.
#[track_caller]
pub(crate) fn get(link: &str) -> (u16, String) {
    let rest = link.strip_prefix("http://").unwrap_or_else(|| panic!("expected http, but got {link}"));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let stream = TcpStream::connect(host).unwrap_or_else(|e| panic!("{host}: {e}"));
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    ask(stream, host, path)
}

/// Fetches a path from a server that has been reached.
#[track_caller]
pub(crate) fn ask(mut stream: impl Read + Write, host: &str, path: &str) -> (u16, String) {
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("the server listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in time");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    (status.unwrap_or_else(|| panic!("no status in {answer}")), body.unwrap_or_default())
}
