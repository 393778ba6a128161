//! A resolver on loopback in whose world nobody may send: every name has the SPF record
//! `v=spf1 -all`, and nothing else exists (RFC 1035 §4); but answers to a domain of which the
//! first label is `bogus` would go to `localhost`.

use std::net::UdpSocket;

/// Its one record.
const SPF: &[u8] = b"\x0bv=spf1 -all";
/// The preference and the name of the server of such a domain.
const LOCALHOST: &[u8] = b"\x00\x0a\x09localhost\x00";
/// The types of texts and of mail servers.
const TXT: [u8; 2] = [0, 16];
const MX: [u8; 2] = [0, 15];

/// Starts it; where it listens. It ends with the test.
pub(crate) fn start() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            let _ = socket.send_to(&answer(&query[..length]), from);
        }
    });
    addr
}

fn answer(query: &[u8]) -> Vec<u8> {
    // The question: labels up to an empty one, then type and class.
    let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap_or(0) + 5;
    let (kind, name) = (&query[end - 4..end - 2], &query[12..end]);
    let data = match kind {
        kind if kind == TXT && name[1] != b'_' => Some(SPF),
        kind if kind == MX && name.starts_with(b"\x05bogus") => Some(LOCALHOST),
        _ => None,
    };
    let mut answer = query[..end].to_vec();
    // A response, recursion available; without the record there is no such name.
    answer[2] |= 0x80;
    answer[3] = if data.is_some() { 0x80 } else { 0x83 };
    answer[6..12].copy_from_slice(&[0, u8::from(data.is_some()), 0, 0, 0, 0]);
    if let Some(data) = data {
        // The name of the question; for a minute.
        answer.extend_from_slice(&[0xc0, 12, 0, kind[1], 0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
        answer.extend_from_slice(data);
    }
    answer
}
