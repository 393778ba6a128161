//! Any bytes at all as a frame from a network interface: it is a datagram or refused, and what
//! answers it is a sound frame back.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/edge/tests/invariants/xdp_frame.rs"]
mod invariants;

fuzz_target!(|input: &[u8]| {
    let _ = invariants::check(input);
});
