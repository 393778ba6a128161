//! Nanoseconds of a look-up, ours and the peers'.
//!
//! Independent: the processor overlaps the misses of one look-up with those of the next.
//! Dependent: the next key hangs on the last answer, as one packet at a time sees it.

use std::collections::HashMap as StdMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use hashbrown::HashMap;
use model::Prefix;
use prefix_trie::PrefixMap;
use projections::index::{Change, Index, Mark};
use rpds::HashTrieMapSync;

use crate::keys::{NOW_MIN, Random, distinct, half_held};
use crate::memory;
use crate::report::{Bench, MEDIAN, count, figure, quantile};

/// What is compared over single IPv4 addresses.
const SUBJECTS: [&str; 5] = ["mailward", "hashbrown", "std-hashmap", "rpds-hash-trie", "prefix-trie"];

/// Look-ups timed as one: a fraction of a millisecond, shorter than a turn on the core.
const PIECE: usize = 4096;

/// Nanoseconds of independent and of dependent look-ups in one run.
type Run<K> = Box<dyn Fn(&[K]) -> (f64, f64)>;

/// Random single IPv4 addresses.
pub(crate) fn single_addresses(bench: &Bench, size: usize) {
    for subject in SUBJECTS.into_iter().chain(["mailward-grown"]) {
        memory::report(subject, size);
    }
    let mut random = Random(7);
    addresses(bench, &format!("{} /32", count(size)), &distinct(size, || random.v4()));
}

/// The addresses of a file, one a line; a real list lies far less evenly than a random one.
pub(crate) fn of_file(bench: &Bench, path: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    let addrs = text.lines().filter_map(|line| line.trim().parse::<Ipv4Addr>().ok());
    let mut keys: Vec<u32> = addrs.map(Ipv4Addr::to_bits).collect();
    keys.sort_unstable();
    keys.dedup();
    addresses(bench, &format!("{} /32 of a real list", keys.len()), &keys);
}

fn addresses(bench: &Bench, case: &str, keys: &[u32]) {
    let asked = half_held(bench.lookups, keys, &mut Random(70), Random::v4);
    let index = index_of(keys);
    figure(case, "mailward", "bytes_per_key", index.heap_bytes() as f64 / keys.len() as f64, "B");
    drop(index);
    compare(bench, case, &SUBJECTS.map(|name| (name, build(name, keys))), &asked);
}

/// Random IPv6 /64s.
pub(crate) fn net6(bench: &Bench, size: usize) {
    let case = format!("{} /64", count(size));
    let mut random = Random(8);
    let nets = distinct(size, || random.net6());
    let asked = half_held(bench.lookups, &nets, &mut random, Random::net6);
    let mut index = Index::new([1, 2]);
    let prefix = |net: u64| Prefix::V6(u128::from(net) << 64, 64);
    index.apply(nets.iter().map(|&net| Change::set(prefix(net), random.mark()).unwrap()));
    figure(&case, "mailward", "bytes_per_key", index.heap_bytes() as f64 / size as f64, "B");
    let marks: HashMap<u64, Mark> = nets.iter().map(|&net| (net, random.mark())).collect();
    let addr = |net: u64| IpAddr::V6(Ipv6Addr::from_bits(u128::from(net) << 64 | 1));
    let subjects = [
        ("mailward", subject(index, move |index, net| index.get(addr(net), NOW_MIN))),
        ("hashbrown", subject(marks, |marks, net: u64| marks.get(&net).copied())),
    ];
    compare(bench, &case, &subjects, &asked);
}

/// Random single IPv4 addresses and a thousand own prefixes of three lengths.
pub(crate) fn own_prefixes(bench: &Bench, size: usize) {
    let case = format!("{} /32 and 1k own /22 /23 /24", count(size));
    let mut random = Random(9);
    let keys = distinct(size, || random.v4());
    let asked = half_held(bench.lookups, &keys, &mut random, Random::v4);
    let own: Vec<Prefix> = (0..1000_u16)
        .map(|i| Prefix::new(Ipv4Addr::from_bits(random.v4()).into(), [22, 23, 24][usize::from(i % 3)]))
        .collect();
    let mut index = index_of(&keys);
    index.apply(own.iter().map(|&prefix| Change::set(prefix, random.mark()).unwrap()));
    let mut trie: PrefixMap<(u32, u8), Mark> = keys.iter().map(|&key| ((key, 32), random.mark())).collect();
    for prefix in own {
        if let Prefix::V4(bits, len) = prefix {
            trie.insert((bits, len), random.mark());
        }
    }
    let subjects = [
        ("mailward", subject(index, get)),
        ("prefix-trie", subject(trie, |trie, key: u32| trie.get_lpm(&(key, 32)).map(|(_, mark)| *mark))),
    ];
    compare(bench, &case, &subjects, &asked);
}

