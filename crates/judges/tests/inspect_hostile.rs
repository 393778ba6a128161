//! Input made to hurt: every test ends because work is limited, not because a clock says so.

#![allow(clippy::unwrap_used, reason = "what a test makes or reads itself is there")]

use std::io::{Cursor, Write as _};

use judges::inspect::budget::{DEPTH_MAX, EXPANDED_MAX, MEMBERS_MAX};
use judges::inspect::parts::{HEADS_LEN_MAX, NESTING_MAX, PARTS_MAX};
use judges::inspect::{Fault, Inspected, Limit, Rules, inspect};
use model::content::Danger;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use letters::archives::*;
use letters::{letter, mail};

#[path = "inspect/mod.rs"]
mod letters;

fn look(raw: &[u8]) -> Inspected {
    inspect(&letter(raw), &Rules::default())
}

fn attached(name: &str, bytes: &[u8]) -> Inspected {
    inspect(&mail("hello", "see attached", &[(name, bytes)]), &Rules::default())
}

/// A limit of MIME: the rest is unknown, and the message goes on.
#[track_caller]
fn check_unseen(raw: &str, limit: Limit) {
    let found = look(raw.as_bytes());
    assert_eq!((found.stopped, found.danger), (Some(limit), Danger::Score));
    assert!(found.faults.contains(&Fault::Unseen));
}

#[track_caller]
fn check_bomb(name: &str, bytes: &[u8], limit: Limit) {
    let found = attached(name, bytes);
    assert_eq!((found.stopped, found.danger), (Some(limit), Danger::Refused), "{:?}", found.faults);
    assert!(found.faults.contains(&Fault::Bomb));
}

#[test]
fn ten_thousand_multiparts_inside_each_other() {
    let open = |n: usize| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n");
    let raw: String = (0..10_000).map(open).collect();
    check_unseen(&raw, Limit::Nesting);
}

#[test]
fn ten_thousand_messages_inside_each_other() {
    check_unseen(&"Content-Type: message/rfc822\n\n".repeat(10_000), Limit::Nesting);
}

#[test]
fn messages_packed_in_messages() {
    let mut raw = "Subject: x\n\nhello".to_owned();
    for _ in 0..=NESTING_MAX {
        let packed = letters::base64(raw.as_bytes());
        raw = format!("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{packed}");
    }
    check_unseen(&raw, Limit::Nesting);
}

#[test]
fn what_is_nested_as_deep_as_allowed_is_seen() {
    let mut raw = String::new();
    for n in 0..NESTING_MAX - 1 {
        raw += &format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n");
    }
    raw += "Content-Type: application/octet-stream; name=a.exe\n\nx";
    let found = look(raw.as_bytes());
    assert_eq!((found.stopped, found.danger), (None, Danger::Refused));
}

#[test]
fn a_hundred_thousand_parts() {
    let raw = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(100_000));
    check_unseen(&raw, Limit::Parts);
    let few = format!(
        "Content-Type: multipart/mixed; boundary=b\n\n{}",
        "--b\n\nx\n".repeat(PARTS_MAX as usize - 1)
    );
    assert_eq!(look(few.as_bytes()).stopped, None);
}

#[test]
fn boundaries_that_never_come_or_are_empty_or_endless() {
    for boundary in ["never", "", " ", &"b".repeat(100_000), "\"", "\0", "--"] {
        let raw = format!(
            "Content-Type: multipart/mixed; boundary=\"{boundary}\"\n\n--\n----\n{}",
            "--bb\n".repeat(10_000)
        );
        assert_eq!(look(raw.as_bytes()).danger, Danger::None, "{}", &boundary[..boundary.len().min(9)]);
    }
}

#[test]
fn a_hundred_megabytes_without_a_line_end() {
    let mut found = letter(b"Subject: x\n\n");
    found.body = vec![b'x'; 100 * 1024 * 1024];
    found.body_len = found.body.len() as u64;
    let found = inspect(&found, &Rules::default());
    assert_eq!((found.danger, found.text), (Danger::None, None));
}

