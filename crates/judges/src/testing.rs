//! Letters for tests.

use model::Name;
use model::letter::{Field, Letter};
use model::observation::{Client, Rdns};
use model::time::Millis;

/// A letter from `mail.example.org [192.0.2.25]` with this header and body, CRLF line ends.
pub(crate) fn letter(message: &str) -> Letter {
    let (head, body) = message.split_once("\r\n\r\n").unwrap_or((message, ""));
    let fields = head.replace("\r\n\t", "\0\t").replace("\r\n ", "\0 ");
    let field = |line: &str| {
        let (name, value) = line.split_once(':').expect("name: value");
        Field { name: name.into(), value: value.replace('\0', "\r\n").into() }
    };
    Letter {
        began: Millis::from_secs(1_795_297_174),
        at: Millis::from_secs(1_795_297_174),
        session: 1,
        client: Client {
            addr: "192.0.2.25".parse().unwrap(),
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
        sender: b"alice@example.org".to_vec(),
        recipients: vec![b"bob@example.net".to_vec()],
        recipients_more: 0,
        fields: fields.split("\r\n").filter(|line| !line.is_empty()).map(field).collect(),
        fields_whole: true,
        body_len: body.len() as u64,
        body: body.into(),
        body_hash: None,
    }
}
