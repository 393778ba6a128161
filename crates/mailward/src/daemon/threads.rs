//! Shards on more than one thread.

use engine::Spread;
use engine::shard::Shard;

/// Spreads the shards of one epoch over `threads` threads.
pub(crate) struct Threads(pub(crate) usize);

impl Spread for Threads {
    fn each(&self, shards: &mut [Shard], which: &[usize], work: &(dyn Fn(&mut Shard) + Sync)) {
        if self.0 <= 1 || which.len() < 2 {
            return engine::Alone.each(shards, which, work);
        }
        let mut chosen: Vec<&mut Shard> = pick(shards, which);
        let share = chosen.len().div_ceil(self.0);
        std::thread::scope(|scope| {
            for part in chosen.chunks_mut(share) {
                scope.spawn(move || part.iter_mut().for_each(|shard| work(shard)));
            }
        });
    }
}

/// The shards named in `which`, which is ascending and distinct.
fn pick<'a>(shards: &'a mut [Shard], which: &[usize]) -> Vec<&'a mut Shard> {
    let mut wanted = which.iter().copied().peekable();
    let chosen = shards.iter_mut().enumerate().filter(|(index, _)| wanted.next_if_eq(index).is_some());
    chosen.map(|(_, shard)| shard).collect()
}
