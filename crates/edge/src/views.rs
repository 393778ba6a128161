//! The published view, for those who answer.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use projections::View;

/// Gives the newest view.
pub trait Views: Send + Sync {
    /// The newest view, to be kept as long as one likes.
    fn view(&self) -> Arc<View>;

    /// The newest view for one answer; may not be held across a wait.
    ///
    /// The default is correct; an implementor that can do so spares readers on several
    /// cores the shared reference count.
    fn glance(&self) -> Guard<Arc<View>> {
        Guard::from_inner(self.view())
    }
}

/// One published view: the projector replaces it, readers never lock and never wait.
#[derive(Debug)]
pub struct Published {
    newest: ArcSwap<View>,
    /// Replaced views that somebody may still read. They are let go here and not by the last
    /// reader, who would wait for the allocator while a client waits for him.
    replaced: Mutex<Vec<Arc<View>>>,
}

impl Published {
    /// Begins with `view`.
    pub fn new(view: View) -> Published {
        Published { newest: ArcSwap::from_pointee(view), replaced: Mutex::new(Vec::new()) }
    }

    /// Replaces the view; readers that hold the old one keep it.
    pub fn publish(&self, view: View) {
        let old = self.newest.swap(Arc::new(view));
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        replaced.push(old);
        replaced.retain(|view| Arc::strong_count(view) > 1);
    }
}

impl Views for Published {
    fn view(&self) -> Arc<View> {
        self.newest.load_full()
    }

    fn glance(&self) -> Guard<Arc<View>> {
        self.newest.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Protected, Site};

    #[test]
    fn readers_see_the_newest_view_and_keep_the_one_they_hold() {
        let protected = Arc::new(Protected::new(Vec::new(), false, 0));
        let empty = View::empty(Arc::new(Site::default()), protected, [1, 2]);
        let published = Published::new(empty.clone());
        let (kept, glanced) = (published.view(), published.glance());
        published.publish(View { arrival: 7, ..empty });
        assert_eq!((kept.arrival, glanced.arrival), (0, 0));
        assert_eq!((published.view().arrival, published.glance().arrival), (7, 7));
        drop((kept, glanced));
        let newest = View::clone(&published.view());
        published.publish(newest);
        assert_eq!(published.replaced.lock().unwrap().len(), 0, "nobody reads the old ones");
    }
}
