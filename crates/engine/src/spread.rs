//! How the shards' work is spread over threads.

use crate::shard::Shard;

/// Hands threads in: the engine has none of its own.
pub trait Spread {
    /// Calls `work` once for each shard named in `which` (ascending, distinct), in any order
    /// and on any thread, and returns when all are done.
    fn each(&self, shards: &mut [Shard], which: &[usize], work: &(dyn Fn(&mut Shard) + Sync));
}

/// All work on the calling thread.
pub struct Alone;

impl Spread for Alone {
    fn each(&self, shards: &mut [Shard], which: &[usize], work: &(dyn Fn(&mut Shard) + Sync)) {
        which.iter().for_each(|index| work(&mut shards[*index]));
    }
}
