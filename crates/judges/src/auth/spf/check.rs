//! `check_host()` of SPF (RFC 7208 §4): asks DNS what a record needs, within §4.6.4's limits.

use std::net::IpAddr;
use std::pin::Pin;

use mail_auth::hickory_resolver::TokioResolver;
use mail_auth::hickory_resolver::proto::rr::{Name, RData, RecordType};
use model::content::Spf;

use super::macros::{MacroString, Values, is_top_label};
use super::record::{Lens, Mechanism, Record, is_spf};

/// Terms that ask DNS (§4.6.4: ‘MUST limit the total number of those terms to 10’).
const TERMS_MAX: u32 = 10;
/// Questions without an answer (§4.6.4: ‘void lookups’).
const VOIDS_MAX: u32 = 2;
/// Names behind one `mx` or `ptr` (§4.6.4).
const NAMES_MAX: usize = 10;

/// One run of SPF.
pub(super) struct Check<'a> {
    resolver: &'a TokioResolver,
    addr: IpAddr,
    local_part: &'a str,
    sender_domain: &'a str,
    helo: &'a str,
    terms: u32,
    voids: u32,
    /// The names of the address that point back to it; asked for once.
    validated: Option<Vec<String>>,
}

/// Why a run ends without going on.
enum End {
    /// DNS failed for now.
    Temporary,
    /// The record can not be followed.
    Permanent,
}

type Answer<T> = Result<T, End>;

impl<'a> Check<'a> {
    /// A run for a client at `addr` whose sender is `local_part@sender_domain`.
    pub(super) fn new(
        resolver: &'a TokioResolver,
        addr: IpAddr,
        local_part: &'a str,
        sender_domain: &'a str,
        helo: &'a str,
    ) -> Self {
        // §4.3: ‘If the <sender> has no local-part, substitute the string "postmaster"’.
        let local_part = if local_part.is_empty() { "postmaster" } else { local_part };
        // §5: ‘an IPv4-mapped IPv6 IP address … MUST still be considered an IPv4 address’.
        let addr = addr.to_canonical();
        Check { resolver, addr, local_part, sender_domain, helo, terms: 0, voids: 0, validated: None }
    }

    /// The result for the sender's domain.
    pub(super) async fn run(mut self) -> Spf {
        // §4.3: ‘If the <domain> is malformed … check_host() immediately returns the result "none"’.
        if !is_domain(self.sender_domain) {
            return Spf::None;
        }
        match self.host(self.sender_domain.to_owned()).await {
            Ok(result) => result,
            Err(End::Temporary) => Spf::TempError,
            Err(End::Permanent) => Spf::PermError,
        }
    }

