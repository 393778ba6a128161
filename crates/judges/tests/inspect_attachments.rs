//! What is found in attachments: one fact a test.

use judges::inspect::{Fault, Inspected, Macros, Rules, inspect};
use model::content::{Danger, Shape};

use letters::archives::*;
use letters::{letter, mail};

#[path = "inspect/mod.rs"]
mod letters;

fn look(attachments: &[(&str, &[u8])]) -> Inspected {
    inspect(&mail("hello", "see attached", attachments), &Rules::default())
}

#[track_caller]
fn check(name: &str, bytes: &[u8], faults: &[Fault]) {
    let found = look(&[(name, bytes)]);
    assert_eq!(found.faults.iter().copied().collect::<Vec<_>>(), faults, "{name:?}: {:?}", found.attachments);
    assert_eq!(found.danger, faults.iter().map(|fault| fault.danger()).max().unwrap_or_default());
}

/// The listed attachments as `name kind fault`.
fn listed(found: &Inspected) -> Vec<String> {
    let fault = |a: &model::exhibit::Attachment| a.fault.as_ref().map_or(String::new(), |f| format!(" {f}"));
    found.attachments.iter().map(|a| format!("{} {}{}", a.name.escape_ascii(), a.kind, fault(a))).collect()
}

#[test]
fn ordinary_attachments_are_listed_and_have_no_fault() {
    let found =
        look(&[("report.pdf", b"%PDF-1.4 /Pages"), ("photo.jpg", b"\xff\xd8\xff\xe0"), ("notes", b"hello")]);
    assert_eq!(listed(&found), ["report.pdf pdf", "photo.jpg jpg", "notes octet-stream"]);
    assert_eq!((found.danger, found.score, found.stopped), (Danger::None, 0, None));
}

#[test]
fn blocked_types_are_refused_by_name() {
    for ending in "exe scr com pif cpl jar msi".split(' ') {
        check(&format!("a.{ending}"), b"anything", &[Fault::Executable]);
    }
    for ending in "bat cmd js jse vbs vbe wsf hta ps1 reg".split(' ') {
        check(&format!("a.{ending}"), b"anything", &[Fault::Script]);
    }
    check("a.lnk", b"", &[Fault::Shortcut]);
    check("a.one", b"", &[Fault::OneNote]);
    check("a.chm", b"", &[Fault::Help]);
    for ending in ["iso", "img", "vhd"] {
        check(&format!("a.{ending}"), b"anything", &[Fault::DiskImage]);
    }
}

#[test]
fn a_program_is_refused_under_any_name() {
    check("a.txt", &program(), &[Fault::Executable, Fault::LyingType]);
    check("", &program(), &[Fault::Executable]);
}

#[test]
fn the_type_that_a_part_declares_is_not_believed() {
    let raw = format!(
        "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n{}",
        letters::base64(&program())
    );
    let found = inspect(&letter(raw.as_bytes()), &Rules::default());
    assert_eq!(found.faults.into_iter().collect::<Vec<_>>(), [Fault::Executable, Fault::LyingType]);
    let raw = format!("Content-Transfer-Encoding: base64\n\n{}", letters::base64(&program()));
    assert_eq!(inspect(&letter(raw.as_bytes()), &Rules::default()).danger, Danger::Refused);
}

#[test]
fn elf_programs_are_listed_and_not_refused() {
    let found = look(&[("tool", b"\x7fELF\x02\x01\x01\0")]);
    assert_eq!((found.danger, listed(&found)), (Danger::None, vec!["tool elf".into()]));
}

#[test]
fn names_are_read_in_every_spelling_of_the_standards() {
    for disposition in [
        "filename=a.exe",
        "filename=\"a.exe\"",
        "filename=\"=?utf-8?B?YS5leGU=?=\"",
        "filename==?utf-8?Q?a=2Eexe?=",
        "filename*=utf-8''a%2Eexe",
        "filename*0=\"a.\"; filename*1=\"exe\"",
        "filename*0*=utf-8''a; filename*1*=%2Eexe",
        "FILENAME=a.ExE",
        "filename=a.txt; filename=a.exe",
    ] {
        let raw = format!(
            "Content-Type: application/octet-stream\nContent-Disposition: attachment; {disposition}\n\nx"
        );
        let found = inspect(&letter(raw.as_bytes()), &Rules::default());
        assert!(found.danger == Danger::Refused, "{disposition}: {:?}", listed(&found));
    }
    let raw =
        "Content-Type: text/plain; name=\"a.exe\"\nContent-Disposition: attachment; filename=a.txt\n\nx";
    assert_eq!(inspect(&letter(raw.as_bytes()), &Rules::default()).danger, Danger::Refused);
}

