//! What our block lists say of an address or a name.
//!
//! The answer comes from the live cases and from the bulk lists, in that order; it names all
//! codes that hold, and until when. The index answers for nearly everybody: only where it
//! does not know everything (several cases, holes, networks around the client, an end that is
//! near) the cases themselves are asked.

use std::net::IpAddr;

use model::case::Case;
use model::{Codes, Key, Millis, Mode, Name, Prefix, Secs, Slight};

use crate::feeds::{Feed, FeedEntry};
use crate::grade;
use crate::index::Marks;
use crate::view::View;

pub use crate::records;

/// A list of so many bytes stays in a processor's own cache, and is looked into without waiting.
const NEAR_BYTES: usize = 256 << 10;

/// What a block list says of one name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Listing {
    /// All codes that hold, at least one.
    pub codes: Codes,
    /// Until when the answer stays as it is, exact when that is near.
    pub until: Millis,
}

/// Why something is listed, as far as the lists say.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Why {
    /// A case for this reason (its number), since then.
    Case {
        /// Number of the reason.
        reason: u8,
        /// When it took effect.
        since: Millis,
    },
    /// A domain withholds something from those whom it writes to (OFF-24), told then.
    Conduct {
        /// What it withholds.
        slight: Slight,
        /// When that was told.
        since: Millis,
    },
    /// A bulk list says so with this code, since then.
    List {
        /// The last octet of 127.0.0.n.
        code: u8,
        /// When the list was adopted.
        since: Millis,
    },
}

impl Listing {
    /// What one bulk list says by itself.
    fn of(feed: &Feed, entry: FeedEntry, among: Codes) -> Option<Listing> {
        let codes = Codes::of(entry.code).and(among);
        (!codes.is_empty()).then(|| Listing { codes, until: feed.end_of(entry) })
    }
}

/// What the bulk lists say of an address.
enum Fed<'v> {
    Nothing,
    /// One says something, and nothing keeps it from being said.
    Once(&'v Feed, FeedEntry),
    /// The rest has to be put together.
    Unclear,
}

/// Ends by code, while a listing is put together.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    codes: Codes,
    until: [Millis; 32],
    /// Of what ends last.
    why: Option<(Millis, Why)>,
}

impl Ends {
    /// A code holds until then; of two ends of one code the later counts.
    fn add(&mut self, codes: Codes, until: Millis, why: Why) {
        if !codes.is_empty() {
            self.why = self.why.max(Some((until, why)));
        }
        self.codes = self.codes.or(codes);
        for last in codes.octets() {
            let known = &mut self.until[usize::from(last)];
            *known = (*known).max(until);
        }
    }

    fn add_entry(&mut self, feed: &Feed, entry: FeedEntry, among: Codes) {
        let why = Why::List { code: entry.code, since: feed.adopted_at };
        self.add(Codes::of(entry.code).and(among), feed.end_of(entry), why);
    }

    /// The answer changes when the first code ends.
    fn listing(&self) -> Option<Listing> {
        let until = self.codes.octets().map(|last| self.until[usize::from(last)]).min()?;
        Some(Listing { codes: self.codes, until })
    }
}

impl View {
    /// What the lists say of one address at `now`, among some codes.
    ///
    /// An end that is further away than `enough` need not be exact; it is never too late.
    pub fn listing(&self, addr: IpAddr, among: Codes, now: Millis, enough: Secs) -> Option<Listing> {
        let marks = self.live.marks(addr, now.minute());
        let known = match (marks == Marks::default(), self.fed(addr, now)) {
            (true, Fed::Nothing) => return None,
            (true, Fed::Once(feed, entry)) => Some(Listing::of(feed, entry, among)),
            (false, Fed::Nothing) => self.plain(marks, among, now, enough),
            (_, Fed::Once(..) | Fed::Unclear) => None,
        };
        known.unwrap_or_else(|| self.whole(addr, marks, among, now))
    }

    /// Brings near what [`View::listing`] will look at for these addresses of IPv4, where the
    /// lists are so large that it is far away.
    pub fn read_ahead(&self, addresses: &[u32]) {
        let far = self.feeds.iter().filter(|feed| feed.flat.heap_bytes() > NEAR_BYTES);
        far.for_each(|feed| feed.flat.read_ahead(addresses));
    }

    /// The same with its reason: that of the block that lasts longest.
    pub fn listing_with_reason(&self, addr: IpAddr, among: Codes, now: Millis) -> Option<(Listing, Why)> {
        let ends = self.ends(addr, self.live.marks(addr, now.minute()), among, now);
        Some((ends.listing()?, ends.why?.1))
    }

    /// The answer that the index alone can give; `None` when it can not.
    fn plain(&self, marks: Marks, among: Codes, now: Millis, enough: Secs) -> Option<Option<Listing>> {
        let mark = marks.own.filter(|_| marks.around.is_none())?;
        // The index rounds up to the next minute.
        let until = Millis::from_secs(u64::from(mark.until_min.saturating_sub(1)) * 60);
        let codes = grade::codes(mark).and(among);
        let known = grade::is_whole(mark) && until >= now.plus(enough);
        known.then(|| (!codes.is_empty()).then_some(Listing { codes, until }))
    }

    /// The answer with everything that is known.
    fn whole(&self, addr: IpAddr, marks: Marks, among: Codes, now: Millis) -> Option<Listing> {
        self.ends(addr, marks, among, now).listing()
    }

    fn ends(&self, addr: IpAddr, marks: Marks, among: Codes, now: Millis) -> Ends {
        let mut ends = Ends::default();
        if marks != Marks::default() {
            self.add_cases(addr, among, now, &mut ends);
        }
        self.add_feeds(addr, among, now, &mut ends);
        ends
    }

