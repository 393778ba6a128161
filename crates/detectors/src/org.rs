//! Organisational domains: the part of a host name that somebody registered.
//!
//! `mail7.sales.example.co.uk` belongs to `example.co.uk`. The public suffix list is compiled
//! in (crate `psl`); names of a top-level domain that it does not know belong to nobody.

/// The longest host name (RFC 1035 §2.3.4); beyond, there is no work for the list.
const NAME_LEN_MAX: usize = 253;

/// The organisational domain at the end of a host name in lower case, such as
/// [`model::Name`] holds; `None` for a public suffix itself, an address, or a name without a
/// known top-level domain.
pub fn org(name: &[u8]) -> Option<&[u8]> {
    if name.len() > NAME_LEN_MAX || !is_under_known_tld(name) {
        return None;
    }
    // Of `x..com` nobody registered anything: an empty label is no name.
    psl::domain(name).map(|domain| domain.as_bytes()).filter(|domain| !domain.starts_with(b"."))
}

/// Whether strangers register names below this one, as below `co.uk`: then what one of them
/// does says nothing of the others.
pub fn is_public_suffix(name: &[u8]) -> bool {
    is_under_known_tld(name) && psl::suffix(name).is_some_and(|suffix| suffix.as_bytes() == name)
}

/// Whether two names belong to the same organisation.
pub fn same_org(one: &[u8], other: &[u8]) -> bool {
    org(one).is_some_and(|one| org(other) == Some(one))
}

/// Whether a name ends in a top-level domain that exists (by the list, which knows them all),
/// or in one that is set aside for documentation and tests (RFC 6761 §6.2, §6.5).
pub fn is_under_known_tld(name: &[u8]) -> bool {
    let tld = name.rsplit(|b| *b == b'.').next().unwrap_or(name);
    matches!(tld, b"example" | b"test") || psl::suffix(tld).is_some_and(|suffix| suffix.is_known())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expect: Option<&str>) {
        assert_eq!(org(name.as_bytes()), expect.map(str::as_bytes), "{name}");
    }

    #[test]
    fn a_host_belongs_to_what_somebody_registered() {
        check("mail.example.org", Some("example.org"));
        check("mail7.sales.example.co.uk", Some("example.co.uk"));
        check("1-2-3-4.dsl.pool.example", Some("pool.example"));
        check("co.uk", None);
        check("localhost", None);
        check("192.0.2.1", None);
        check("host.example.qec", None);
        check("", None);
        check("..", None);
        check("x..com", None);
        check(".co.uk", None);
        check("x..example.co.uk", Some("example.co.uk"));
    }

    #[test]
    fn a_public_suffix_is_told_from_what_is_registered_below_it() {
        let is = |name: &str| is_public_suffix(name.as_bytes());
        assert!(is("co.uk") && is("com") && is("blogspot.com") && is("example"));
        assert!(!is("example.co.uk") && !is("example.com") && !is("shop.example") && !is("a.shop.example"));
    }

    #[test]
    fn two_names_are_of_one_organisation_or_not() {
        assert!(same_org(b"mx.example.com", b"example.com"));
        assert!(!same_org(b"a.example.com", b"a.example.net"));
        assert!(!same_org(b"localhost", b"localhost"));
    }

    #[test]
    fn a_top_level_domain_exists_or_not() {
        assert!(is_under_known_tld(b"x.museum") && is_under_known_tld(b"x.xn--p1ai"));
        assert!(!is_under_known_tld(b"x.whbzt3") && !is_under_known_tld(b"dsldevice.lan"));
    }
}