    /// `check_host()`; calls itself for `include` and `redirect`, of which there are ten.
    fn host(&mut self, domain: String) -> Pin<Box<dyn Future<Output = Answer<Spf>> + Send + '_>> {
        Box::pin(async move {
            let Some(record) = self.record(&domain).await? else { return Ok(Spf::None) };
            for directive in &record.directives {
                if self.matches(&directive.mechanism, &domain).await? {
                    return Ok(directive.result);
                }
            }
            let Some(target) = &record.redirect else { return Ok(Spf::Neutral) };
            let target = self.counted(Some(target), &domain).await?;
            // §6.1: ‘if no SPF record is found … the result is a "permerror"’.
            match self.host(target).await? {
                Spf::None => Err(End::Permanent),
                result => Ok(result),
            }
        })
    }

    /// The one record of a domain (§4.4, §4.5).
    async fn record(&mut self, domain: &str) -> Answer<Option<Record>> {
        let found = self.ask(domain, RecordType::TXT).await?;
        let texts = found.iter().filter_map(|data| match data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        });
        let mut records = texts.filter(|text| is_spf(text));
        match (records.next(), records.next()) {
            (None, _) => Ok(None),
            (Some(text), None) => Record::parse(&text).map(Some).ok_or(End::Permanent),
            (Some(_), Some(_)) => Err(End::Permanent),
        }
    }

    async fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Answer<bool> {
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4(net, len) => Ok(is_within(self.addr, IpAddr::V4(*net), *len)),
            Mechanism::Ip6(net, len) => Ok(is_within(self.addr, IpAddr::V6(*net), *len)),
            Mechanism::Include(spec) => self.include(spec, domain).await,
            Mechanism::A(spec, lens) => {
                let target = self.counted(spec.as_ref(), domain).await?;
                self.has_address(&target, *lens).await
            }
            Mechanism::Mx(spec, lens) => self.mx(spec.as_ref(), *lens, domain).await,
            Mechanism::Ptr(spec) => {
                let target = self.counted(spec.as_ref(), domain).await?;
                Ok(self.validated().await.iter().any(|name| is_at_or_below(name, &target)))
            }
            Mechanism::Exists(spec) => {
                let target = self.counted(Some(spec), domain).await?;
                Ok(!self.ask_void(&target, RecordType::A).await?.is_empty())
            }
        }
    }

    /// §5.2.
    async fn include(&mut self, spec: &MacroString, domain: &str) -> Answer<bool> {
        let target = self.counted(Some(spec), domain).await?;
        match self.host(target).await? {
            Spf::Pass => Ok(true),
            Spf::Fail | Spf::SoftFail | Spf::Neutral => Ok(false),
            Spf::TempError => Err(End::Temporary),
            Spf::PermError | Spf::None => Err(End::Permanent),
        }
    }

    /// §5.4.
    async fn mx(&mut self, spec: Option<&MacroString>, lens: Lens, domain: &str) -> Answer<bool> {
        let target = self.counted(spec, domain).await?;
        let found = self.ask_void(&target, RecordType::MX).await?;
        let mut names: Vec<(u16, String)> = Vec::new();
        for data in found {
            if let RData::MX(mx) = data {
                names.push((mx.preference, text(&mx.exchange)));
            }
        }
        names.sort();
        for (place, (_, name)) in names.iter().enumerate() {
            // §4.6.4: ‘If this limit is exceeded, the "mx" mechanism MUST produce a "permerror"’.
            if place == NAMES_MAX {
                return Err(End::Permanent);
            }
            if self.has_address(name, lens).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Counts a term that asks DNS, and says which name it asks for.
    async fn counted(&mut self, spec: Option<&MacroString>, domain: &str) -> Answer<String> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(End::Permanent);
        }
        let Some(spec) = spec else { return Ok(domain.to_owned()) };
        let validated =
            if spec.needs_validated() { self.best_validated(domain).await } else { String::new() };
        Ok(spec.expand(&Values {
            addr: self.addr,
            local_part: self.local_part,
            sender_domain: self.sender_domain,
            helo: self.helo,
            domain,
            validated: &validated,
        }))
    }

    async fn has_address(&mut self, name: &str, lens: Lens) -> Answer<bool> {
        let (kind, len) = match self.addr {
            IpAddr::V4(_) => (RecordType::A, lens.v4),
            IpAddr::V6(_) => (RecordType::AAAA, lens.v6),
        };
        let found = self.ask_void(name, kind).await?;
        Ok(found.iter().filter_map(address).any(|net| is_within(self.addr, net, len)))
    }

    /// The names of the client that point back to it (§5.5); errors make none.
    async fn validated(&mut self) -> Vec<String> {
        if let Some(known) = &self.validated {
            return known.clone();
        }
        let reverse = text(&Name::from(self.addr));
        let found = self.ask(&reverse, RecordType::PTR).await.unwrap_or_default();
        let names = found.iter().filter_map(|data| match data {
            RData::PTR(ptr) => Some(text(&ptr.0)),
            _ => None,
        });
        let mut confirmed = Vec::new();
        for name in names.take(NAMES_MAX).collect::<Vec<_>>() {
            let kind = if self.addr.is_ipv4() { RecordType::A } else { RecordType::AAAA };
            let found = self.ask(&name, kind).await.unwrap_or_default();
            if found.iter().filter_map(address).any(|addr| addr == self.addr) {
                confirmed.push(name);
            }
        }
        self.validated.insert(confirmed).clone()
    }

    /// What `%{p}` expands to (§7.3): the domain itself, one below it, any, or `unknown`.
    async fn best_validated(&mut self, domain: &str) -> String {
        let names = self.validated().await;
        let same = names.iter().find(|name| name.eq_ignore_ascii_case(domain));
        let below = || names.iter().find(|name| is_at_or_below(name, domain));
        same.or_else(below).or(names.first()).cloned().unwrap_or_else(|| "unknown".into())
    }

    /// Asks, and counts where there is no answer.
    async fn ask_void(&mut self, name: &str, kind: RecordType) -> Answer<Vec<RData>> {
        let found = self.ask(name, kind).await?;
        if found.is_empty() {
            self.voids += 1;
            if self.voids > VOIDS_MAX {
                return Err(End::Permanent);
            }
        }
        Ok(found)
    }

    /// The data of this type; a name that can not be asked for has none.
    async fn ask(&self, name: &str, kind: RecordType) -> Answer<Vec<RData>> {
        let Some(asked) = dns_name(name) else { return Ok(Vec::new()) };
        match self.resolver.lookup(asked, kind).await {
            Ok(found) => {
                let data = found.answers().iter().map(|record| &record.data);
                Ok(data.filter(|data| data.record_type() == kind).cloned().collect())
            }
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(_) => Err(End::Temporary),
        }
    }
}

