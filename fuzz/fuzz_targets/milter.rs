//! Any bytes at all on the milter socket: packets and commands as `wire::milter` reads them,
//! and replies and fields made from them.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/wire/tests/invariants/milter.rs"]
mod invariants;

fuzz_target!(|input: &[u8]| {
    invariants::check(input);
});
