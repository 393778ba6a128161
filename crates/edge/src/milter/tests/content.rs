//! Header and body: what the inspector gets to see of them.

use model::letter::{FIELDS_LEN_MAX, Field, RECIPIENTS_MAX, Tls};
use sha2::{Digest, Sha256};

use super::*;

fn field(name: &str, value: &str) -> Field {
    Field { name: name.into(), value: value.into() }
}

#[test]
fn a_letter_holds_all_that_was_said() {
    let stage = Stage::new();
    let mut mta = stage.unix();
    mta.greet("192.0.2.25");
    mta.macros(b'H', &[("{tls_version}", "TLSv1.3"), ("{cipher}", "TLS_AES_256_GCM_SHA384")]);
    mta.step(Command::Helo(b"client.example.net"));
    mta.step(Command::Mail { path: b"<A@example.net>", parameters: b"SIZE=7\0" });
    assert_eq!(mta.rcpt("<b@example.org>"), "continue");
    assert_eq!(mta.rcpt("c@example.org"), "continue");
    stage.clock.advance(model::Secs(3)).unwrap();
    mta.field("Subject", "  two\n\tlines\r\n and three");
    mta.field("X-Empty", "");
    mta.step(Command::Body(b"hel"));
    mta.step(Command::Body(b"lo\r\n"));
    assert_eq!(mta.end(), ["continue"]);
    let letter = stage.keeps.letter();
    let expect = Letter {
        began: NOW,
        at: NOW.plus(model::Secs(3)),
        session: stage.heard(1)[0].session,
        client: letter.client.clone(),
        through: None,
        mx: Name::new(b"mx.example.org"),
        queue_id: b"4T9K2x1z".to_vec(),
        protocol: b"ESMTPS".to_vec(),
        tls: Some(Tls { version: b"TLSv1.3".to_vec(), cipher: b"TLS_AES_256_GCM_SHA384".to_vec() }),
        sender: b"A@example.net".to_vec(),
        recipients: vec![b"b@example.org".to_vec(), b"c@example.org".to_vec()],
        recipients_more: 0,
        fields: vec![field("Subject", "  two\r\n\tlines\r\n and three"), field("X-Empty", "")],
        fields_whole: true,
        body: b"hello\r\n".to_vec(),
        body_len: 7,
        body_hash: Some(Sha256::digest(b"hello\r\n").into()),
    };
    assert_eq!(letter, expect);
    assert_eq!(letter.client.helo, Some(Name::new(b"client.example.net")));
    assert_eq!((letter.client.port, letter.client.addr.to_string().as_str()), (40001, "192.0.2.25"));
}

#[test]
fn without_the_space_behind_the_colon_there_is_one() {
    let stage = Stage::new();
    let mut mta = stage.unix();
    mta.agree(OLD);
    mta.connect("192.0.2.25");
    mta.mail("<a@example.net>");
    mta.rcpt("<b@example.org>");
    mta.field("Subject", "hello");
    assert_eq!(mta.end(), ["continue"]);
    let letter = stage.keeps.letter();
    assert_eq!(letter.fields, [field("Subject", " hello")]);
    assert_eq!((letter.protocol, letter.body_len), (b"SMTP".to_vec(), 0));
}

#[test]
fn a_body_that_need_not_be_answered_is_read_to_its_end_and_held_to_its_limit() {
    let stage = Stage::with(|config| config.body_max = 100);
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    mta.rcpt("<b@example.org>");
    for _ in 0..3 {
        assert_eq!(mta.step(Command::Body(&[b'x'; 70])), "");
    }
    assert_eq!(mta.end(), ["continue"]);
    let letter = stage.keeps.letter();
    assert_eq!((letter.body.len(), letter.body_len, letter.is_whole()), (100, 210, false));
    assert_eq!(letter.body_hash, Some(Sha256::digest([b'x'; 210]).into()));
}