    fn add_cases(&self, addr: IpAddr, among: Codes, now: Millis, ends: &mut Ends) {
        // A mapped address that is asked for by name is one of IPv6 (STD-2).
        let own =
            [if addr.is_ipv4() { Prefix::host(addr) } else { Prefix::new(addr, 64) }, Prefix::host(addr)];
        let own = &own[..if addr.is_ipv4() { 1 } else { 2 }];
        let around = self.nets.iter().filter(|net| net.covers(Prefix::host(addr)));
        for prefix in own.iter().chain(around) {
            self.add_key(&Key::Net(*prefix), |case| !case.spares(addr), among, now, ends);
        }
    }

    fn add_key(&self, key: &Key, counts: impl Fn(&Case) -> bool, among: Codes, now: Millis, ends: &mut Ends) {
        for case in self.cases.holding_on(key, Mode::Live, now).filter(|case| counts(case)) {
            // A case that holds was opened.
            let Some(opened) = &case.opened else { continue };
            let code = grade::codes_of(opened.reason);
            let why = Why::Case { reason: opened.reason, since: opened.from };
            ends.add(code.and(among), case.until(), why);
        }
    }

    /// Whether something is listed inside the network of the first `len` bits: then a name
    /// that stands for it exists (RFC 8020), though nothing is said of it.
    pub fn lists_below_v4(&self, bits: u32, len: u8, among: Codes, now: Millis) -> bool {
        let (now_min, fits) = (now.minute(), |mark: crate::Mark| grade::may_be(mark, among));
        self.live.any_in_v4(bits, len, |mark| mark.holds(now_min) && fits(mark))
            || self.feeds_list_below(Prefix::V4(bits, len), among, now)
    }

    /// The same of IPv6.
    pub fn lists_below_v6(&self, bits: u128, len: u8, among: Codes, now: Millis) -> bool {
        let net = Prefix::V6(bits, len);
        // Inside a client's own network no key stands, and everything is listed.
        let own = (len > 64).then(|| Prefix::new(net.addr(), 64));
        self.listed.any_in_v6(bits, len, among, now.minute())
            || own.is_some_and(|own| self.is_listed(own, among, now))
            || self.nets.iter().any(|around| around.covers(net) && self.is_listed(*around, among, now))
            || self.feeds_list_below(net, among, now)
    }

    fn is_listed(&self, net: Prefix, among: Codes, now: Millis) -> bool {
        let mut ends = Ends::default();
        self.add_key(&Key::Net(net), |_| true, among, now, &mut ends);
        !ends.codes.is_empty()
    }

    /// What the lists say of a name in its usual form, in lower case. A name is listed with
    /// all that stand below it.
    pub fn listing_of_name(&self, name: &str, among: Codes, now: Millis) -> Option<(Listing, Why)> {
        let mut ends = Ends::default();
        if self.listed.has_names() {
            for (turned, _) in self.listed.names_of(name) {
                let Ok(domain) = turned.name().parse() else { continue };
                self.add_key(&Key::Domain(domain), |_| true, among, now, &mut ends);
            }
        }
        if self.listed.lists_conduct(name) {
            self.add_conduct(name, among, now, &mut ends);
        }
        self.add_feeds_of_name(name, among, now, &mut ends);
        Some((ends.listing()?, ends.why?.1))
    }

    /// A domain's conduct says nothing of the names below it.
    fn add_conduct(&self, name: &str, among: Codes, now: Millis, ends: &mut Ends) {
        for entry in self.lessons.conduct_entries(&Name::new(name.as_bytes()), now) {
            let why = Why::Conduct { slight: entry.slight, since: entry.since };
            ends.add(Codes::of(grade::CONDUCT).and(among), entry.until, why);
        }
    }

    /// Whether a name below this one is listed.
    pub fn lists_names_below(&self, name: &str, among: Codes, now: Millis) -> bool {
        self.listed.any_below(name, among) || self.feeds_list_names_below(name, among, now)
    }

    /// What the bulk lists alone say of an address.
    fn fed(&self, addr: IpAddr, now: Millis) -> Fed<'_> {
        let mut said = self.feeds.iter().filter_map(|feed| Some((&**feed, feed.get(addr, now)?)));
        match (said.next(), said.next()) {
            (None, _) => Fed::Nothing,
            (Some((feed, entry)), None) if !self.protected.lists(addr) => Fed::Once(feed, entry),
            _ => Fed::Unclear,
        }
    }

    fn add_feeds(&self, addr: IpAddr, among: Codes, now: Millis, ends: &mut Ends) {
        let mut said = self.feeds.iter().filter_map(|feed| Some((feed, feed.get(addr, now)?))).peekable();
        // A list can not know our protected keys.
        if said.peek().is_some() && !self.protected.lists(addr) {
            said.for_each(|(feed, entry)| ends.add_entry(feed, entry, among));
        }
    }

    fn feeds_list_below(&self, net: Prefix, among: Codes, now: Millis) -> bool {
        self.feeds.iter().any(|feed| feed.any_in(net, among, now))
    }

    fn add_feeds_of_name(&self, name: &str, among: Codes, now: Millis, ends: &mut Ends) {
        for feed in self.feeds.iter() {
            if let Some(entry) = feed.get_name(name, now) {
                ends.add_entry(feed, entry, among);
            }
        }
    }

    fn feeds_list_names_below(&self, name: &str, among: Codes, now: Millis) -> bool {
        self.feeds.iter().any(|feed| feed.any_below(name, among, now))
    }
}

#[cfg(test)]
mod domain_tests;
#[cfg(test)]
mod tests;
