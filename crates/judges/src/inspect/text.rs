//! The text of a message, as far as rules look at it: charset and tags undone, lower case.

use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::{HeaderName, HeaderValue, MessageParser};

/// Octets of text that are looked at, plain and HTML each: some hundred pages.
const TEXT_LEN_MAX: usize = 256 * 1024;
/// Octets of a header field that are decoded; RFC 5322 §2.1.1 has lines of 998.
const HEADER_LEN_MAX: usize = 2 * 1024;
/// Elements whose contents are not shown.
const HIDDEN: [&[u8]; 3] = [b"style", b"script", b"title"];
/// Elements that end a line.
const BREAKS: [&[u8]; 10] = [b"br", b"p", b"div", b"tr", b"td", b"li", b"h1", b"h2", b"h3", b"table"];
/// The entities that stand in nearly every HTML mail.
const ENTITIES: [(&str, char); 6] =
    [("&nbsp;", ' '), ("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#39;", '\'')];

/// The text parts of a message.
#[derive(Debug, Default)]
pub(super) struct Source {
    plain: String,
    html: String,
}

impl Source {
    /// Takes in a text part.
    pub(super) fn take(&mut self, declared: &str, charset: Option<&str>, bytes: &[u8]) {
        let html = declared == "text/html";
        let into = if html { &mut self.html } else { &mut self.plain };
        let bytes = &bytes[..bytes.len().min(TEXT_LEN_MAX.saturating_sub(into.len()))];
        let decoded = match charset.and_then(|charset| charset_decoder(charset.as_bytes())) {
            Some(decode) => decode(bytes),
            None => String::from_utf8_lossy(bytes).into_owned(),
        };
        into.push_str(&if html { strip(&decoded) } else { decoded });
        into.push('\n');
    }
}

/// The text that a reader sees, in lower case: of plain and HTML the longer one.
pub(super) fn plain(source: &Source) -> String {
    let both = [&source.plain, &source.html];
    both.into_iter().max_by_key(|text| text.len()).map(|text| text.to_lowercase()).unwrap_or_default()
}

/// HTML without tags; what ends a line in it, ends one here.
fn strip(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        out.push_str(text);
        rest = after_tag(tag, &mut out);
    }
    out.push_str(rest);
    ENTITIES.iter().fold(out, |text, (entity, c)| text.replace(entity, &c.to_string()))
}

/// What follows a tag, whose `<` is gone; for hidden elements, what follows their end.
fn after_tag<'a>(tag: &'a str, out: &mut String) -> &'a str {
    if let Some(comment) = tag.strip_prefix("!--") {
        return comment.split_once("-->").map_or("", |(_, rest)| rest);
    }
    let bare = tag.strip_prefix('/').unwrap_or(tag);
    let name_len = bare.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let name = bare[..name_len].to_ascii_lowercase();
    if BREAKS.contains(&name.as_bytes()) {
        out.push('\n');
    }
    let rest = tag.split_once('>').map_or("", |(_, rest)| rest);
    if !tag.starts_with('/') && HIDDEN.contains(&name.as_bytes()) {
        return end_of(rest, &name);
    }
    rest
}

/// Where `</name` closes; without it, everything was hidden.
fn end_of<'a>(text: &'a str, name: &str) -> &'a str {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("</") {
        if after.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return after.split_once('>').map_or("", |(_, rest)| rest);
        }
        rest = after;
    }
    ""
}

/// The value of an unstructured field, RFC 2047 words decoded.
pub(super) fn header(value: &[u8]) -> String {
    let mut block = b"Subject:".to_vec();
    block.extend_from_slice(&value[..value.len().min(HEADER_LEN_MAX)]);
    block.extend_from_slice(b"\r\n\r\n");
    let parser = MessageParser::new().header_text(HeaderName::Subject);
    let parsed = parser.parse_headers(&block);
    match parsed.as_ref().and_then(|message| message.header(HeaderName::Subject)) {
        Some(HeaderValue::Text(text)) => text.to_string(),
        _ => String::new(),
    }
}

/// Words in lower case, a single blank before and behind each.
pub(super) fn words(text: &str) -> String {
    let mut out = String::from(" ");
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        out.extend(word.chars().flat_map(char::to_lowercase));
        out.push(' ');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(html: &str, expect: &str) {
        assert_eq!(words(&strip(html)).trim(), expect, "{html}");
    }

    #[test]
    fn tags_comments_and_hidden_elements_are_left_out() {
        check("<p>Hello <b>wor</b>ld</p>", "hello world");
        check("a<!-- <b>x</b> -->b", "ab");
        check("a<style>p { color: red }</style> b<SCRIPT>x</scripty></Script> c", "a b c");
        check("one<br>two&nbsp;three", "one two three");
        check("a < b", "a");
        check("<style>never closed", "");
        check("<é>a", "a");
    }

    #[test]
    fn encoded_words_of_a_header_are_read() {
        for (value, text) in [
            (" =?utf-8?B?UmVjaG51bmc=?=", "Rechnung"),
            (" =?iso-8859-1?Q?f=FCr_Sie?=", "für Sie"),
            (" plain", "plain"),
            (" a\r\n b", "a b"),
        ] {
            assert_eq!(header(value.as_bytes()).trim(), text);
        }
    }

    #[test]
    fn malformed_encoded_words_are_taken_as_they_are_or_left() {
        for value in [
            "=?",
            "=?utf-8?B?",
            "=?utf-8?B?!!!?=",
            "=?x?Z?a?=",
            "=?utf-8?Q?=Z?=",
            "=??B??=",
            "=?utf-8?B?AAAA",
            "\0\0",
        ] {
            assert!(header(value.as_bytes()).len() <= value.len() + 8, "{value}");
        }
    }

    #[test]
    fn of_plain_text_and_html_the_longer_is_read() {
        let mut source = Source::default();
        source.take("text/plain", None, b"Short");
        source.take("text/html", Some("iso-8859-1"), b"<p>Gr\xfc\xdfe aus K\xf6ln</p>");
        assert_eq!(words(&plain(&source)).trim(), "grüße aus köln");
    }
}
