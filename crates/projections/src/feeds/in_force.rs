//! Which bulk lists are in force, by what the events say, and their tables.
//!
//! Events and tables come by different ways: who projects hands in the table of each file
//! that an event names. The latest word on a name counts, in whatever order events arrive.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{FeedAdopted, FeedName, FeedNews, Hybrid, Millis, Secs};

use super::{FEEDS_MAX, Feed, Table};
use crate::view::View;

/// So long after its end a list is still shown, without its table.
const SHOWN_AFTER_END: Secs = Secs(30 * 86_400);

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    /// The latest word on each name; names are given by operators, and few.
    said: BTreeMap<FeedName, (Hybrid, FeedNews)>,
    /// Tables of files that are in force or about to be, and files that can not be read.
    shelf: BTreeMap<[u8; 32], Option<Arc<Table>>>,
    /// The hour of the last sweep.
    now: Millis,
}

impl InForce {
    /// Takes an event.
    pub(crate) fn hear(&mut self, news: &FeedNews, at: Hybrid, view: &mut View) {
        let known = self.said.get(news.name());
        if known.is_none_or(|(before, _)| *before <= at) {
            self.said.insert(news.name().clone(), (at, news.clone()));
            self.show(view);
        }
    }

    /// Takes the table of a file, or the word that there is none.
    pub(crate) fn shelve(&mut self, hash: [u8; 32], table: Option<Arc<Table>>, view: &mut View) {
        self.shelf.insert(hash, table);
        if self.adopted().any(|(_, adopted)| adopted.hash == hash) {
            self.show(view);
        }
    }

    /// Files in force of which nobody has said anything.
    pub(crate) fn wanted(&self) -> Vec<[u8; 32]> {
        let in_force = self.adopted().filter(|(_, adopted)| self.now < adopted.until);
        in_force.map(|(_, adopted)| adopted.hash).filter(|hash| !self.shelf.contains_key(hash)).collect()
    }

    /// Lets tables go that no list in force has, and forgets lists that ended long ago.
    pub(crate) fn sweep(&mut self, now: Millis, view: &mut View) {
        self.now = now;
        let (tables, said) = (self.shelf.len(), self.said.len());
        self.said.retain(|_, (_, news)| match news {
            FeedNews::Adopted(adopted) => now < adopted.until.plus(SHOWN_AFTER_END),
            // An earlier word on the name may still arrive from another host.
            FeedNews::Dropped(_) => true,
        });
        let used: Vec<_> =
            self.adopted().filter(|(_, a)| now < a.until).map(|(_, adopted)| adopted.hash).collect();
        self.shelf.retain(|hash, _| used.contains(hash));
        if (tables, said) != (self.shelf.len(), self.said.len()) {
            self.show(view);
        }
    }

    fn adopted(&self) -> impl Iterator<Item = (Hybrid, &FeedAdopted)> {
        let lists = self.said.values().filter_map(|(at, news)| match news {
            FeedNews::Adopted(adopted) => Some((*at, adopted)),
            FeedNews::Dropped(_) => None,
        });
        lists.take(FEEDS_MAX)
    }

