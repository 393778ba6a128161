//! Headers that every answer carries (UNB-2).
//!
//! Nothing is cached, indexed or told to other sites; nothing but our own inline style is
//! loaded, and no script runs, so that a name which a hostile client chose can do nothing
//! even if it were not escaped (ADV-10).

use std::sync::LazyLock;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};

use crate::html::STYLE;
use crate::state::Portal;

/// Header values that never change.
const FIXED: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::VARY, "Accept"),
];

/// A browser that saw us over TLS comes back over TLS for two years (RFC 6797).
const HSTS: &str = "max-age=63072000";

/// The policy of every page: nothing but the one style, whose hash stands in it.
static CONTENT_SECURITY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'",
        base64(&Sha256::digest(STYLE))
    );
    // Base 64 and our own words: always a header value.
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
});

/// Adds the headers to an answer.
pub(crate) async fn add(State(portal): State<Portal>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    put(response.headers_mut(), portal.view().site.portal.starts_with("https://"));
    response
}

fn put(headers: &mut HeaderMap, over_tls: bool) {
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY.clone());
    if over_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HSTS));
    }
}

/// RFC 4648 §4, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let three = [0, 1, 2].map(|i| u32::from(chunk.get(i).copied().unwrap_or(0)));
        let bits = three[0] << 16 | three[1] << 8 | three[2];
        let digits = (0..4).map(|i| char::from(DIGITS[(bits >> (18 - 6 * i)) as usize % 64]));
        text.extend(digits.take(chunk.len() + 1));
        text.extend(std::iter::repeat_n('=', 3 - chunk.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_the_vectors_of_its_rfc() {
        let words = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let digits = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (word, expect) in words.iter().zip(digits) {
            assert_eq!(base64(word.as_bytes()), expect);
        }
    }
}
