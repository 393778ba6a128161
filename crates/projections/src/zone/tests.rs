//! Against a plain list of everything that was said, looked through from end to end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use model::case::{Case, Lifted};
use model::feed::{FeedAdopted, FeedKind};
use model::reasons::by_number;
use model::{Body, Codes, Key, Millis, Mode, NetworkNews, Prefix, Secs, Site};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::feeds::{Builder, Feed, FeedEntry, Names, Table};
use crate::testing::{event, sentence};
use crate::{Projector, View};

/// Minutes of the tests begin here.
const START: u64 = 1_000_000 * 60_000;

/// One case as it was told.
#[derive(Clone, Debug)]
struct Told {
    prefix: Prefix,
    reason: u8,
    /// Milliseconds after the start.
    from: u64,
    lasts: u64,
    lifted: bool,
    is_shadow: bool,
    hole: Option<Prefix>,
}

impl Told {
    fn until(&self) -> u64 {
        START + self.from + self.lasts
    }

    fn holds(&self, addr: IpAddr, now: u64) -> bool {
        let host = Prefix::host(addr);
        let spared = self.hole.is_some_and(|hole| hole.covers(host));
        self.prefix.covers(host) && !spared && self.is_live(now)
    }

    fn is_live(&self, now: u64) -> bool {
        !self.lifted && !self.is_shadow && now < self.until()
    }

    fn codes(&self, among: Codes) -> Codes {
        Codes::of(by_number(self.reason).dns.octets()[3]).and(among)
    }
}

fn prefix() -> impl Strategy<Value = Prefix> {
    let v4 = (0..16u32, select(vec![24, 27, 28, 30, 32, 32, 32]))
        .prop_map(|(low, len)| Prefix::new(Ipv4Addr::from_bits(0xc000_0200 | low).into(), len));
    let v6 = (0..4u128, select(vec![32, 60, 64, 64, 64, 128])).prop_map(|(net, len)| {
        Prefix::new(Ipv6Addr::from_bits(0x2001_0db8 << 96 | net << 64 | 7).into(), len)
    });
    prop_oneof![3 => v4, 1 => v6]
}

fn told() -> impl Strategy<Value = Told> {
    let times = (0..600_000u64, 1..4_000_000u64);
    let marks = (any::<bool>(), select(vec![false, false, false, true]), prop::option::of(prefix()));
    (prefix(), select(vec![1u8, 2, 3, 15, 36]), times, marks).prop_map(
        |(prefix, reason, (from, lasts), (lifted, is_shadow, hole))| {
            let hole = hole.filter(|hole| prefix.covers(*hole) && *hole != prefix);
            Told { prefix, reason, from, lasts, lifted, is_shadow, hole }
        },
    )
}

fn view(all: &[Told], feeds: &[Vec<(u32, u8)>]) -> View {
    let mut projector = Projector::new(Arc::new(Site::default()), Vec::new(), true, [1, 2]);
    for (seq, told) in (1..).zip(all) {
        let (at, key) = (START + told.from, told.prefix.to_string());
        let mut opened = event(seq, at, &key, sentence(told.reason, at, told.until()));
        let mut more = opened.clone();
        opened.mode = if told.is_shadow { Mode::Shadow } else { Mode::Live };
        projector.apply(seq, &opened);
        if let Some(hole) = told.hole {
            more.body = Body::Network(NetworkNews::Holes(vec![hole]));
            projector.apply(seq, &more);
        }
        if told.lifted {
            more.body = Body::CaseLifted(Lifted { at: Millis(at), error: false });
            projector.apply(seq, &more);
        }
    }
    let mut view = projector.view();
    view.feeds = Arc::new(feeds.iter().map(|entries| Arc::new(feed(entries))).collect());
    view
}

/// A list of single addresses with their codes, in force for longer than any test looks.
fn feed(entries: &[(u32, u8)]) -> Feed {
    let mut builder = Builder::new(1_000_000);
    for (low, code) in entries {
        let addr = Ipv4Addr::from_bits(0xc000_0200 | low).into();
        builder.add(addr, addr, FeedEntry { code: *code, until_min: None }).unwrap();
    }
    let table =
        Table::from_bytes(Table::to_bytes(builder.finish().unwrap(), Names::empty().as_bytes(), "test"))
            .unwrap();
    let adopted = FeedAdopted {
        name: "test".parse().unwrap(),
        kind: FeedKind::Curated,
        hash: [0; 32],
        code: 2,
        until: Millis(START + 90_000_000),
        entries: entries.len() as u64,
    };
    Feed::new(&adopted, Millis(START), Some(&table)).unwrap()
}

