//! In which form a page is wanted: HTML, or its JSON twin.

use axum::http::{HeaderMap, header};

/// The form of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Html,
    Json,
}

/// Splits `.json` off the last part of an address and looks at what is accepted.
///
/// Mail programs take the full stop or bracket behind a link for a part of it; such
/// trailing marks are dropped.
pub(crate) fn wanted<'a>(last: &'a str, headers: &HeaderMap) -> (Form, &'a str) {
    let bare = last.trim_end_matches(['.', ',', ';', ':', ')', ']', '>', '"', '\'']);
    match bare.strip_suffix(".json") {
        Some(name) => (Form::Json, name),
        None => (of_headers(headers), bare),
    }
}

/// The form by the `Accept` header alone.
pub(crate) fn of_headers(headers: &HeaderMap) -> Form {
    let accepts = |kind: &str| {
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok());
        values.flat_map(|v| v.split(',')).any(|v| v.trim().to_ascii_lowercase().starts_with(kind))
    };
    if accepts("application/json") && !accepts("text/html") { Form::Json } else { Form::Html }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(last: &str, accept: &str, expect: (Form, &str)) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        assert_eq!(wanted(last, &headers), expect);
    }

    #[test]
    fn a_browser_gets_a_page_and_a_program_its_twin() {
        check("X", "text/html,application/xhtml+xml,*/*;q=0.8", (Form::Html, "X"));
        check("X", "text/html, application/json", (Form::Html, "X"));
        check("X", "*/*", (Form::Html, "X"));
        check("X", "application/json", (Form::Json, "X"));
        check("X", "text/plain, Application/JSON;q=0.9", (Form::Json, "X"));
        check("X.json", "text/html", (Form::Json, "X"));
    }

    #[test]
    fn what_a_mail_program_leaves_behind_a_link_is_dropped() {
        check("X.", "*/*", (Form::Html, "X"));
        check("X>),", "*/*", (Form::Html, "X"));
        check("X.json.", "*/*", (Form::Json, "X"));
        check("2001:db8::", "*/*", (Form::Html, "2001:db8"));
    }
}