#[test]
fn a_field_of_a_megabyte_and_ten_thousand_parameters() {
    let long = "x".repeat(1024 * 1024);
    let many: String = (0..10_000).map(|n| format!("; name*{n}=x")).collect();
    let words = "=?utf-8?B?YQ==?= ".repeat(50_000);
    for value in [long.as_str(), &many, &"; name=a".repeat(50_000), &words] {
        let part = format!("--b\nContent-Type: application/x{value}\n\nx\n");
        let raw = format!("Content-Type: multipart/mixed; boundary=b\n\n{}--b--\n", part.repeat(3));
        let limit = Some(Limit::Fields).filter(|_| value.len() * 3 > HEADS_LEN_MAX);
        assert_eq!(look(raw.as_bytes()).stopped, limit);
        assert_eq!(look(format!("Subject: {value}\n\n").as_bytes()).stopped, None);
    }
}

#[test]
fn object_streams_of_many_documents() {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&vec![0; 16 * 1024 * 1024]).unwrap();
    let pdf =
        [b"%PDF-1.5 5 0 obj << /Type /ObjStm >>\nstream\n".as_slice(), &packed.finish().unwrap()].concat();
    let found = inspect(&mail("hello", "x", &[("a.pdf", pdf.as_slice()); 5]), &Rules::default());
    assert_eq!((found.stopped, found.danger), (Some(Limit::Documents), Danger::Score));
}

#[test]
fn a_document_that_holds_itself() {
    let deep = (0..20).fold(b"x".to_vec(), |inner, _| word(&[("word/embeddings/a.docx", &inner)]));
    check_bomb("a.docx", &deep, Limit::Depth);
}

#[test]
fn zeros_everywhere() {
    for raw in
        ["\0\0\0\0", "Content-Type: \0\0\n\n\0", "Content-Type: multipart/mixed; boundary=\0\n\n--\0\n\n\0\n"]
    {
        assert_eq!(look(raw.as_bytes()).danger, Danger::None);
    }
    let raw = "Content-Type: application/octet-stream; name=\"a.exe\0.txt\"\n\nx";
    assert_eq!(look(raw.as_bytes()).danger, Danger::Refused);
}

#[test]
fn transfer_encodings_that_are_broken_are_read_as_mail_programs_do() {
    let packed = letters::base64(&program());
    let broken = packed.replace('\n', "!\n*");
    for body in [packed.as_str(), &broken, packed.trim_end_matches(['=', '\n'])] {
        let raw =
            format!("Content-Type: application/x; name=a.bin\nContent-Transfer-Encoding: BASE64\n\n{body}");
        assert_eq!(look(raw.as_bytes()).danger, Danger::Refused, "{body}");
    }
    let quoted: String = program().iter().map(|byte| format!("={byte:02x}")).collect();
    for body in [quoted.clone(), format!("{quoted}=ZZ"), format!("={quoted}")] {
        let raw = format!(
            "Content-Type: application/x; name=a.bin\nContent-Transfer-Encoding: quoted-printable\n\n{body}"
        );
        assert_eq!(look(raw.as_bytes()).danger == Danger::Refused, !body.starts_with("=="), "{body}");
    }
}

fn zeros(len: u64) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file("zeros", SimpleFileOptions::default()).unwrap();
    let block = vec![0; 1024 * 1024];
    for _ in 0..len / block.len() as u64 {
        writer.write_all(&block).unwrap();
    }
    writer.write_all(&block[..(len % block.len() as u64) as usize]).unwrap();
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_hundred_megabytes_of_zeros_in_a_zip_in_a_zip() {
    let bomb = zeros(EXPANDED_MAX);
    check_bomb("a.zip", &bomb, Limit::Ratio);
    check_bomb("a.zip", &zip(&[("b.zip", &bomb)]), Limit::Expanded);
    // What the outer archives expand to counts too.
    check_bomb("a.zip.gz", &gzip(&zip(&[("b.zip", &bomb)])), Limit::Expanded);
}

