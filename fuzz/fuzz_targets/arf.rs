//! Any bytes at all to the report address: `wire::arf`, `fields`, `received`, `automatic`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/wire/tests/invariants/arf.rs"]
mod invariants;

fuzz_target!(|input: &[u8]| {
    let _ = invariants::check(input);
});