    /// Brings the view in line.
    fn show(&self, view: &mut View) {
        let feeds = self.adopted().map(|(at, adopted)| {
            let table = self.shelf.get(&adopted.hash).and_then(Option::as_deref);
            let feed = Feed::new(adopted, at.wall, table);
            // Codes that do not fit its kind are as good as no file.
            Arc::new(feed.unwrap_or_else(|_| Feed::missing(adopted, at.wall)))
        });
        view.feeds = Arc::new(feeds.collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Codes, FeedKind, Mode};
    use std::net::IpAddr;

    use crate::feeds::{Builder, FeedEntry, NamesBuilder};

    fn view() -> View {
        View::empty(Arc::default(), Arc::new(model::Protected::new(Vec::new(), true, 0)), [1, 2])
    }

    fn table(code: u8) -> Arc<Table> {
        let mut builder = Builder::new(0);
        let addr: IpAddr = "192.0.2.7".parse().unwrap();
        builder.add(addr, addr, FeedEntry { code, until_min: None }).unwrap();
        let bytes = Table::to_bytes(builder.finish().unwrap(), &NamesBuilder::new(0).finish(), "here");
        Table::from_bytes(bytes).unwrap().into()
    }

    fn adopted(name: &str, hash: u8, kind: FeedKind) -> FeedNews {
        let (name, until) = (name.parse().unwrap(), Millis(1_000_000));
        FeedNews::Adopted(FeedAdopted { name, kind, hash: [hash; 32], code: 2, until, entries: 1 })
    }

    fn at(wall: u64) -> Hybrid {
        Hybrid { wall: Millis(wall), count: 0 }
    }

    fn codes(view: &View) -> Vec<u8> {
        let addr = "192.0.2.7".parse().unwrap();
        let listing = view.listing(addr, Codes::ALL, Millis(5), Secs(0));
        assert!(view.live.is_empty() && view.mode == Mode::Shadow);
        listing.map(|listing| listing.codes.octets().collect()).unwrap_or_default()
    }

    #[test]
    fn a_list_answers_when_its_event_and_its_table_are_there() {
        let (mut lists, mut view) = (InForce::default(), view());
        lists.hear(&adopted("a", 1, FeedKind::Curated), at(1), &mut view);
        assert_eq!((codes(&view), lists.wanted()), (vec![], vec![[1; 32]]));
        assert!(view.feeds[0].is_missing);
        lists.shelve([1; 32], Some(table(2)), &mut view);
        assert_eq!((codes(&view), lists.wanted()), (vec![2], vec![]));
        lists.shelve([2; 32], Some(table(3)), &mut view);
        assert_eq!(codes(&view), [2]);
        lists.hear(&adopted("a", 2, FeedKind::Curated), at(2), &mut view);
        assert_eq!((codes(&view), view.feeds.len()), (vec![3], 1), "replaced at once");
        lists.hear(&FeedNews::Dropped("a".parse().unwrap()), at(3), &mut view);
        assert_eq!((codes(&view), view.feeds.len()), (vec![], 0));
    }

    #[test]
    fn the_latest_word_counts_in_whatever_order_it_comes() {
        let (mut lists, mut view) = (InForce::default(), view());
        lists.shelve([1; 32], Some(table(2)), &mut view);
        lists.hear(&FeedNews::Dropped("a".parse().unwrap()), at(3), &mut view);
        lists.hear(&adopted("a", 1, FeedKind::Curated), at(2), &mut view);
        assert!(view.feeds.is_empty());
        lists.hear(&adopted("a", 1, FeedKind::Curated), at(4), &mut view);
        assert_eq!(codes(&view), [2]);
    }

    #[test]
    fn a_file_that_is_missing_or_of_another_kind_leaves_the_list_empty_and_says_so() {
        let (mut lists, mut view) = (InForce::default(), view());
        lists.shelve([1; 32], Some(table(2)), &mut view);
        lists.hear(&adopted("a", 1, FeedKind::External), at(1), &mut view);
        lists.hear(&adopted("b", 2, FeedKind::Curated), at(1), &mut view);
        lists.shelve([2; 32], None, &mut view);
        assert!(codes(&view).is_empty() && view.feeds.iter().all(|feed| feed.is_missing));
        assert!(lists.wanted().is_empty());
    }

    #[test]
    fn one_that_ran_out_lets_its_table_go_and_is_shown_for_a_month() {
        let (mut lists, mut view) = (InForce::default(), view());
        lists.shelve([1; 32], Some(table(2)), &mut view);
        lists.hear(&adopted("a", 1, FeedKind::Curated), at(1), &mut view);
        lists.sweep(Millis(999_999), &mut view);
        assert_eq!(codes(&view), [2]);
        lists.sweep(Millis(1_000_000), &mut view);
        assert!(view.feeds[0].is_missing && lists.shelf.is_empty() && lists.wanted().is_empty());
        lists.sweep(Millis(1_000_000).plus(SHOWN_AFTER_END), &mut view);
        assert!(view.feeds.is_empty());
    }
}