#[test]
fn more_than_is_allowed_by_the_directory_alone() {
    check_bomb("a.zip", &zeros(EXPANDED_MAX + 1), Limit::Expanded);
}

#[test]
fn a_stream_and_an_archive_of_zeros() {
    let zeros = vec![0; 20 * 1024 * 1024];
    check_bomb("a.gz", &gzip(&zeros), Limit::Ratio);
    check_bomb("a.7z", &seven(&[("zeros", &zeros)]), Limit::Ratio);
    let inside = zip(&[("zeros", &zeros)]);
    check_bomb("a.docx", &word(&[("word/embeddings/a.zip", &inside)]), Limit::Ratio);
}

#[test]
fn many_members_that_expand_together() {
    // Each has a ratio that is allowed; all together are too much.
    let mut noise = Vec::new();
    for n in 0..100_u32 {
        noise.extend((n * 256..(n + 1) * 256).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()));
        noise.resize(noise.len() + 40 * 1024, 0);
    }
    let names: Vec<String> = (0..27).map(|n| format!("{n}.bin")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), noise.as_slice())).collect();
    check_bomb("a.zip", &zip(&members), Limit::Expanded);
    check_bomb("a.tgz", &gzip(&tar(&members)), Limit::Expanded);
}

#[test]
fn a_directory_that_lies_about_sizes() {
    let mut bomb = zeros(40 * 1024 * 1024);
    for (magic, at) in [(b"PK\x03\x04", 22), (b"PK\x01\x02", 24)] {
        let place = (0..bomb.len()).find(|place| bomb[*place..].starts_with(magic)).unwrap();
        bomb[place + at..place + at + 4].copy_from_slice(&10_u32.to_le_bytes());
    }
    // The library stops at what the directory says, or the budget at what was read: either
    // way nothing grows.
    let found = attached("a.zip", &bomb);
    assert!(found.stopped.is_none_or(Limit::is_bomb));
}

#[test]
fn members_that_overlap() {
    // One stream of data with a thousand entries in the directory (Fifield 2019).
    let one = zeros(1024 * 1024);
    let at = (0..one.len()).find(|at| one[*at..].starts_with(b"PK\x01\x02")).unwrap();
    let end = (0..one.len()).find(|at| one[*at..].starts_with(b"PK\x05\x06")).unwrap();
    let mut bomb = one[..at].to_vec();
    for n in 0..900_u32 {
        let mut entry = one[at..end].to_vec();
        // ‘zeros’ gets another name each time.
        entry[46..51].copy_from_slice(format!("{n:05}").as_bytes());
        bomb.extend_from_slice(&entry);
    }
    let len = (bomb.len() - at) as u32;
    let mut tail = one[end..].to_vec();
    tail[8..10].copy_from_slice(&900_u16.to_le_bytes());
    tail[10..12].copy_from_slice(&900_u16.to_le_bytes());
    tail[12..16].copy_from_slice(&len.to_le_bytes());
    bomb.extend_from_slice(&tail);
    let found = attached("a.zip", &bomb);
    assert_eq!(found.danger, Danger::Refused, "{:?} {:?}", found.stopped, found.faults);
}

#[test]
fn an_archive_that_holds_itself() {
    // A quine would go on for ever; four copies inside each other show the same.
    let mut inner = b"x".to_vec();
    for _ in 0..=DEPTH_MAX {
        inner = zip(&[("r.zip", &inner)]);
    }
    check_bomb("r.zip", &inner, Limit::Depth);
    let deep = (0..DEPTH_MAX).fold(program(), |inner, _| zip(&[("r.bin", &inner)]));
    let found = attached("r.zip", &deep);
    assert_eq!((found.stopped, found.danger), (None, Danger::Refused));
}