/// Whether mail can come from this domain: several labels, the last one no number.
fn is_domain(domain: &str) -> bool {
    let bare = domain.strip_suffix('.').unwrap_or(domain);
    let Some(name) = dns_name(bare) else { return false };
    let top = if bare.is_ascii() { bare.rsplit('.').next().unwrap_or_default() } else { "org" };
    name.num_labels() > 1 && is_top_label(top)
}

/// A name as DNS takes it; `None` where a label is empty or anything is too long.
fn dns_name(text: &str) -> Option<Name> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    if !bare.is_ascii() {
        // §4.3: internationalised names are asked for by their A-labels.
        return Name::from_utf8(format!("{bare}.")).ok();
    }
    let labels: Vec<&[u8]> = bare.split('.').map(str::as_bytes).collect();
    let fits = labels.iter().all(|label| (1..=63).contains(&label.len()));
    fits.then(|| Name::from_labels(labels).ok())?
}

/// A name as text, without the dot of the root and without escapes.
fn text(name: &Name) -> String {
    let labels: Vec<_> =
        name.iter().map(|label| String::from_utf8_lossy(label).to_ascii_lowercase()).collect();
    labels.join(".")
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(IpAddr::V4(a.0)),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
        _ => None,
    }
}

fn is_within(addr: IpAddr, net: IpAddr, len: u8) -> bool {
    match (addr, net) {
        (IpAddr::V4(addr), IpAddr::V4(net)) => {
            (addr.to_bits() ^ net.to_bits()).checked_shr(32 - u32::from(len.min(32))).unwrap_or(0) == 0
        }
        (IpAddr::V6(addr), IpAddr::V6(net)) => {
            (addr.to_bits() ^ net.to_bits()).checked_shr(128 - u32::from(len.min(128))).unwrap_or(0) == 0
        }
        _ => false,
    }
}

fn is_at_or_below(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.to_ascii_lowercase(), domain.to_ascii_lowercase());
    name.strip_suffix(&domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_holds_its_addresses() {
        for (addr, net, len, expect) in [
            ("192.0.2.25", "192.0.2.0", 24, true),
            ("192.0.3.25", "192.0.2.0", 24, false),
            ("198.51.100.1", "192.0.2.0", 0, true),
            ("192.0.2.25", "192.0.2.25", 32, true),
            ("2001:db8::25", "2001:db8::", 32, true),
            ("2001:db8::25", "::", 0, true),
            ("192.0.2.25", "::", 0, false),
        ] {
            assert_eq!(
                is_within(addr.parse().unwrap(), net.parse().unwrap(), len),
                expect,
                "{addr} {net}/{len}"
            );
        }
    }

    #[test]
    fn a_sender_without_a_real_domain_is_not_asked_about() {
        for (domain, expect) in [
            ("example.org", true),
            ("example.org.", true),
            ("bücher.example", true),
            ("localhost", false),
            ("[192.0.2.25]", false),
            ("192.0.2.25", false),
            ("a..example.org", false),
            (".example.org", false),
            ("", false),
        ] {
            assert_eq!(is_domain(domain), expect, "{domain}");
        }
        assert!(!is_domain(&format!("{}.example.org", "a".repeat(64))));
        assert!(!is_domain(&format!("{}example.org", "a.".repeat(200))));
    }
}
