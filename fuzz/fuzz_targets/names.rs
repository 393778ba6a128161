//! Any address, any HELO argument, any name in DNS: the classifiers weigh them within bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/detectors/tests/invariants/names.rs"]
mod invariants;

fuzz_target!(|input: &[u8]| {
    let _ = invariants::check(input);
});
