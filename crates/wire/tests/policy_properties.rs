//! What holds for every policy request, wherever the network cuts it.

use proptest::collection::vec;
use proptest::prelude::*;
use wire::policy::{ATTRIBUTES_MAX, encode, split_request};

#[path = "invariants/policy.rs"]
mod invariants;

const NAMES: [&str; 10] = [
    "request",
    "protocol_state",
    "helo_name",
    "sender",
    "recipient",
    "client_address",
    "size",
    "instance",
    "tls_sni",
    "",
];

fn value() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>().prop_filter("a value has no newline", |byte| *byte != b'\n'), 0..40)
}

fn attributes() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    vec((prop::sample::select(&NAMES[..]), value()), 0..ATTRIBUTES_MAX)
}

fn encoded(attributes: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let borrowed: Vec<(&str, &[u8])> = attributes.iter().map(|(name, value)| (*name, &value[..])).collect();
    let mut out = Vec::new();
    encode(&borrowed, &mut out).expect("names and values are within the syntax");
    out
}

/// Bytes in which lines, empty lines and equals signs are not rare.
fn junk() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(b'\n'), Just(b'='), Just(b'\r'), any::<u8>()], 0..200)
}

proptest! {
    #[test]
    fn what_was_written_is_read(attributes in attributes(), behind in junk()) {
        let input = [encoded(&attributes), behind.clone()].concat();
        let (request, rest) = split_request(&input)?.expect("whole");
        let first = |name| attributes.iter().find(|(n, _)| *n == name).map_or(&[][..], |(_, value)| value);
        prop_assert_eq!(request.helo_name, first("helo_name"));
        prop_assert_eq!(request.sender, first("sender"));
        prop_assert_eq!(request.recipient, first("recipient"));
        prop_assert_eq!(request.client_address_raw, first("client_address"));
        prop_assert_eq!(request.instance, first("instance"));
        prop_assert_eq!(rest, &behind[..]);
    }

    #[test]
    fn a_request_is_there_with_its_last_byte_and_not_before(attributes in attributes()) {
        let input = encoded(&attributes);
        for end in 0..input.len() {
            prop_assert_eq!(split_request(&input[..end]), Ok(None), "cut at {}", end);
        }
        prop_assert!(matches!(split_request(&input), Ok(Some((_, [])))));
    }

    #[test]
    fn what_is_once_said_of_junk_is_said_of_more_of_it(input in junk()) {
        invariants::check(&input);
        let settled = (0..=input.len()).map(|end| split_request(&input[..end])).find(|told| *told != Ok(None));
        match (settled, split_request(&input)) {
            (None, told) => prop_assert_eq!(told, Ok(None)),
            (Some(Ok(early)), Ok(late)) => prop_assert_eq!(early.map(|(r, _)| r), late.map(|(r, _)| r)),
            (Some(early), late) => prop_assert_eq!(early, late),
        }
    }
}
