//! What a query says of itself in its OPT record (RFC 6891), as far as it matters.

/// Octets of a client's cookie (RFC 7873 §4.1).
pub const COOKIE_CLIENT_LEN: usize = 8;
/// Option code of cookies.
const COOKIE: u16 = 10;

/// The OPT record of a query.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Edns<'a> {
    /// How large a UDP answer the client takes; less than 512 counts as 512 (RFC 6891 §6.2.3).
    pub payload: u16,
    /// The version; ours is 0.
    pub version: u8,
    /// The client wants DNSSEC records. We have none, and say so by echoing it.
    pub dnssec_ok: bool,
    /// The cookie: eight octets of the client's, and behind them, where it has one, eight to
    /// 32 that a server gave it.
    pub cookie: Option<&'a [u8]>,
}

/// Why an OPT record can not be read: its options do not fill it, or the cookie is of no
/// possible length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct BadOptions;

impl<'a> Edns<'a> {
    /// From the parts of the record; options that have no meaning here are skipped
    /// (RFC 6891 §6.1.2).
    pub(super) fn read(class: u16, ttl: u32, data: &'a [u8]) -> Result<Edns<'a>, BadOptions> {
        let [_, version, flags, _] = ttl.to_be_bytes();
        Ok(Edns { payload: class, version, dnssec_ok: flags & 0x80 != 0, cookie: cookie(data)? })
    }
}

/// The first cookie; others are ignored (RFC 7873 §5.2.1).
fn cookie(mut options: &[u8]) -> Result<Option<&[u8]>, BadOptions> {
    let mut found = None;
    while let Some((head, rest)) = options.split_first_chunk::<4>() {
        let [c0, c1, l0, l1] = *head;
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let (value, rest) = rest.split_at_checked(len).ok_or(BadOptions)?;
        if u16::from_be_bytes([c0, c1]) == COOKIE && found.is_none() {
            found = Some(value);
        }
        options = rest;
    }
    if !options.is_empty() || found.is_some_and(|cookie| !matches!(cookie.len(), 8 | 16..=40)) {
        return Err(BadOptions);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data: &[u8], expect: Result<Option<&[u8]>, BadOptions>) {
        assert_eq!(Edns::read(1232, 0, data).map(|edns| edns.cookie), expect, "{data:?}");
    }

    fn option(code: u16, value: &[u8]) -> Vec<u8> {
        [&code.to_be_bytes()[..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
    }

    #[test]
    fn the_first_cookie_counts_and_other_options_are_skipped() {
        check(&[], Ok(None));
        check(&option(3, b"nsid"), Ok(None));
        check(&option(COOKIE, &[1; 8]), Ok(Some(&[1; 8])));
        let many = [option(8, &[9; 3]), option(COOKIE, &[1; 24]), option(COOKIE, &[2; 8])].concat();
        check(&many, Ok(Some(&[1; 24])));
    }

    #[test]
    fn cookies_of_other_lengths_and_unfinished_options_are_faults() {
        for len in [0, 7, 9, 15, 41] {
            check(&option(COOKIE, &vec![0; len]), Err(BadOptions));
        }
        check(&[0, 3, 0], Err(BadOptions));
        check(&[0, 3, 0, 9, 1], Err(BadOptions));
    }

    #[test]
    fn version_and_flags_stand_in_the_time_to_live() {
        let edns = Edns::read(4096, 0x0001_8000, &[]).unwrap();
        assert_eq!((edns.payload, edns.version, edns.dnssec_ok), (4096, 1, true));
    }
}
