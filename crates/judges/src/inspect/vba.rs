//! Macros that start by themselves, in the streams of a VBA project (MS-OVBA).

/// Names of procedures that Word, Excel and PowerPoint call without being asked.
const AUTOMATIC: [&str; 16] = [
    "autoopen",
    "auto_open",
    "autoexec",
    "autonew",
    "autoclose",
    "auto_close",
    "autoexit",
    "document_open",
    "document_new",
    "document_close",
    "documentopen",
    "workbook_open",
    "workbook_activate",
    "workbook_beforeclose",
    "presentation_open",
    "slideshow_onslideshowstart",
];
/// A module's source begins with `Attribute VB_Name`; its first letters are never packed,
/// but a flag octet stands before them (§2.4.1).
const SOURCE: &[u8] = b"\0Attribut";
/// Octets of the source of one module that are read.
const SOURCE_LEN_MAX: usize = 1024 * 1024;

/// Whether a stream of a project names a procedure that starts by itself: in its source, or
/// in the list of names that stays when somebody has removed the source.
pub(super) fn starts_itself(stream: &[u8]) -> bool {
    let source = memchr::memmem::rfind(stream, SOURCE)
        .and_then(|at| at.checked_sub(3))
        .map(|at| decompress(&stream[at..]));
    source.is_some_and(|source| names_one(&source)) || names_one(stream) || names_one(&narrow(stream))
}

fn names_one(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    AUTOMATIC.iter().any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some())
}

/// UTF-16 without its zeros.
fn narrow(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(|byte| *byte != 0).collect()
}

/// Undoes the compression of §2.4.1, as far as it goes.
fn decompress(container: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let Some((1, mut rest)) = container.split_first().map(|(first, rest)| (*first, rest)) else { return out };
    while let [low, high, body @ ..] = rest {
        if out.len() > SOURCE_LEN_MAX {
            break;
        }
        let header = u16::from_le_bytes([*low, *high]);
        let len = usize::from(header & 0x0fff) + 1;
        let (chunk, after) = body.split_at(len.min(body.len()));
        if header & 0x8000 == 0 {
            out.extend_from_slice(chunk);
        } else {
            chunk_tokens(chunk, &mut out);
        }
        rest = after;
    }
    out
}

/// A chunk of tokens: a flag octet says which of the next eight are copies (§2.4.1.3.4).
fn chunk_tokens(mut chunk: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    while let Some((flags, mut rest)) = chunk.split_first() {
        for bit in 0..8 {
            let copied = match rest {
                [low, high, after @ ..] if flags >> bit & 1 == 1 => {
                    rest = after;
                    copy(u16::from_le_bytes([*low, *high]), start, out)
                }
                [literal, after @ ..] if flags >> bit & 1 == 0 => {
                    rest = after;
                    out.push(*literal);
                    true
                }
                _ => return,
            };
            if !copied {
                return;
            }
        }
        chunk = rest;
    }
}

/// A copy token: the further the chunk has come, the more bits its offset takes (§2.4.1.3.19).
fn copy(token: u16, start: usize, out: &mut Vec<u8>) -> bool {
    let done = out.len() - start;
    let offset_bits = (usize::BITS - done.saturating_sub(1).leading_zeros()).clamp(4, 12);
    let len = usize::from(token & (0xffff >> offset_bits)) + 3;
    let offset = usize::from(token >> (16 - offset_bits)) + 1;
    // A chunk unpacks to 4096 octets.
    if offset > done || done + len > 4096 {
        return false;
    }
    for _ in 0..len {
        out.push(out[out.len() - offset]);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_unpacks() {
        // MS-OVBA §3.2.2 and §3.2.3.
        let packed = [
            0x01, 0x2f, 0xb0, 0x00, 0x23, 0x61, 0x61, 0x61, 0x62, 0x63, 0x64, 0x65, 0x82, 0x66, 0x00, 0x70,
            0x61, 0x67, 0x68, 0x69, 0x6a, 0x01, 0x38, 0x08, 0x61, 0x6b, 0x6c, 0x00, 0x30, 0x6d, 0x6e, 0x6f,
            0x70, 0x06, 0x71, 0x02, 0x70, 0x04, 0x10, 0x72, 0x73, 0x74, 0x75, 0x76, 0x10, 0x77, 0x78, 0x79,
            0x7a, 0x00, 0x3c,
        ];
        assert_eq!(decompress(&packed), b"#aaabcdefaaaaghijaaaaaklaaamnopqaaaaaaaaaaaarstuvwxyzaaa");
        assert_eq!(decompress(&[0x01, 0x03, 0xb0, 0x02, 0x61, 0x45, 0x00]), [b'a'; 73]);
    }

    #[test]
    fn broken_tokens_end_the_text() {
        for packed in [
            &[0x01, 0x03, 0xb0, 0x01, 0x45, 0x00, 0x61][..],
            &[1, 0xff],
            &[1, 0xff, 0xff, 1],
            &[2, 1, 1],
            &[],
        ] {
            assert!(decompress(packed).len() < 8);
        }
    }

    #[test]
    fn names_are_found_packed_plain_and_wide() {
        let wide: Vec<u8> = "Document_Open".bytes().flat_map(|byte| [byte, 0]).collect();
        assert!(starts_itself(&wide));
        assert!(starts_itself(b"xx Sub AutoOpen()"));
        assert!(!starts_itself(b"Sub Totals()"));
        let source = b"\x01\x19\xb0\0Attribut\0e VB_Nam\0e AutoOp";
        assert!(!starts_itself(source));
        assert!(starts_itself(&[&source[..1], b"\x1c\xb0", &source[3..], b"\0en()"].concat()));
    }
}
