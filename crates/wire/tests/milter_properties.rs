//! What holds for every milter command, wherever the network cuts it.

use invariants::Outcome;
use proptest::collection::vec;
use proptest::prelude::*;
use wire::milter::{
    Actions, Command, NewField, Offer, Peer, Protocol, Reply, ReplyText, Told, split_packet, write_macros,
};

#[path = "invariants/milter.rs"]
mod invariants;

fn text() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>().prop_filter("a text has no NUL", |byte| *byte != 0), 0..60)
}

/// A session's steps, as texts that commands are made from.
fn steps() -> impl Strategy<Value = Vec<(u8, Vec<u8>, Vec<u8>, u32)>> {
    let kind = prop::sample::select(&b"OCHMRTULNBEAQK"[..]);
    vec((kind, text(), text(), any::<u32>()), 0..12)
}

fn command<'a>((kind, one, two, number): &'a (u8, Vec<u8>, Vec<u8>, u32)) -> Command<'a> {
    match kind {
        b'O' => Command::Negotiate(Offer {
            version: *number,
            actions: Actions(number.rotate_left(7)),
            protocol: Protocol(number.rotate_left(13)),
        }),
        b'C' if number % 4 == 0 => Command::Connect { host: one, peer: Peer::Unknown },
        b'C' if number % 4 == 1 => Command::Connect { host: one, peer: Peer::Local(two) },
        b'C' => {
            let v4 = std::net::Ipv4Addr::from_bits(*number);
            let ip = if number % 4 == 2 { v4.into() } else { v4.to_ipv6_compatible().into() };
            Command::Connect { host: one, peer: Peer::Ip(ip, 25) }
        }
        b'H' => Command::Helo(one),
        b'M' => Command::Mail { path: one, parameters: b"" },
        b'R' => Command::Rcpt { path: one, parameters: b"NOTIFY=NEVER\0" },
        b'T' => Command::Data,
        b'U' => Command::Unknown(one),
        b'L' => Command::Field { name: one, value: two },
        b'N' => Command::EndOfHeader,
        b'B' => Command::Body(one),
        b'E' => Command::EndOfBody(two),
        b'A' => Command::Abort,
        b'Q' => Command::Quit,
        _ => Command::QuitNew,
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read_in_its_order(steps in steps()) {
        let mut bytes = Vec::new();
        steps.iter().for_each(|step| command(step).write(&mut bytes));
        let mut rest = bytes.as_slice();
        for step in &steps {
            let (packet, behind) = split_packet(rest)?.expect("whole");
            prop_assert_eq!(Command::read(packet), Ok(command(step)));
            rest = behind;
        }
        prop_assert_eq!(rest, b"");
        invariants::check(&bytes);
    }

    #[test]
    fn a_command_is_there_with_its_last_byte_and_not_before(one in text(), two in text()) {
        let mut bytes = Vec::new();
        Command::Field { name: &one, value: &two }.write(&mut bytes);
        for end in 0..bytes.len() {
            prop_assert_eq!(split_packet(&bytes[..end]), Ok(None));
        }
        prop_assert_eq!(invariants::check(&bytes), Outcome::Command(b'L', bytes.len()));
    }

    #[test]
    fn macros_are_found_by_name(value in text(), other in text()) {
        let mut bytes = Vec::new();
        write_macros(b'R', &[("i", &value), ("{rcpt_addr}", &other)], &mut bytes);
        let (packet, _) = split_packet(&bytes)?.expect("whole");
        let Ok(Command::Macros(list)) = Command::read(packet) else { panic!("no macros") };
        prop_assert_eq!((list.get("i"), list.get("rcpt_addr")), (Some(&value[..]), Some(&other[..])));
    }

    #[test]
    fn any_bytes_at_all_keep_the_invariants(bytes in vec(any::<u8>(), 0..300), len in 0u32..400) {
        invariants::check(&bytes);
        invariants::check(&[&len.to_be_bytes()[..], &bytes].concat());
    }

    #[test]
    fn a_text_reaches_the_client_with_each_percent_sign_doubled(text in "[ -~]{1,300}") {
        let reply = format!("550 5.7.1 {text}");
        prop_assume!(!text.trim().is_empty());
        let made = ReplyText::new(&reply).expect("short enough");
        let mut out = Vec::new();
        Reply::Text(&made).write(&mut out);
        let (packet, _) = split_packet(&out)?.expect("whole");
        let Ok(Told::Text(told)) = Told::read(packet) else { panic!("no text") };
        let told = String::from_utf8(told.to_vec())?;
        prop_assert_eq!(told.replace("%%", "").find('%'), None);
        prop_assert_eq!(told.replace("%%", "%"), made.as_str());
    }

    #[test]
    fn a_field_is_inserted_as_it_was_given(value in "[ -~]{0,100}(\r\n[ \t][ -~]{0,60}){0,3}", at in any::<u32>()) {
        let field = NewField::new(b"X-Mailward", value.as_bytes()).expect("folded ASCII");
        let mut out = Vec::new();
        Reply::Insert { index: at, field: &field, leading_space: false }.write(&mut out);
        let (packet, _) = split_packet(&out)?.expect("whole");
        let lines = value.replace("\r\n", "\n");
        let expect = Told::Insert { index: at, name: b"X-Mailward", value: lines.as_bytes() };
        prop_assert_eq!(Told::read(packet), Ok(expect));
    }
}
