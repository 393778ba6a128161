//! Who takes the stream: the engine, and what can not be done without.

use std::hash::BuildHasher;
use std::hint::black_box;

use engine::Alone;
use hashbrown::HashMap;
use model::key::client_prefix;
use model::{Fact, Frame, Input, Prefix};
use siphasher::sip::SipHasher13;

use crate::meter::{Meter, Run};
use crate::stream::{Stream, engine};

/// Frames that are decoded at once, outside of what is measured.
const BATCH: usize = 32;

/// One of those who are measured.
#[derive(Clone, Copy)]
pub(crate) enum Subject {
    /// The engine, in frames as they were collected.
    Engine,
    /// The engine, each input in a frame of its own, as a replay does.
    EngineSingly,
    /// Frames are decoded and each client's key is hashed.
    Decode,
    /// A hash map counts each client's key.
    Count,
}

impl Subject {
    pub(crate) const ALL: [Subject; 4] =
        [Subject::Engine, Subject::EngineSingly, Subject::Decode, Subject::Count];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Subject::Engine => "engine",
            Subject::EngineSingly => "engine, frames of one",
            Subject::Decode => "only decoded and hashed",
            Subject::Count => "only counted in a hash map",
        }
    }

    /// Takes the whole stream once.
    pub(crate) fn run(self, stream: &Stream) -> Run {
        match self {
            Subject::Engine => judged(stream, |frame, each| each(&frame)),
            Subject::EngineSingly => judged(stream, |Frame { wall, salt, inputs }, each| {
                inputs.into_iter().for_each(|input| each(&Frame { wall, salt, inputs: vec![input] }));
            }),
            Subject::Decode => decoded(stream),
            Subject::Count => counted(stream),
        }
    }
}

fn judged(stream: &Stream, cut: impl Fn(Frame, &mut dyn FnMut(&Frame))) -> Run {
    let (mut engine, mut meter, mut position) = (engine(), Meter::new(stream), 0);
    for batch in batches(stream) {
        meter.during(|| {
            for frame in batch {
                cut(frame, &mut |frame| {
                    position += 1;
                    black_box(engine.step(position, frame, &Alone));
                });
            }
        });
    }
    meter.run
}

fn decoded(stream: &Stream) -> Run {
    let mut meter = Meter::new(stream);
    for batch in stream.frames.chunks(BATCH) {
        meter.during(|| {
            for bytes in batch {
                let frame = Frame::from_bytes(bytes).unwrap();
                keys(&frame).for_each(|key| _ = black_box(Seeds.hash_one(key)));
            }
        });
    }
    meter.run
}

fn counted(stream: &Stream) -> Run {
    let mut meter = Meter::new(stream);
    let mut counts = HashMap::<Prefix, u64, Seeds>::with_hasher(Seeds);
    for batch in batches(stream) {
        meter.during(|| {
            for frame in &batch {
                // A verdict has no address; the engine finds the key by its session.
                keys(frame).for_each(|key| *counts.entry(key).or_default() += 1);
            }
        });
    }
    meter.run
}

fn batches(stream: &Stream) -> impl Iterator<Item = Vec<Frame>> {
    let decode = |bytes: &Vec<u8>| Frame::from_bytes(bytes).unwrap();
    stream.frames.chunks(BATCH).map(move |batch| batch.iter().map(decode).collect())
}

/// The key of every attempt; what comes after one counts as the same key again.
fn keys(frame: &Frame) -> impl Iterator<Item = Prefix> {
    let mut last = None;
    frame.inputs.iter().filter_map(move |input| {
        if let Input::Observed(seen) = input
            && let Fact::Attempt(attempt) = &seen.fact
        {
            last = Some(client_prefix(attempt.client.addr));
        }
        last
    })
}

/// The hash that the engine uses.
#[derive(Clone, Copy)]
struct Seeds;

impl BuildHasher for Seeds {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(3, 4)
    }
}
