//! Any bytes at all as a message: `judges::inspect` answers within its limits, and its
//! answer holds together.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/judges/tests/inspect/raw.rs"]
mod raw;

#[path = "../../crates/judges/tests/inspect/invariants.rs"]
mod invariants;

fuzz_target!(|input: &[u8]| {
    invariants::check(&raw::letter(input));
});
