//! What filters are shown: the test virus and the test spam that all of them know, and files
//! as mail carries them.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

/// The test virus of EICAR, in halves so that no scanner finds this file.
pub(crate) fn eicar() -> String {
    ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-", "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat()
}

/// The test spam that every filter knows, in halves.
pub(crate) fn gtube() -> String {
    ["XJS*C4JDBQADN1.NSBN3*2IDNEN*", "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"].concat()
}

/// A zip archive that holds one file, as it is.
pub(crate) fn zipped(name: &str, file: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file(name, stored).expect("a name");
    archive.write_all(file).expect("memory");
    archive.finish().expect("memory").into_inner()
}

/// The fields and the body of a message with one attachment (RFC 2046 §5.1).
pub(crate) fn with_attachment(name: &str, kind: &str, file: &[u8]) -> String {
    format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee \
         there.\r\n--b\r\nContent-Type: {kind}; name={name}\r\nContent-Transfer-Encoding: \
         base64\r\nContent-Disposition: attachment; filename={name}\r\n\r\n{}\r\n--b--\r\n",
        base64(file)
    )
}

/// RFC 4648 §4, in lines.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (count, three) in bytes.chunks(3).enumerate() {
        let at = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(digit) } else { '=' });
        }
        if count % 19 == 18 {
            let _ = write!(text, "\r\n");
        }
    }
    text
}
