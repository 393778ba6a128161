//! Any bytes at all on the LMTP socket: `wire::lmtp` says the same however they are cut.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/wire/tests/invariants/lmtp.rs"]
mod invariants;

fuzz_target!(|input: &[u8]| {
    let _ = invariants::check(input);
});
