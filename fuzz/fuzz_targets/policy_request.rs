//! Any bytes at all on the policy socket: `wire::policy` splits them as its oracle does.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/wire/tests/invariants/policy.rs"]
mod invariants;

fuzz_target!(|input: &[u8]| {
    invariants::check(input);
});
