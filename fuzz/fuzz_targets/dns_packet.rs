//! Any bytes at all as a packet for the name server: it answers as it must, or not at all.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/edge/tests/invariants/dns.rs"]
mod invariants;

thread_local! {
    static SERVERS: RefCell<invariants::Servers> = RefCell::new(invariants::Servers::new());
}

fuzz_target!(|input: &[u8]| {
    let _ = SERVERS.with_borrow_mut(|servers| servers.check(input));
});