/// What everything together says of one address.
fn brute(
    all: &[Told],
    feeds: &[Vec<(u32, u8)>],
    addr: IpAddr,
    among: Codes,
    now: u64,
) -> Option<(Codes, u64)> {
    let cases = all.iter().filter(|told| told.holds(addr, now)).map(|told| (told.codes(among), told.until()));
    let low = |low: u32| IpAddr::V4(Ipv4Addr::from_bits(0xc000_0200 | low));
    // Of several entries for one address in one list the last that was given counts.
    let fed = feeds.iter().filter_map(|feed| {
        let entry = feed.iter().rev().find(|(at, _)| low(*at) == addr)?;
        Some((Codes::of(entry.1).and(among), START + 90_000_000))
    });
    let said: Vec<(Codes, u64)> = cases.chain(fed).filter(|(codes, _)| !codes.is_empty()).collect();
    let codes = said.iter().fold(Codes::NONE, |all, (codes, _)| all.or(*codes));
    let end = |last: u8| {
        said.iter().filter(|(codes, _)| !codes.and(Codes::of(last)).is_empty()).map(|(_, end)| *end).max()
    };
    Some((codes, codes.octets().filter_map(end).min()?))
}

fn addresses() -> impl Iterator<Item = IpAddr> {
    let v4 = (0..40u32).map(|low| Ipv4Addr::from_bits(0xc000_01f8 + low).into());
    let v6 = (0..6u128).flat_map(|net| {
        [7, 8, 0xfedc_ba98_7654_3210]
            .map(|low| Ipv6Addr::from_bits(0x2001_0db8 << 96 | net << 64 | low).into())
    });
    v4.chain(v6)
}

proptest! {
    // A table of a bulk list is made for each, and every address is looked at.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_listing_says_what_all_cases_and_lists_together_say(
        all in vec(told(), 0..12), mut feeds in vec(vec((0..16u32, select(vec![2u8, 3, 10])), 0..6), 0..3),
        at in 600_000..4_600_000u64, among in select(vec![Codes::ALL, Codes::of(3), Codes::of(4).or(Codes::of(2))]),
    ) {
        for feed in &mut feeds {
            feed.sort_unstable();
            feed.dedup_by_key(|(low, _)| *low);
        }
        let (view, now) = (view(&all, &feeds), START + at);
        for addr in addresses() {
            let expect = brute(&all, &feeds, addr, among, now);
            let got = view.listing(addr, among, Millis(now), Secs(300));
            prop_assert_eq!(got.map(|got| got.codes), expect.map(|(codes, _)| codes), "{}", addr);
            // Exact where it is near; never too late.
            if let (Some(got), Some((_, until))) = (got, expect) {
                prop_assert!(got.until.0 <= until);
                prop_assert_eq!(got.until.0.min(now + 300_000), until.min(now + 300_000), "{}", addr);
            }
            let told = view.listing_with_reason(addr, among, Millis(now));
            prop_assert_eq!(told.map(|(listing, _)| (listing.codes, listing.until.0)), expect);
        }
    }

    #[test]
    fn nothing_is_said_not_to_exist_above_what_is_listed(
        all in vec(told(), 0..12), feeds in vec(vec((0..16u32, Just(2u8)), 0..3), 0..2), at in 600_000..4_600_000u64,
    ) {
        let (view, now) = (view(&all, &feeds), START + at);
        for addr in addresses() {
            let is_listed = brute(&all, &feeds, addr, Codes::ALL, now).is_some();
            for len in (0..128u8).filter(|len| if addr.is_ipv4() { *len < 32 && len % 8 == 0 } else { len % 4 == 0 }) {
                let below = match Prefix::new(addr, len) {
                    Prefix::V4(bits, len) => view.lists_below_v4(bits, len, Codes::ALL, Millis(now)),
                    Prefix::V6(bits, len) => view.lists_below_v6(bits, len, Codes::ALL, Millis(now)),
                };
                prop_assert!(below || !is_listed, "{} /{}", addr, len);
            }
        }
        // … and where no case and no list touches a network, nothing exists.
        let none = all.iter().all(|told| !told.prefix.overlaps("192.0.2.0/24".parse().unwrap()));
        if none && feeds.iter().all(Vec::is_empty) {
            prop_assert!(!view.lists_below_v4(0xc000_0200, 24, Codes::ALL, Millis(now)));
        }
        if all.iter().all(|told| !matches!(told.prefix, Prefix::V6(..))) {
            prop_assert!(!view.lists_below_v6(0x2001_0db8 << 96, 32, Codes::ALL, Millis(now)));
        }
    }
}