#[test]
fn the_rest_of_a_body_that_must_be_answered_is_skipped() {
    let stage = Stage::with(|config| config.body_max = 100);
    let mut mta = stage.unix();
    mta.agree(Offer { version: 6, actions: Actions(0), protocol: Protocol::SKIP });
    mta.connect("192.0.2.25");
    mta.mail("<a@example.net>");
    mta.rcpt("<b@example.org>");
    assert_eq!(mta.step(Command::Body(&[b'x'; 100])), "continue");
    assert_eq!(mta.step(Command::Body(b"x")), "skip");
    assert_eq!(mta.end(), ["continue"]);
    let letter = stage.keeps.letter();
    assert_eq!((letter.body.len(), letter.is_whole(), letter.body_hash), (100, false, None));
}

#[test]
fn the_last_piece_may_come_with_the_end() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    mta.rcpt("<b@example.org>");
    mta.step(Command::Body(b"hel"));
    assert_eq!(mta.step(Command::EndOfBody(b"lo")), "continue");
    let letter = stage.keeps.letter();
    assert_eq!(
        (letter.body.as_slice(), letter.body_hash),
        (&b"hello"[..], Some(Sha256::digest(b"hello").into()))
    );
}

#[test]
fn a_header_is_held_to_its_limit_and_never_with_a_gap() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    mta.rcpt("<b@example.org>");
    let long = "x".repeat(1000);
    for _ in 0..80 {
        mta.field("X-Long", &long);
    }
    mta.field("X-Short", "x");
    assert_eq!(mta.end(), ["continue"]);
    let letter = stage.keeps.letter();
    assert_eq!((letter.fields.len(), letter.fields_whole), (FIELDS_LEN_MAX / 1009, false));
    assert!(letter.first("X-Short").is_none());
}

#[test]
fn recipients_are_held_to_their_limit_and_counted() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    mta.mail("<a@example.net>");
    for at in 0..RECIPIENTS_MAX + 3 {
        assert_eq!(mta.rcpt(&format!("<b{at}@example.org>")), "continue");
    }
    mta.content();
    let letter = stage.keeps.letter();
    assert_eq!((letter.recipients.len(), letter.recipients_more), (RECIPIENTS_MAX, 3));
}

#[test]
fn all_messages_together_have_one_limit_and_give_it_back() {
    let stage = Stage::with(|config| config.held_max = 1000);
    let mut held = stage.greeted();
    held.mail("<a@example.net>");
    held.rcpt("<b@example.org>");
    held.step(Command::Body(&[b'x'; 900]));
    held.flush();
    wait_for(|| stage.counters().commands == 7);
    let mut other = stage.greeted();
    let send = |mta: &mut Mta<UnixStream>| {
        mta.mail("<a@example.net>");
        mta.rcpt("<b@example.org>");
        mta.step(Command::Body(&[b'y'; 200]));
        assert_eq!(mta.end(), ["continue"]);
    };
    send(&mut other);
    let letter = stage.keeps.letter();
    assert_eq!((letter.body.len(), letter.body_len, stage.counters().crowded), (0, 200, 1));
    assert_eq!(letter.body_hash, Some(Sha256::digest([b'y'; 200]).into()));
    // The one gives up, and there is room again.
    held.step(Command::Abort);
    held.flush();
    wait_for(|| stage.counters().commands == 17);
    send(&mut other);
    assert_eq!(stage.keeps.letters()[1].body.len(), 200);
}

#[test]
fn an_abort_leaves_nothing_of_a_message_behind() {
    let stage = Stage::new();
    let mut mta = stage.greeted();
    mta.mail("<old@example.net>");
    mta.rcpt("<old@example.org>");
    mta.field("X-Old", "x");
    mta.step(Command::Body(b"old"));
    mta.step(Command::Abort);
    assert_eq!(mta.message(), ["continue"]);
    let letter = stage.keeps.letter();
    assert_eq!(
        (letter.sender.as_slice(), letter.body.as_slice()),
        (&b"a@example.net"[..], &b"hello\r\n"[..])
    );
    assert_eq!((letter.recipients.len(), letter.fields.len()), (1, 1));
    // A message that has come to its end leaves nothing behind either.
    assert_eq!(mta.end(), ["continue"]);
    assert_eq!(stage.keeps.letters().len(), 1);
}
