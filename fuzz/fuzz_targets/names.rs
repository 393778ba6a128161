//! Any address, any HELO argument, any name in DNS: the classifiers weigh them within bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/detectors/tests/invariants/names.rs"]
mod invariants;

fuzz_target!(|input: &[u8]| {
    let outcome = invariants::check(input);
    std::hint::black_box((outcome.helo, outcome.org, outcome.line));
});