#[test]
fn what_is_over_or_spared_is_told_by_the_case_itself() {
    // The hole of a network, the last minute of a block, and a network that only a shadow case is about.
    let net: Prefix = "192.0.2.0/24".parse().unwrap();
    let told = Told {
        prefix: net,
        reason: 2,
        from: 0,
        lasts: 90_500,
        lifted: false,
        is_shadow: false,
        hole: Some("192.0.2.7".parse().unwrap()),
    };
    let view = view(&[told], &[]);
    let listed = |addr: &str, at: u64| {
        view.listing(addr.parse().unwrap(), Codes::ALL, Millis(START + at), Secs(300)).is_some()
    };
    assert_eq!(
        [listed("192.0.2.8", 90_499), listed("192.0.2.8", 90_500), listed("192.0.2.7", 0)],
        [true, false, false]
    );
    let key = Key::Net(net);
    assert_eq!(view.cases.holding_on(&key, Mode::Live, Millis(START)).map(Case::until).count(), 1);
}

/// One thing that happens to one of a few keys, so many milliseconds after the one before.
#[derive(Clone, Debug)]
enum Happens {
    Opened { reason: u8, lasts: u64 },
    CaseLifted(usize),
    KeyLifted,
    Extended { case: usize, by: u64 },
    Swept,
}

fn happens() -> impl Strategy<Value = (u64, Prefix, Happens)> {
    let what = prop_oneof![
        4 => (select(vec![1u8, 2]), 1..400_000u64).prop_map(|(reason, lasts)| Happens::Opened { reason, lasts }),
        1 => (0..8usize).prop_map(Happens::CaseLifted),
        2 => Just(Happens::KeyLifted),
        1 => (0..8usize, 1..400_000u64).prop_map(|(case, by)| Happens::Extended { case, by }),
        1 => Just(Happens::Swept),
    ];
    (select(vec![0u64, 0, 0, 1, 500, 70_000]), prefix(), what)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_index_never_hides_a_case_that_holds(all in vec(happens(), 1..40)) {
        let mut projector = Projector::new(Arc::new(Site::default()), Vec::new(), true, [1, 2]);
        let (mut at, mut opened) = (START, Vec::<(u64, Prefix)>::new());
        for (seq, (after, prefix, what)) in (1u64..).zip(all) {
            at += after;
            let (id, prefix, body) = match what {
                Happens::Opened { reason, lasts } => {
                    opened.push((seq, prefix));
                    (seq, prefix, sentence(reason, at, at + lasts))
                }
                Happens::KeyLifted => (seq, prefix, Body::KeyLifted(Lifted { at: Millis(at), error: false })),
                Happens::CaseLifted(case) => {
                    let Some((id, prefix)) = opened.get(case) else { continue };
                    (*id, *prefix, Body::CaseLifted(Lifted { at: Millis(at), error: false }))
                }
                Happens::Extended { case, by } => {
                    let Some((id, prefix)) = opened.get(case) else { continue };
                    let extended = model::case::Extended { until: Millis(at + by), later: Vec::new(), attempts: seq };
                    (*id, *prefix, Body::CaseExtended(extended))
                }
                Happens::Swept => {
                    projector.sweep(Millis(at));
                    continue;
                }
            };
            projector.apply(seq, &event(id, at, &prefix.to_string(), body));
            let view = projector.view();
            for addr in addresses() {
                let covers = |case: &&Arc<crate::CaseView>| case.key.prefix().is_some_and(|p| p.covers(Prefix::host(addr)));
                let holding = view.holding(Mode::Live, Millis(at));
                let codes = holding.iter().filter(covers).map(|case| case.case.opened.as_ref().unwrap().reason);
                let expect: Codes = codes.map(|reason| by_number(reason).dns.octets()[3]).collect();
                let got = view.listing(addr, Codes::ALL, Millis(at), Secs(300)).map_or(Codes::NONE, |l| l.codes);
                prop_assert_eq!(got, expect, "{} at {}", addr, at - START);
                prop_assert_eq!(view.against(addr, Mode::Live, Millis(at)).is_some(), !expect.is_empty());
            }
        }
    }
}