#[test]
fn disguised_names_have_their_own_faults() {
    check("invoice.pdf.exe", &program(), &[Fault::Executable, Fault::DoubleExtension]);
    check("invoice\u{202e}fdp.exe", b"", &[Fault::RtlOverride]);
    check("invoice.pdf            .exe", b"", &[Fault::PaddedName]);
    check("a.js::$DATA", b"", &[Fault::Script]);
    check("a.exe. . ", b"", &[Fault::Executable]);
}

#[test]
fn archives_of_every_form_are_looked_into() {
    let bad: [(&str, &[u8]); 2] = [("readme.txt", b"hello"), ("setup.exe", &program())];
    for (name, bytes) in [
        ("a.zip", zip(&bad)),
        ("a.7z", seven(&bad)),
        ("a.tar", tar(&bad)),
        ("a.tar.gz", gzip(&tar(&bad))),
        ("a.tgz", gzip(&tar(&bad))),
        ("a.rar", rar_4(&bad, 0, 0x33)),
        ("a.rar", rar_5(&bad, &[], 3)),
        ("a.cab", cab(&["readme.txt", "setup.exe"])),
        ("setup.exe.gz", gzip(&program())),
        ("unknown", zip(&bad)),
    ] {
        check(name, &bytes, &[Fault::Executable]);
    }
    let good: [(&str, &[u8]); 2] = [("readme.txt", b"hello"), ("a/photo.png", b"\x89PNG\r\n\x1a\n")];
    for (name, bytes) in [
        ("a.zip", zip(&good)),
        ("a.7z", seven(&good)),
        ("a.tar", tar(&good)),
        ("a.tar.gz", gzip(&tar(&good))),
        ("a.rar", rar_4(&good, 0, 0x33)),
        ("a.rar", rar_5(&good, &[], 3)),
        ("a.cab", cab(&["readme.txt", "photo.png"])),
    ] {
        check(name, &bytes, &[]);
    }
}

#[test]
fn members_are_told_by_their_bytes_too() {
    let hidden: [(&str, &[u8]); 1] = [("data.bin", &program())];
    for (name, bytes) in [
        ("a.zip", zip(&hidden)),
        ("a.7z", seven(&hidden)),
        ("a.tar", tar(&hidden)),
        ("a.rar", rar_4(&hidden, 0, 0x30)),
        ("a.rar", rar_5(&hidden, &[], 0)),
    ] {
        check(name, &bytes, &[Fault::Executable]);
    }
}

#[test]
fn members_are_listed_with_their_path() {
    let inner = zip(&[("invoice.pdf.exe", &program())]);
    let found = look(&[("outer.zip", &zip(&[("docs/inner.zip", &inner), ("a.txt", b"x")]))]);
    assert_eq!(
        listed(&found),
        [
            "outer.zip zip",
            "outer.zip/docs/inner.zip zip",
            "outer.zip/docs/inner.zip/invoice.pdf.exe exe double-extension",
            "outer.zip/a.txt txt",
        ]
    );
}

#[test]
fn a_list_that_is_full_still_shows_the_faulty_ones() {
    let names: Vec<String> = (0..80).map(|n| format!("{n}.txt")).chain(["z.exe".into()]).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    let found = look(&[("a.zip", &zip(&members))]);
    assert_eq!(found.attachments.len(), model::exhibit::ATTACHMENTS_MAX);
    assert!(listed(&found).contains(&"a.zip/z.exe exe executable".into()));
}

#[test]
fn encrypted_archives_are_told_from_others() {
    let members: [(&str, &[u8]); 1] = [("invoice.pdf", b"%PDF-")];
    // 7zFormat.txt: an encoded list whose one coder is AES.
    let mut seven =
        b"7z\xbc\xaf\x27\x1c\0\x04\x01\x02\x03\x04\0\0\0\0\0\0\0\0\x12\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    seven.extend_from_slice(b"\x17\x06\0\x01\x09\x20\0\x07\x0b\x01\0\x01\x24\x06\xf1\x07\x01\x00");
    for (name, bytes) in [
        ("a.zip", encrypted(zip(&members))),
        ("a.rar", rar_4(&members, 4, 0x33)),
        ("a.rar", rar_5(&members, b"\x02\x01\0", 3)),
        ("a.rar", b"Rar!\x1a\x07\x01\0\0\0\0\0\x03\x04\0\0".to_vec()),
        ("a.rar", b"Rar!\x1a\x07\0\0\0\x73\x80\0\x0d\0\0\0\0\0\0\0".to_vec()),
        ("a.7z", seven),
        ("a.docx", ole(&[("/EncryptedPackage", b"x"), ("/EncryptionInfo", b"x")], None)),
    ] {
        check(name, &bytes, &[Fault::Encrypted]);
    }
    check("a.zip", &encrypted(zip(&[("a.exe", b"")])), &[Fault::Executable, Fault::Encrypted]);
}

