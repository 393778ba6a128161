//! Files that stand in a text in the encoding of `uuencode` (POSIX.1, uuencode): old mail
//! programs wrote them, and some programs still show them as attachments.
//!
//! Only their names are read.

/// Files of one text that are looked for.
const FILES_MAX: usize = 50;
/// How far into a text they are looked for.
const TEXT_LEN_MAX: usize = 1024 * 1024;

/// The names behind `begin`, each with a mode of three or four digits and a line of data.
pub(super) fn names(text: &[u8]) -> Vec<String> {
    let text = &text[..text.len().min(TEXT_LEN_MAX)];
    let mut lines = text.split(|byte| *byte == b'\n').peekable();
    let mut names = Vec::new();
    while let Some(line) = lines.next() {
        let name = name_in(line).filter(|_| lines.peek().is_some_and(|data| is_data(data)));
        names.extend(name.map(|name| String::from_utf8_lossy(name).into_owned()));
        if names.len() == FILES_MAX {
            break;
        }
    }
    names
}

fn name_in(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"begin ")?;
    let mode = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let name = rest.get(mode..)?.strip_prefix(b" ")?.trim_ascii();
    (matches!(mode, 3 | 4) && !name.is_empty()).then_some(name)
}

/// A line of data begins with its length, and is four letters for each three octets.
fn is_data(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.split_first() {
        Some((first @ b'!'..=b'M', data)) => data.len() >= usize::from(first - b' ').div_ceil(3) * 4,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn files_in_a_text_are_named() {
        assert_eq!(names(b"Hello,\r\nbegin 644 a b.exe\r\n#0V%T\r\n`\r\nend\r\n"), ["a b.exe"]);
    }

    #[test]
    fn a_text_that_begins_a_sentence_so_names_none() {
        for text in
            ["begin 644 a.exe\nand then", "begin with 1", "begin 64 x\n#0V%T", "begin 644 \n#0V%T", ""]
        {
            assert!(names(text.as_bytes()).is_empty(), "{text}");
        }
    }
}
