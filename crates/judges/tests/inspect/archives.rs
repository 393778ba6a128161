//! Archives and documents made at test time: no sample of malware lies in this repository.

#![allow(clippy::unwrap_used, reason = "what a test makes or reads itself is there")]

use std::io::{Cursor, Write as _};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The start of a Windows program that does nothing.
pub(crate) fn program() -> Vec<u8> {
    let mut bytes = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff".to_vec();
    bytes.resize(60, 0);
    bytes.extend_from_slice(
        b"\x80\0\0\0\x0e\x1f\xba\x0e\0\xb4\x09\xcd!\xb8\x01L\xcd!This program cannot be run in DOS mode.",
    );
    bytes.resize(0x80, 0);
    bytes.extend_from_slice(b"PE\0\0L\x01");
    bytes
}

/// A zip of these members.
pub(crate) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The same, with the flag of encryption set on every member (APPNOTE §4.4.4).
pub(crate) fn encrypted(mut zip: Vec<u8>) -> Vec<u8> {
    for (magic, at) in [(b"PK\x03\x04", 6), (b"PK\x01\x02", 8)] {
        let places: Vec<usize> = (0..zip.len()).filter(|at| zip[*at..].starts_with(magic)).collect();
        for place in places {
            zip[place + at] |= 1;
        }
    }
    zip
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

pub(crate) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn seven(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    for (name, bytes) in members {
        writer.push_archive_entry(sevenz_rust2::ArchiveEntry::new_file(name), Some(*bytes)).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// RAR 4, members stored (method 0x30) or said to be compressed (0x33).
pub(crate) fn rar_4(members: &[(&str, &[u8])], flags: u16, method: u8) -> Vec<u8> {
    let mut out = b"Rar!\x1a\x07\0".to_vec();
    out.extend_from_slice(b"\0\0\x73\0\0\x0d\0\0\0\0\0\0\0");
    for (name, bytes) in members {
        let (len, size) = (32 + name.len() as u16, (bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(b"\0\0\x74");
        out.extend_from_slice(&(flags | 0x8000).to_le_bytes());
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&size);
        out.extend_from_slice(&size);
        out.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 29, method]);
        out.extend_from_slice(&(name.len() as u16).to_le_bytes());
        out.extend_from_slice(&[0x20, 0, 0, 0]);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(b"\xc4\x3d\x7b\0\x40\x07\0");
    out
}

/// RAR 5: members, each with an extra area; `method` 0 is stored.
pub(crate) fn rar_5(members: &[(&str, &[u8])], extra: &[u8], method: u8) -> Vec<u8> {
    let mut out = b"Rar!\x1a\x07\x01\0".to_vec();
    out.extend_from_slice(b"\0\0\0\0\x03\x01\0\0");
    for (name, bytes) in members {
        let mut header =
            vec![2, 3, extra.len() as u8, 0x80 | (bytes.len() & 127) as u8, (bytes.len() >> 7) as u8];
        header.extend_from_slice(&[0, 0x80 | (bytes.len() & 127) as u8, (bytes.len() >> 7) as u8, 0x20]);
        header.extend_from_slice(&[0x80, method, 0, name.len() as u8]);
        header.extend_from_slice(name.as_bytes());
        header.extend_from_slice(extra);
        out.extend_from_slice(&[0, 0, 0, 0, header.len() as u8]);
        out.extend_from_slice(&header);
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(b"\0\0\0\0\x03\x05\0\0");
    out
}

pub(crate) fn cab(names: &[&str]) -> Vec<u8> {
    let mut out = b"MSCF\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    out.extend_from_slice(&36_u32.to_le_bytes());
    out.extend_from_slice(b"\0\0\0\0\x03\x01\x01\0");
    out.extend_from_slice(&(names.len() as u16).to_le_bytes());
    out.extend_from_slice(&[0; 6]);
    for name in names {
        out.extend_from_slice(&[0; 16]);
        out.extend_from_slice(name.as_bytes());
        out.push(0);
    }
    out
}

/// An old Office document with these streams.
pub(crate) fn ole(streams: &[(&str, &[u8])], class: Option<&str>) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    if let Some(class) = class {
        file.set_storage_clsid("/", class.parse().unwrap()).unwrap();
    }
    for (path, bytes) in streams {
        if let Some(folder) = std::path::Path::new(path).parent() {
            file.create_storage_all(folder).unwrap();
        }
        file.create_stream(path).unwrap().write_all(bytes).unwrap();
    }
    file.into_inner().into_inner()
}

/// A document with a macro of this name.
pub(crate) fn with_macro(name: &str) -> Vec<u8> {
    // MS-OVBA §2.4.1: every eight letters stand behind a flag octet.
    let text = format!("Attribute VB_Name = \"Module1\" Sub {name}() End Sub");
    let tokens: Vec<u8> = text.as_bytes().chunks(8).flat_map(|eight| [b"\0", eight].concat()).collect();
    let header = 0xb000 | (tokens.len() - 1) as u16;
    let source = [b"\x01".as_slice(), &header.to_le_bytes(), &tokens].concat();
    ole(&[("/Macros/VBA/_VBA_PROJECT", b"\xcc\x61"), ("/Macros/VBA/Module1", &source)], None)
}

/// A new Word document, with these members beside its own.
pub(crate) fn word(more: &[(&str, &[u8])]) -> Vec<u8> {
    let own: [(&str, &[u8]); 2] =
        [("[Content_Types].xml", b"<Types/>"), ("word/document.xml", b"<w:document/>")];
    zip(&[&own, more].concat())
}
