//! What sorted entries become by sorted edits: the one step that all layers share.

use super::Mark;

/// A key and its mark.
#[derive(Clone, Copy)]
pub(super) struct Entry<K> {
    pub(super) key: K,
    pub(super) mark: Mark,
}

/// The wish that a key has this mark, or none.
#[derive(Clone, Copy)]
pub(super) struct Edit<K> {
    pub(super) key: K,
    pub(super) mark: Option<Mark>,
}

/// Writes into `out`, which is empty, what `old` becomes by `edits`; both ascending.
///
/// Of several edits of one key the last counts.
pub(super) fn merge<K: Copy + Ord>(
    old: impl Iterator<Item = Entry<K>>,
    edits: impl Iterator<Item = Edit<K>>,
    out: &mut Vec<Entry<K>>,
) {
    let mut old = old.peekable();
    for Edit { key, mark } in edits {
        while let Some(entry) = old.next_if(|entry| entry.key <= key) {
            out.push(entry);
        }
        out.pop_if(|entry| entry.key == key);
        out.extend(mark.map(|mark| Entry { key, mark }));
    }
    out.extend(old);
}
