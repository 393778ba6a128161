//! The message as it is checked, and what of it is not, so that no message costs too much.

use mail_auth::{AuthenticatedMessage, DkimOutput, DnsError, Error};
use model::letter::{Field, Letter};

/// How many signatures of one message are checked, topmost first.
///
/// Real mail has one to four. Each costs a public key operation, a lookup, and up to one
/// more run over the body.
pub(super) const SIGNATURES_MAX: usize = 8;
/// How many colons a `DKIM-Signature` may hold: they part the names of signed fields, and
/// each name is searched for in the whole header.
const COLONS_MAX: usize = 300;
/// How many header fields a message may have for its signatures to be checked.
const FIELDS_MAX: usize = 1000;
/// The largest body that is hashed, in octets.
const BODY_LEN_MAX: usize = 32 * 1024 * 1024;

/// The message to check, and whether signatures were left out of it.
pub(super) fn examined(letter: &Letter, dkim: bool) -> (Vec<u8>, bool) {
    let whole = letter.is_whole() && letter.fields_whole;
    let affordable = letter.fields.len() <= FIELDS_MAX && letter.body.len() <= BODY_LEN_MAX;
    let checked_max = if dkim && whole && affordable { SIGNATURES_MAX } else { 0 };
    let (mut checked, mut left_out) = (0, false);
    let mut raw = Vec::with_capacity(letter.body.len() + 4096);
    for field in &letter.fields {
        if field.is("DKIM-Signature") {
            if checked == checked_max || !is_affordable(field) {
                left_out = true;
                continue;
            }
            checked += 1;
        }
        write(&mut raw, field);
    }
    raw.extend_from_slice(b"\r\n");
    if checked > 0 {
        raw.extend_from_slice(&letter.body);
    }
    (raw, left_out)
}

fn is_affordable(signature: &Field) -> bool {
    signature.value.iter().filter(|&&byte| byte == b':').count() <= COLONS_MAX
}

fn write(raw: &mut Vec<u8>, field: &Field) {
    raw.extend_from_slice(&field.name);
    raw.push(b':');
    raw.extend_from_slice(&field.value);
    raw.extend_from_slice(b"\r\n");
}

/// What becomes of signatures whose keys did not arrive in time.
pub(super) fn late<'x>(message: &'x AuthenticatedMessage<'x>) -> Vec<DkimOutput<'x>> {
    let late = || DkimOutput::temp_err(Error::Dns(DnsError::Resolver("deadline".into())));
    message.dkim_headers.iter().map(|header| late().with_signature(&header.header)).collect()
}