#[test]
fn an_encrypted_archive_whose_password_stands_in_the_text_is_refused() {
    let archive = encrypted(zip(&[("invoice.pdf", b"%PDF-")]));
    for text in ["The Password is 1234.", "Das Archivpasswort lautet 1234", "mot de passe: 1234"] {
        let found = inspect(&mail("hello", text, &[("a.zip", &archive)]), &Rules::default());
        assert_eq!(found.danger, Danger::Refused, "{text}");
    }
    let plain = zip(&[("invoice.pdf", b"%PDF-")]);
    let found = inspect(&mail("hello", "the password is 1234", &[("a.zip", &plain)]), &Rules::default());
    assert_eq!(found.danger, Danger::None);
}

#[test]
fn macros_score_or_are_refused_as_the_site_wants() {
    let refuse = Rules { macros: Macros::Refuse, ..Rules::default() };
    for (name, bytes) in [
        ("a.docm", word(&[("word/vbaProject.bin", b"x")])),
        ("a.docx", word(&[("word/vbaProject.bin", b"x")])),
        ("a.xlsm", zip(&[("[Content_Types].xml", b""), ("xl/vbaProject.bin", b"x")])),
        ("a.xlsx", zip(&[("[Content_Types].xml", b""), ("xl/macrosheets/sheet1.xml", b"x")])),
        ("a.doc", with_macro("AutoOpen")),
        ("a.doc", with_macro("Document_Open")),
        ("a.xls", with_macro("Workbook_Open")),
        ("a.xls", with_macro("Auto_Open")),
    ] {
        check(name, &bytes, &[Fault::Macros]);
        assert_eq!(
            inspect(&mail("hello", "x", &[(name, &bytes)]), &refuse).danger,
            Danger::Refused,
            "{name}"
        );
    }
    check("a.docx", &word(&[]), &[]);
    check("a.doc", &with_macro("Totals"), &[]);
    check("a.doc", &ole(&[("/WordDocument", b"AutoOpen")], None), &[]);
}

#[test]
fn installers_and_packaged_programs_are_found_in_compound_files() {
    check("a.doc", &ole(&[], Some("000c1084-0000-0000-c000-000000000046")), &[Fault::Executable]);
    let package = b"\0\0\0\0\x02\0invoice.exe\0C:\\invoice.exe\0\0\0\x03\0".to_vec();
    let object = ole(&[("/\u{1}Ole10Native", &package)], None);
    check("a.doc", &object, &[Fault::Embedded]);
    check("a.docx", &word(&[("word/embeddings/oleObject1.bin", &object)]), &[Fault::Embedded]);
    check("a.docx", &word(&[("word/embeddings/x.bin", &program())]), &[Fault::Embedded]);
}

#[test]
fn a_jar_is_a_program_under_any_name() {
    check(
        "a.zip",
        &zip(&[("META-INF/MANIFEST.MF", b""), ("A.class", b"\xca\xfe\xba\xbe")]),
        &[Fault::Executable],
    );
}

#[test]
fn a_picture_that_ends_as_an_archive_is_looked_into() {
    let both = [b"GIF89a".as_slice(), &[7; 100], &zip(&[("a.exe", &program())])].concat();
    check("a.gif", &both, &[Fault::Executable]);
}

#[test]
fn active_pdfs_only_score() {
    check("a.pdf", b"%PDF-1.4 << /S /JavaScript >>", &[Fault::ActivePdf]);
    check("a.zip", &zip(&[("a.pdf", b"%PDF-1.4 << /S /Launch >>")]), &[Fault::ActivePdf]);
}