#[test]
fn more_members_than_are_allowed() {
    let names: Vec<String> = (0..=MEMBERS_MAX).map(|n| format!("{n}.txt")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    for (name, bytes) in [
        ("a.zip", zip(&members)),
        ("a.tar", tar(&members)),
        ("a.7z", seven(&members)),
        ("a.rar", rar_4(&members, 0, 0x33)),
        ("a.rar", rar_5(&members, &[], 3)),
        ("a.cab", cab(&names.iter().map(String::as_str).collect::<Vec<_>>())),
    ] {
        check_bomb(name, &bytes, Limit::Members);
    }
    let found = attached("a.zip", &zip(&members[1..]));
    assert_eq!((found.stopped, found.danger), (None, Danger::None));
}

#[test]
fn a_directory_of_a_million_entries_is_not_given_to_the_library() {
    let found = attached("a.zip", &[b"PK\x03\x04".to_vec(), b"PK\x01\x02".repeat(1_000_000)].concat());
    assert_eq!(found.stopped, None);
}

#[test]
fn archives_cut_off_anywhere_are_read_as_far_as_they_go() {
    let bad: [(&str, &[u8]); 2] = [("setup.exe", &program()), ("b.txt", b"hello")];
    for (name, bytes) in [
        ("a.zip", zip(&bad)),
        ("a.7z", seven(&bad)),
        ("a.tar", tar(&bad)),
        ("a.gz", gzip(&program())),
        ("a.rar", rar_4(&bad, 0, 0x33)),
        ("a.rar", rar_5(&bad, &[], 3)),
        ("a.cab", cab(&["setup.exe", "b.txt"])),
        ("a.doc", with_macro("AutoOpen")),
        ("a.docm", word(&[("word/vbaProject.bin", b"x")])),
    ] {
        for len in (0..bytes.len()).step_by(1 + bytes.len() / 200) {
            let found = attached(name, &bytes[..len]);
            assert_eq!(found.stopped, None, "{name} cut at {len}");
        }
    }
    // The name of the first member of a zip stands before everything that was cut.
    let cut = zip(&bad);
    assert_eq!(attached("a.zip", &cut[..cut.len() - 30]).danger, Danger::Refused);
}

#[test]
fn a_7z_that_claims_a_long_list_or_none() {
    let start = |offset: u64, len: u64| {
        [
            b"7z\xbc\xaf\x27\x1c\0\x04\x01\x02\x03\x04".as_slice(),
            &offset.to_le_bytes(),
            &len.to_le_bytes(),
            &[0; 4],
        ]
        .concat()
    };
    check_bomb("a.7z", &start(0, u64::MAX), Limit::Members);
    for bytes in [
        start(u64::MAX, 10),
        start(0, 10),
        b"7z\xbc\xaf\x27\x1c\0\x04".iter().copied().chain([0; 4096]).collect(),
    ] {
        assert_eq!(attached("a.7z", &bytes).danger, Danger::None);
    }
    // A list that claims to unpack to a gigabyte.
    let list = b"\x17\x06\0\x01\x09\x20\0\x07\x0b\x01\0\x01\x21\x21\x01\x18\x0c\xf0\0\0\0\x40\0\0";
    check_bomb("a.7z", &[start(0, list.len() as u64), list.to_vec()].concat(), Limit::Members);
}

#[test]
fn a_chain_of_sectors_that_has_no_end() {
    let mut file = ole(&[("/Workbook", &[7; 20_000])], None);
    // Every word that could be a link points to the first sector.
    for word in file[512..].chunks_exact_mut(4) {
        if word == b"\xff\xff\xff\xff" || u32::from_le_bytes([word[0], word[1], word[2], word[3]]) < 64 {
            word.copy_from_slice(&0_u32.to_le_bytes());
        }
    }
    assert_eq!(attached("a.xls", &file).stopped, None);
}

#[test]
fn the_same_letter_gives_the_same_answer() {
    let zip = zip(&[("a.exe", &program()), ("b.docm", &word(&[("word/vbaProject.bin", b"x")]))]);
    let letter = mail("Your invoice", "the password is x", &[("a.zip", &encrypted(zip))]);
    let first = inspect(&letter, &Rules::default());
    assert_eq!(inspect(&letter, &Rules::default()), first);
}
