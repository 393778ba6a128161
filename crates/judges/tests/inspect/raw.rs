//! Letters from raw bytes, however broken.

use model::Name;
use model::letter::{Field, Letter};
use model::observation::{Client, Rdns};
use model::time::Millis;

/// A letter from bytes as a sensor would give it: lines ended by CRLF, fields apart, whatever
/// is no field left out. The envelope sender is that of Return-Path, or of an mbox line.
pub(crate) fn letter(raw: &[u8]) -> Letter {
    let (top, body) = split(raw);
    let mut fields: Vec<Field> = Vec::new();
    for line in lines(top) {
        match (line.first(), line.iter().position(|byte| *byte == b':'), fields.last_mut()) {
            (Some(b' ' | b'\t'), _, Some(last)) => {
                last.value.extend_from_slice(b"\r\n");
                last.value.extend_from_slice(line);
            }
            (Some(_), Some(at), _) if at > 0 && !line[..at].contains(&b' ') => {
                fields.push(Field { name: line[..at].to_vec(), value: line[at + 1..].to_vec() });
            }
            _ => {}
        }
    }
    let path =
        fields.iter().find(|field| field.is("Return-Path")).map(|field| field.value.trim_ascii().to_vec());
    let mut body: Vec<u8> = lines(body).flat_map(|line| [line, b"\r\n"].concat()).collect();
    body.truncate(body.len().saturating_sub(2));
    make(fields, body, bare(&path.unwrap_or_else(|| b"alice@example.org".to_vec())))
}

fn bare(path: &[u8]) -> Vec<u8> {
    let path = path.strip_prefix(b"<").unwrap_or(path);
    path.strip_suffix(b">").unwrap_or(path).to_vec()
}

fn make(fields: Vec<Field>, body: Vec<u8>, sender: Vec<u8>) -> Letter {
    Letter {
        began: Millis::from_secs(1_795_297_174),
        at: Millis::from_secs(1_795_297_174),
        session: 1,
        client: Client {
            addr: "192.0.2.25".parse().expect("an address"),
            port: 41822,
            helo: Some(Name::new(b"mail.example.org")),
            rdns: Rdns::Confirmed(Name::new(b"mail.example.org")),
            authenticated: false,
        },
        through: None,
        mx: Name::new(b"mx.example.net"),
        queue_id: b"4T9K".to_vec(),
        protocol: b"ESMTP".to_vec(),
        tls: None,
        sender,
        recipients: vec![b"bob@example.net".to_vec()],
        recipients_more: 0,
        fields,
        fields_whole: true,
        body_len: body.len() as u64,
        body,
        body_hash: None,
    }
}

/// Header section and body.
fn split(raw: &[u8]) -> (&[u8], &[u8]) {
    let mut start = 0;
    while start < raw.len() {
        let end = raw[start..].iter().position(|byte| *byte == b'\n').map_or(raw.len(), |at| start + at + 1);
        if raw[start..end].trim_ascii_end().is_empty() {
            return (&raw[..start], &raw[end..]);
        }
        start = end;
    }
    (raw, &[])
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}