/// Builds one subject of [`SUBJECTS`] over `keys`.
pub(crate) fn build(name: &str, keys: &[u32]) -> Run<u32> {
    let mut random = Random(1);
    let marked = keys.iter().map(|&key| (key, random.mark()));
    match name {
        "mailward" => subject(index_of(keys), get),
        "mailward-grown" => subject(grown(keys), get),
        "hashbrown" => subject(marked.collect(), |map: &HashMap<u32, Mark>, key| map.get(&key).copied()),
        "std-hashmap" => subject(marked.collect(), |map: &StdMap<u32, Mark>, key| map.get(&key).copied()),
        "rpds-hash-trie" => {
            subject(marked.collect(), |map: &HashTrieMapSync<u32, Mark>, key| map.get(&key).copied())
        }
        "prefix-trie" => subject(
            marked.map(|(key, mark)| ((key, 32), mark)).collect(),
            |map: &PrefixMap<(u32, u8), Mark>, key| map.get_lpm(&(key, 32)).map(|(_, mark)| *mark),
        ),
        other => panic!("expected one of {SUBJECTS:?}, but got {other}"),
    }
}

/// An index of `keys` out of one batch.
pub(crate) fn index_of(keys: &[u32]) -> Index {
    let (mut index, mut random) = (Index::new([1, 2]), Random(1));
    index.apply(keys.iter().map(|&key| set(key, random.mark())));
    index
}

/// An index of `keys` as a daemon gets there: ten at a time, each version published.
fn grown(keys: &[u32]) -> Index {
    let (mut index, mut random) = (Index::new([1, 2]), Random(1));
    let mut published = index.clone();
    for ten in keys.chunks(10) {
        index.apply(ten.iter().map(|&key| set(key, random.mark())));
        published.clone_from(&index);
    }
    index
}

/// The change that sets one address.
pub(crate) fn set(key: u32, mark: Mark) -> Change {
    Change::set(Prefix::V4(key, 32), mark).unwrap()
}

fn get(index: &Index, key: u32) -> Option<Mark> {
    index.get(Ipv4Addr::from_bits(key).into(), NOW_MIN)
}

fn subject<T: 'static, K>(store: T, get: impl Fn(&T, K) -> Option<Mark> + 'static) -> Run<K>
where
    K: Copy + std::ops::BitXor<Output = K> + From<u32> + 'static,
{
    Box::new(move |asked| time(asked, |key| get(&store, key)))
}

/// Times `get` piece by piece and gives the median piece: a piece in which other work
/// had the core is far off and does not count.
fn time<K>(asked: &[K], get: impl Fn(K) -> Option<Mark>) -> (f64, f64)
where
    K: Copy + std::ops::BitXor<Output = K> + From<u32>,
{
    let word = |mark: Option<Mark>| mark.map_or(0, |mark| mark.until_min ^ u32::from(mark.class));
    let independent = |some: &[K]| some.iter().fold(0, |sum: u32, &key| sum.wrapping_add(word(get(key))));
    // The processor can not know that the answer does not change the next key.
    let zero = black_box(0);
    let dependent = |some: &[K]| some.iter().fold(0, |last: u32, &key| word(get(key ^ K::from(last & zero))));
    (median_ns(asked, independent), median_ns(&asked[asked.len() / 2..], dependent))
}

fn median_ns<K>(asked: &[K], run: impl Fn(&[K]) -> u32) -> f64 {
    let piece = |some: &[K]| {
        let start = Instant::now();
        black_box(run(some));
        start.elapsed().as_nanos() as f64 / some.len() as f64
    };
    let mut took: Vec<f64> = asked.chunks_exact(PIECE).map(piece).collect();
    quantile(&mut took, MEDIAN)
}

/// Runs all subjects in turn and reports the median and the best of each.
fn compare<K>(bench: &Bench, case: &str, subjects: &[(&str, Run<K>)], asked: &[K]) {
    let mut took = vec![(Vec::new(), Vec::new()); subjects.len()];
    for _ in 0..bench.runs {
        for ((_, run), took) in subjects.iter().zip(&mut took) {
            let (independent, dependent) = run(asked);
            took.0.push(independent);
            took.1.push(dependent);
        }
    }
    for ((name, _), (independent, dependent)) in subjects.iter().zip(&mut took) {
        figure(case, name, "ns_dependent", quantile(dependent, MEDIAN), "ns");
        figure(case, name, "ns_dependent_best", quantile(dependent, 0), "ns");
        figure(case, name, "ns_independent", quantile(independent, MEDIAN), "ns");
        figure(case, name, "ns_independent_best", quantile(independent, 0), "ns");
    }
}
