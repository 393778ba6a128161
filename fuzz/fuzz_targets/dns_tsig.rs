//! Any bytes at all as a message to whoever hands out zones: nothing leaves without a right
//! signature, and every answer to one is signed.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/edge/tests/invariants/dns_tsig.rs"]
mod invariants;

thread_local! {
    static SERVER: invariants::Server = invariants::Server::new();
}

fuzz_target!(|input: &[u8]| {
    let _ = SERVER.with(|server| server.check(input));
});