#[test]
fn attachments_of_attached_messages_are_looked_at() {
    let inner = "Content-Type: application/octet-stream; name=a.exe\n\nx";
    let plain = format!("Content-Type: message/rfc822\n\n{inner}");
    let digest = format!("Content-Type: multipart/digest; boundary=b\n\n--b\n\n{inner}\n--b--");
    let packed = format!(
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{}",
        letters::base64(inner.as_bytes())
    );
    for raw in [plain, digest, packed] {
        assert_eq!(inspect(&letter(raw.as_bytes()), &Rules::default()).danger, Danger::Refused, "{raw}");
    }
}

#[test]
fn a_fragment_of_a_message_scores() {
    let raw = "Content-Type: message/partial; id=x; number=1; total=2\n\nabc";
    let found = inspect(&letter(raw.as_bytes()), &Rules::default());
    assert_eq!((found.danger, found.faults.contains(&Fault::Partial)), (Danger::Score, true));
}

#[test]
fn a_lure_scores_only_with_something_attached() {
    let pdf: (&str, &[u8]) = ("label.pdf", b"%PDF-1.4");
    let with = |subject: &str, attached: &[(&str, &[u8])]| {
        inspect(&mail(subject, "please print the label", attached), &Rules::default())
    };
    for (subject, words) in [
        ("DHL Express: your parcel", "dhl"),
        ("UPS delivery notification", "ups"),
        ("Overdue INVOICE 4711", "invoice"),
        ("=?utf-8?Q?Ihre_Rechnung?=", "rechnung"),
    ] {
        let found = with(subject, &[pdf]);
        assert_eq!((found.lure, found.danger), (Some(words), Danger::Score), "{subject}");
        assert!(found.shape.any(Shape::LURE));
        assert_eq!(with(subject, &[]).lure, None, "{subject}");
    }
    for subject in ["hello", "start-ups and follow-ups at the cups", "Reinvoicement", "voices"] {
        let found = with(subject, &[pdf]);
        // ‘ups’ is a word of its own in ‘start-ups’: a lure's words need no more.
        assert_eq!(found.lure.is_some(), subject.contains("ups"), "{subject}");
    }
    assert_eq!(with("Your parcel", &[("photo.png", b"\x89PNG\r\n\x1a\n")]).lure, None);
}

#[test]
fn a_fault_says_what_the_page_shows() {
    let found = look(&[("a.exe", b"")]);
    let words: Vec<&str> = found.faults.iter().map(|fault| fault.sentence()).collect();
    assert_eq!((words, found.score), (vec!["holds a program"], 20));
}

#[test]
fn a_document_does_not_excuse_what_no_document_holds() {
    check("a.zip", &word(&[("setup.exe", b"x")]), &[Fault::Executable]);
    check("a.docx", &word(&[("word/media/image1.png", &program())]), &[Fault::Embedded]);
    check("a.docx", &word(&[("word/embeddings/a.zip", &zip(&[("a.js", b"x")]))]), &[Fault::Script]);
    check(
        "a.docx",
        &word(&[("word/embeddings/a.docm", &word(&[("word/vbaProject.bin", b"x")]))]),
        &[Fault::Macros],
    );
}

#[test]
fn a_pdf_that_is_an_archive_too_is_read_as_both() {
    let both = [b"%PDF-1.4 << /S /Launch >>\n".as_slice(), &zip(&[("a.exe", &program())])].concat();
    check("a.pdf", &both, &[Fault::Executable, Fault::ActivePdf]);
    let rar = [b"GIF89a".as_slice(), &rar_4(&[("a.exe", b"")], 0, 0x33)].concat();
    check("a.rar", &rar, &[Fault::Executable]);
}

#[test]
fn of_fields_that_stand_twice_both_count() {
    let raw = "Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: a/b; name=a.exe\n\nx\n--b--";
    assert_eq!(inspect(&letter(raw.as_bytes()), &Rules::default()).danger, Danger::Refused);
    let raw = "Content-Disposition: attachment; filename=a.txt\nContent-Disposition: attachment; filename=a.exe\n\nx";
    assert_eq!(inspect(&letter(raw.as_bytes()), &Rules::default()).danger, Danger::Refused);
}

#[test]
fn files_that_stand_in_the_text_are_named() {
    let raw = "Subject: x\n\nHello\nbegin 644 setup.exe\n#0V%T\n`\nend\n";
    let found = inspect(&letter(raw.as_bytes()), &Rules::default());
    assert_eq!((listed(&found), found.danger), (vec!["setup.exe exe executable".into()], Danger::Refused));
}
